"""`-v`, `--mount` and `--tmpfs`: the mounts of a container as typed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.cli.units import memory_size
from engine.errors import InvalidInput
from engine.models import Mount

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_IGNORED = ("z", "Z", "consistent", "cached", "delegated")  # SELinux relabelling; macOS file sharing
# What a bind mount of `-v` has and one of `--mount` lacks: a source that is missing is made (docker-run(1)).
CREATE_SOURCE = "create"


def absolute(path: str) -> str:
    """A path from the current directory or from a home, made absolute; links are left as they are."""
    return os.path.normpath(Path.cwd() / Path(path).expanduser())


def parse_volume(text: str) -> Mount:
    """The mount of `-v [source:]target[:options]`. A source with a slash is a host path, else a volume's name."""
    parts = text.split(":")
    if len(parts) > 3 or not all(parts[:2]):
        raise InvalidInput(f"invalid volume specification: '{text}'")
    source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    if source.startswith((".", "~")) and (source in (".", "..", "~") or "/" in source):
        source = absolute(source)
    kind = "bind" if source.startswith("/") else "volume"
    if kind == "volume" and source and not _NAME.fullmatch(source):
        raise InvalidInput(
            f'create {source}: "{source}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    _check_target(target, f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": ")
    read_only = False
    options = [CREATE_SOURCE] if kind == "bind" else []
    for mode in parts[2].split(",") if len(parts) == 3 else ():
        if mode in ("ro", "rw"):
            read_only = mode == "ro"
        elif (mode in PROPAGATION and kind == "bind") or (mode == "nocopy" and kind == "volume"):
            options.append(mode)
        elif mode not in _IGNORED:
            raise InvalidInput(f"invalid mode: {parts[2]}")
    return Mount(kind, target, os.path.normpath(source) if kind == "bind" else source, read_only, tuple(options))


def parse_mount(text: str) -> Mount:
    """The mount of `--mount type=bind,source=...,target=...`: fields as CSV, the type being volume if not said."""
    import csv

    kind, source, target, read_only = "volume", "", "", False
    options: list[str] = []
    try:
        (fields,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        raise InvalidInput(f"cannot read '{text}' as fields: {error}") from None
    for entry in fields:
        key, equals, value = entry.partition("=")
        key = key.strip().lower()
        if not equals and key not in ("readonly", "ro", "volume-nocopy", "bind-nonrecursive"):
            raise InvalidInput(f"invalid field '{entry}' must be a key=value pair")
        if key == "type":
            kind = value.lower()
        elif key in ("source", "src"):
            source = value
        elif key in ("target", "dst", "destination"):
            target = value
        elif key in ("readonly", "ro"):
            read_only = _truth(value, equals, key)
        elif key == "bind-propagation" and value in PROPAGATION:
            options.append(value)
        elif key == "volume-nocopy":
            options += ["nocopy"] if _truth(value, equals, key) else []
        elif key == "bind-nonrecursive":
            options += ["nonrecursive"] if _truth(value, equals, key) else []
        elif key == "tmpfs-size":
            options.append(f"size={_tmpfs_size(value)}")
        elif key == "tmpfs-mode":
            if not re.fullmatch("[0-7]{1,5}", value):
                raise InvalidInput(f"invalid value for tmpfs-mode: {value}")
            options.append(f"mode={value}")
        elif key not in ("consistency", "volume-driver") or (key == "volume-driver" and value != "local"):
            raise InvalidInput(f"unexpected key '{key}' in '{entry}'")
    return _checked(kind, source, target, read_only, tuple(options))


def parse_tmpfs(text: str) -> Mount:
    """The mount of `--tmpfs /path[:size=64m,mode=1777,...]`."""
    target, _, options = text.partition(":")
    _check_target(target, "")
    given = tuple(option for option in options.split(",") if option)
    return Mount("tmpfs", target, "", "ro" in given, tuple(option for option in given if option not in ("ro", "rw")))


def spell_mount(mount: Mount) -> list[str]:
    """The flag and argument that ask for this mount, by the shortest form that says it all."""
    if mount.kind == "tmpfs":
        options = [*(["ro"] if mount.read_only else []), *mount.options]
        return ["--tmpfs", mount.target + (f":{','.join(options)}" if options else "")]
    if ":" in mount.source + mount.target or (mount.kind == "bind" and CREATE_SOURCE not in mount.options):
        return ["--mount", _spell_fields(mount)]
    options = [option for option in mount.options if option != CREATE_SOURCE]
    if mount.read_only:
        options.insert(0, "ro")
    # an anonymous volume with options has no `-v` form: the first of three fields may not be empty
    if options and not mount.source:
        return ["--mount", _spell_fields(mount)]
    return ["-v", ":".join(part for part in (mount.source, mount.target, ",".join(options)) if part)]


def _spell_fields(mount: Mount) -> str:
    import csv
    import io

    fields = [f"type={mount.kind}", *([f"source={mount.source}"] if mount.source else []), f"target={mount.target}"]
    fields += ["readonly"] if mount.read_only else []
    for option in mount.options:
        if option in PROPAGATION:
            fields.append(f"bind-propagation={option}")
        elif option == "nocopy":
            fields.append("volume-nocopy")
        elif option == "nonrecursive":
            fields.append("bind-nonrecursive")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _checked(kind: str, source: str, target: str, read_only: bool, options: tuple[str, ...]) -> Mount:
    if kind not in ("bind", "volume", "tmpfs"):
        raise InvalidInput(f'mount type unknown: "{kind}"' if target else "target is required")
    if not target:
        raise InvalidInput("target is required")
    where = f'invalid mount config for type "{kind}": '
    if kind == "bind":
        if not source:
            raise InvalidInput(f"{where}field Source must not be empty")
        if source.startswith((".", "~")):
            source = absolute(source)
        if not source.startswith("/"):
            raise InvalidInput(f"{where}invalid mount path: '{source}' mount path must be absolute")
    elif kind == "tmpfs" and source:
        raise InvalidInput(f"{where}field Source must not be specified")
    elif source and not _NAME.fullmatch(source):
        raise InvalidInput(f'{where}"{source}" includes invalid characters for a local volume name')
    _check_target(target, where)
    allowed = {"bind": (*PROPAGATION, "nonrecursive"), "volume": ("nocopy",), "tmpfs": ("size=", "mode=")}[kind]
    for option in options:
        if not option.startswith(allowed):
            raise InvalidInput(f"cannot mix '{option}' with mount type '{kind}'")
    return Mount(kind, target, source, read_only, options)


def _check_target(target: str, where: str) -> None:
    if not target.startswith("/"):
        raise InvalidInput(f"{where}invalid mount path: '{target}' mount path must be absolute")
    if os.path.normpath(target).strip("/") == "":
        raise InvalidInput(f"{where}invalid specification: destination can't be '/'")


def _truth(value: str, equals: str, key: str) -> bool:
    if not equals or value in ("1", "true"):
        return True
    if value in ("0", "false"):
        return False
    raise InvalidInput(f"invalid value for {key}: {value}")


def _tmpfs_size(value: str) -> int:
    try:
        return memory_size(value)
    except InvalidInput:
        raise InvalidInput(f"invalid value for tmpfs-size: {value}") from None
