"""A seccomp profile in Docker's JSON format, made into runtime-spec `linux.seccomp` for one container and machine.

The format adds to the runtime-spec: `archMap`, and `includes`/`excludes` by capability, architecture and kernel.
Source: Docker's documentation, "Seccomp security profiles for Docker".
"""

from __future__ import annotations

import os
import re

from engine.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


def translate(document: Any, capabilities: Iterable[str], architecture: str, *, name: str = "") -> dict[str, Any]:
    """Raises: InvalidInput for a document that is not a profile; `name` says which one it was."""
    if not isinstance(document, dict):
        raise InvalidInput(f"seccomp profile {name}: not a JSON object")
    if not isinstance(document.get("defaultAction"), str):
        raise InvalidInput(f"seccomp profile {name}: defaultAction is missing")
    held = set(capabilities)
    machine = _GO_ARCHITECTURES.get(architecture, architecture)
    syscalls = []
    for entry in _list(document, "syscalls", name):
        if not isinstance(entry, dict) or not isinstance(entry.get("action"), str):
            raise InvalidInput(f"seccomp profile {name}: a rule without an action")
        if not _applies(entry, held, machine, name):
            continue
        names = _list(entry, "names", name) or ([entry["name"]] if entry.get("name") else [])
        if not names:
            raise InvalidInput(f"seccomp profile {name}: a rule without names")
        rule = {"names": [str(each) for each in names], "action": entry["action"]}
        if entry.get("errnoRet") is not None:
            rule["errnoRet"] = _integer(entry["errnoRet"], name)
        if args := _list(entry, "args", name):
            rule["args"] = [_argument(argument, name) for argument in args]
        syscalls.append(rule)
    result: dict[str, Any] = {
        "defaultAction": document["defaultAction"],
        "architectures": _architectures(document, architecture, name),
        "syscalls": syscalls,
    }
    if document.get("defaultErrnoRet") is not None:
        result["defaultErrnoRet"] = _integer(document["defaultErrnoRet"], name)
    return result


def _architectures(document: dict[str, Any], architecture: str, name: str) -> list[str]:
    if listed := _list(document, "architectures", name):
        if document.get("archMap"):
            raise InvalidInput(
                f"seccomp profile {name}: 'architectures' and 'archMap' were specified in the seccomp profile, "
                "use either 'architectures' or 'archMap'"
            )
        return [str(each) for each in listed]
    native = _NATIVE.get(architecture, "")
    for entry in _list(document, "archMap", name):
        if isinstance(entry, dict) and entry.get("architecture") == native:
            return [native, *(str(each) for each in _list(entry, "subArchitectures", name))]
    return [native] if native else []


def _applies(entry: dict[str, Any], held: set[str], machine: str, name: str) -> bool:
    wanted, unwanted = entry.get("includes") or {}, entry.get("excludes") or {}
    if not isinstance(wanted, dict) or not isinstance(unwanted, dict):
        raise InvalidInput(f"seccomp profile {name}: includes and excludes must be objects")
    arches, capabilities = _list(wanted, "arches", name), _list(wanted, "caps", name)
    if arches and machine not in arches:
        return False
    if any(capability not in held for capability in capabilities):
        return False
    if (minimum := wanted.get("minKernel")) and _kernel(str(minimum)) > _kernel(os.uname().release):
        return False
    if machine in _list(unwanted, "arches", name):
        return False
    if any(capability in held for capability in _list(unwanted, "caps", name)):
        return False
    return not ((minimum := unwanted.get("minKernel")) and _kernel(str(minimum)) <= _kernel(os.uname().release))


def _argument(argument: Any, name: str) -> dict[str, Any]:
    if not isinstance(argument, dict):
        raise InvalidInput(f"seccomp profile {name}: an argument is not an object")
    return {
        "index": _integer(argument.get("index", 0), name),
        "value": _integer(argument.get("value", 0), name),
        "valueTwo": _integer(argument.get("valueTwo", 0), name),
        "op": str(argument.get("op", "")),
    }


def _list(document: dict[str, Any], key: str, name: str) -> list[Any]:
    value = document.get(key) or []
    if not isinstance(value, list):
        raise InvalidInput(f"seccomp profile {name}: {key} must be a list")
    return value


def _integer(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"seccomp profile {name}: {value!r} must be a whole number")
    return value


def _kernel(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
