"""`--security-opt`: what the options of a container say about seccomp, privileges and masked paths."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import InvalidInput
from engine.frozen import dataclass
from engine.runtime import seccomp_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAXIMUM_PROFILE = 4 << 20  # bytes; Docker's own default profile has 13 KB


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`seccomp` is empty for the default profile, "unconfined", or a path. `apparmor` is empty unless asked for."""

    seccomp: str = ""
    apparmor: str = ""
    no_new_privileges: bool = False
    system_paths_unconfined: bool = False


def parse(options: Iterable[str]) -> SecurityOptions:
    """Read the options, `key=value` or (older) `key:value`. SELinux labels are taken and have no effect.

    Raises: InvalidInput in Docker's words.
    """
    seccomp = apparmor = ""
    no_new_privileges = unconfined = False
    for option in options:
        separator = "=" if "=" in option else ":"
        key, found, value = option.partition(separator)
        if key == "no-new-privileges" and value in ("", "true", "false"):
            no_new_privileges = value != "false"
        elif not found or not value:
            raise InvalidInput(f'invalid --security-opt: "{option}"')
        elif key == "seccomp":
            seccomp = "" if value == "builtin" else value
        elif key == "apparmor":
            apparmor = value
        elif key == "systempaths" and value == "unconfined":
            unconfined = True
        elif key != "label":
            raise InvalidInput(
                f'invalid --security-opt: "{option}"',
                hint="known are seccomp, apparmor, no-new-privileges, systempaths and label",
            )
    return SecurityOptions(seccomp, apparmor, no_new_privileges, unconfined)


def seccomp_filter(
    options: SecurityOptions, capabilities: Iterable[str], *, privileged: bool = False, architecture: str = ""
) -> dict[str, Any] | None:
    """The runtime-spec `linux.seccomp` of a container, or None for no filter. A privileged container has one only if it
    is named.

    Raises: InvalidInput if a profile cannot be read.
    """
    machine = architecture or os.uname().machine
    if options.seccomp == "unconfined" or (privileged and not options.seccomp):
        return None
    if not options.seccomp:
        return seccomp_profile.default_profile(capabilities, machine)
    return read_profile(options.seccomp, capabilities, machine)


def read_profile(path: str, capabilities: Iterable[str], architecture: str) -> dict[str, Any]:
    """A profile in Docker's JSON format, as runtime-spec `linux.seccomp` for these capabilities and this machine."""
    from engine.runtime import seccomp_docker

    try:
        with Path(path).open("rb") as file:
            text = file.read(MAXIMUM_PROFILE + 1)
    except OSError as error:
        raise InvalidInput(f"opening seccomp profile ({path}) failed: {error.strerror}") from error
    if len(text) > MAXIMUM_PROFILE:
        raise InvalidInput(f"seccomp profile {path} is larger than {MAXIMUM_PROFILE} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"decoding seccomp profile ({path}) failed: {error}") from error
    return seccomp_docker.translate(document, capabilities, architecture, name=path)
