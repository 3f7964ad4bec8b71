"""Volumes: made with a container, filled from its image, kept when it goes, and a container's mounts resolved to paths.

A volume is VOLUMES/NAME/_data. An anonymous one has a name that follows from its container and target, so that it needs
no record to be found again.
"""

from __future__ import annotations

import os
import posixpath
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from engine.containers import merged
from engine.errors import Conflict, InvalidInput, NotFound, StoreError
from engine.frozen import dataclass, replace
from engine.images import store
from engine.images.trees import remove_tree
from engine.models import Image, ImageConfig, Mount
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database
from engine.state.locks import lock

PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
_TMPFS_FLAGS = frozenset(
    "exec noexec suid nosuid dev nodev ro rw sync async dirsync atime noatime diratime nodiratime relatime norelatime "
    "strictatime nostrictatime private rprivate shared rshared slave rslave".split()
)
_TMPFS_KEYS = frozenset("size mode uid gid nr_inodes nr_blocks mpol".split())


@dataclass(frozen=True, slots=True)
class ResolvedMount:
    """One mount as config.json takes it. `kind`: bind, volume, tmpfs; `type` and `options` as mount(8) names them."""

    destination: str
    type: str
    source: str
    options: tuple[str, ...]
    kind: str
    volume: str = ""  # name, if kind is volume


def create(
    settings: Settings, database: Database, container_id: str, mounts: Sequence[Mount], image: Image
) -> list[ResolvedMount]:
    """Make the volumes a container asks for, and those its image declares, and record that it uses them.

    An empty volume takes over what the image has at its target, unless `nocopy` is set.
    Raises: InvalidInput for mounts that make no sense, StoreError if a volume cannot be made or filled.
    """
    wanted = _all(mounts, image.config)
    layers = store.lower_directories(image)
    for mount in wanted:
        if mount.kind == "volume":
            name = mount.source or anonymous_name(container_id, mount.target)
            with lock(settings, "volume", name):
                make(settings, database, name, container_id, anonymous=not mount.source)
                if "nocopy" not in mount.options:
                    _fill(settings, name, layers, mount.target)
    return resolve(settings, container_id, mounts, image.config)


def resolve(settings: Settings, container_id: str, mounts: Sequence[Mount], image: ImageConfig) -> list[ResolvedMount]:
    """The mounts of a container as paths on the host. A bind source with option `create` is made if it is missing.

    Raises: InvalidInput in Docker's words.
    """
    resolved = []
    for mount in _all(mounts, image):
        if mount.kind == "tmpfs":
            options = _tmpfs_options(mount)
            resolved.append(ResolvedMount(mount.target, "tmpfs", "tmpfs", options, "tmpfs"))
            continue
        flags = ["bind" if "nonrecursive" in mount.options else "rbind"]
        if mount.read_only:
            flags.append("ro")
        flags.append(next((option for option in mount.options if option in PROPAGATION), "rprivate"))
        if mount.kind == "bind":
            _check_source(mount)
            resolved.append(ResolvedMount(mount.target, "bind", mount.source, tuple(flags), "bind"))
        else:
            name = mount.source or anonymous_name(container_id, mount.target)
            resolved.append(
                ResolvedMount(mount.target, "bind", str(data_directory(settings, name)), tuple(flags), "volume", name)
            )
    return resolved


def effective(container_id: str, mounts: Sequence[Mount], image: ImageConfig) -> list[Mount]:
    """The mounts a container has, the image's volumes among them, each volume with its name."""
    return [
        replace(mount, source=mount.source or anonymous_name(container_id, mount.target))
        if mount.kind == "volume"
        else mount
        for mount in _all(mounts, image)
    ]


def host_path(settings: Settings, mount: Mount) -> str:
    """Where on the host the content of an effective mount is; empty for a tmpfs."""
    if mount.kind == "volume":
        return str(data_directory(settings, mount.source))
    return mount.source if mount.kind == "bind" else ""


def data_directory(settings: Settings, name: str) -> Path:
    """Where the content of a volume is. Raises: InvalidInput for a name that would become a path."""
    return settings.volumes / validate(name) / "_data"


def anonymous_name(container_id: str, target: str) -> str:
    """64 hex digits, as Docker's anonymous volumes have."""
    import hashlib

    return hashlib.sha256(f"{container_id} {target}".encode("utf-8", "surrogateescape")).hexdigest()


def validate(name: str) -> str:
    """Raises: InvalidInput in Docker's words."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return name


def remove_anonymous(settings: Settings, database: Database, container_id: str) -> None:
    """Remove the anonymous volumes that only this container used. Safe to repeat."""
    rows = database.query(
        "SELECT volumes.name FROM volumes JOIN container_volumes ON volume = name "
        "WHERE anonymous = 1 AND container_id = ?",
        (container_id,),
    )
    for row in rows:
        with lock(settings, "volume", row["name"]):
            with database.transaction() as connection:
                connection.execute(
                    "DELETE FROM container_volumes WHERE container_id = ? AND volume = ?", (container_id, row["name"])
                )
                used = connection.execute("SELECT 1 FROM container_volumes WHERE volume = ?", (row["name"],)).fetchone()
                if used:
                    continue
                connection.execute("DELETE FROM volumes WHERE name = ?", (row["name"],))
            _delete(settings, row["name"])
            _emit(settings, "destroy", row["name"])


def clear_up(settings: Settings, database: Database, name: str) -> None:
    """Finish what a command that was killed had begun with a volume: no half-made copy stays, nor one without a row.

    Raises: Conflict while another command is at work on it.
    """
    with lock(settings, "volume", name, blocking=False):
        directory = data_directory(settings, name).parent
        _clear_away(directory / "_staging")
        if not database.query("SELECT 1 FROM volumes WHERE name = ?", (name,)):
            _delete(settings, name)


def sweep(settings: Settings) -> None:
    """After a reboot: what removals and copies that were broken off have left of their own."""
    for directory in settings.volumes.iterdir():
        if directory.name.startswith("."):
            _clear_away(directory)
        else:
            _clear_away(directory / "_staging")


def remove(settings: Settings, database: Database, name: str) -> None:
    """Remove a volume with all it holds. Raises: NotFound, and Conflict while a container uses it.

    Its row goes first: a volume that is still listed after a crash has all its files.
    """
    with lock(settings, "volume", name):
        with database.transaction() as connection:
            if connection.execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone() is None:
                raise NotFound(f"get {name}: no such volume")
            users = connection.execute(
                "SELECT container_id FROM container_volumes WHERE volume = ?", (name,)
            ).fetchall()
            if users:
                names = ", ".join(row["container_id"] for row in users)
                raise Conflict(f"remove {name}: volume is in use - [{names}]", hint="remove the container first")
            connection.execute("DELETE FROM volumes WHERE name = ?", (name,))
        try:
            _delete(settings, name)
        except StoreError:
            enter(database, name)  # its files are all there
            raise
    _emit(settings, "destroy", name)


def _all(mounts: Sequence[Mount], image: ImageConfig) -> list[Mount]:
    """The user's mounts with clean targets, and the image's volumes that none of them covers."""
    result: dict[str, Mount] = {}
    for mount in mounts:
        target = _clean_target(mount.target)
        if target in result:
            raise InvalidInput(f"Duplicate mount point: {target}")
        if mount.kind not in ("bind", "volume", "tmpfs"):
            raise InvalidInput(f'mount type unknown: "{mount.kind}"')
        if mount.kind == "volume" and mount.source:
            validate(mount.source)
        result[target] = Mount(mount.kind, target, mount.source, mount.read_only, mount.options)
    for volume in image.volumes:
        target = _clean_target(volume)
        result.setdefault(target, Mount("volume", target))
    return list(result.values())


def _clean_target(target: str) -> str:
    if not target.startswith("/") or "\0" in target:
        raise InvalidInput(f"invalid mount path: '{target}' mount path must be absolute")
    clean = "/" + posixpath.normpath(target).lstrip("/")
    if clean == "/":
        raise InvalidInput("invalid specification: destination can't be '/'")
    return clean


def _check_source(mount: Mount) -> None:
    if not mount.source.startswith("/") or "\0" in mount.source:
        raise InvalidInput(
            f"invalid mount config for type \"bind\": invalid mount path: '{mount.source}' mount path must be absolute"
        )
    if os.path.lexists(mount.source):
        return
    if "create" not in mount.options:
        raise InvalidInput(
            f'invalid mount config for type "bind": bind source path does not exist: {mount.source}',
            hint="-v makes a missing directory, --mount does not",
        )
    try:
        Path(mount.source).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"error while creating mount source path '{mount.source}': {error.strerror}") from error


def _tmpfs_options(mount: Mount) -> tuple[str, ...]:
    """Docker's defaults, of which each can be taken back by its opposite."""
    options = dict.fromkeys(("noexec", "nosuid", "nodev", "rprivate"))
    for option in (*mount.options, *(("ro",) if mount.read_only else ())):
        key, found, value = option.partition("=")
        if (key not in _TMPFS_KEYS or not value) if found else key not in _TMPFS_FLAGS:
            words = f'["{key}" "{value}"]' if found else f'["{key}"]'
            raise InvalidInput(f"invalid tmpfs option {words}", hint="such as size=64m, mode=1777, exec, ro")
        if not found and key in PROPAGATION:
            options.pop("rprivate", None)
        options.pop(f"no{key}" if not key.startswith("no") else key[2:], None)
        options[option] = None
    return tuple(options)


def make(settings: Settings, database: Database, name: str, container_id: str = "", *, anonymous: bool) -> None:
    """A volume, if there is none of that name, for the holder of its lock; `container_id` is who uses it, if anyone.

    The directory, and in one transaction the volume and its user: an anonymous one without a user would stay.
    """
    directory = data_directory(settings, name)
    try:
        settings.volumes.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the volume {name}: {error.strerror}: {directory}") from error
    with database.transaction() as connection:
        made = connection.execute(
            "INSERT INTO volumes (name, created, anonymous) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (name, time.time(), int(anonymous)),
        ).rowcount
        if container_id:
            connection.execute(
                "INSERT INTO container_volumes (container_id, volume) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (container_id, name),
            )
    if made == 1:
        _emit(settings, "create", name)


def _fill(settings: Settings, name: str, layers: Sequence[str], target: str) -> None:
    """Copy what the image has at `target` into an empty volume, owner and mode of the directory itself included.

    The copy is made beside the volume and moved into its place whole, so a crash leaves it empty and not half full.
    """
    directory = data_directory(settings, name)
    staging = directory.with_name("_staging")
    try:
        if any(directory.iterdir()) or not layers:
            return
        with merged.Tree(layers) as tree:
            entry = tree.lookup(target)
            if entry is None:
                return
            if not entry.is_directory:
                raise InvalidInput(f"cannot mount volume over existing file, file exists {target}")
            from engine.containers import copying

            _clear_away(staging)
            copying.copy_directory(tree, entry, str(staging))
        if _is_used_elsewhere(directory):
            return
        staging.rename(directory)
    except OSError as error:
        raise StoreError(f"failed to copy the image's {target} to the volume {name}: {error.strerror}") from error
    finally:
        _clear_away(staging)


def _is_used_elsewhere(directory: Path) -> bool:
    """Did another container, which runs on this volume, write to it meanwhile?"""
    return any(directory.iterdir())


def _emit(settings: Settings, action: str, name: str) -> None:
    """Tell every follower of the event stream."""
    events.append(str(settings.journal), "volume", action, name, name, {"driver": "local"})


def _delete(settings: Settings, name: str) -> None:
    directory = data_directory(settings, name).parent
    doomed = directory.with_name(f".{name}.removed")
    try:
        directory.rename(doomed)
    except FileNotFoundError:
        pass  # an earlier removal came this far
    except OSError as error:
        raise StoreError(f"cannot remove the volume {name}: {error.strerror}: {directory}") from error
    _clear_away(doomed)


def enter(database: Database, name: str) -> None:
    """Write down a volume of which only the files are known: named, so that no prune takes it unasked."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO volumes (name, created, anonymous) VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
            (name, time.time()),
        )


def names(database: Database) -> Iterable[str]:
    """Every volume's name, sorted."""
    return [row["name"] for row in database.query("SELECT name FROM volumes ORDER BY name")]


def _clear_away(directory: Path) -> None:
    """The tree at `directory`, as far as that can be done."""
    with suppress(OSError):
        above = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(above, directory.name)
        finally:
            os.close(above)
