"""A bundle as a monitor gets it: config.json, monitor.json and the compiled seccomp filter, read by the engine."""

from __future__ import annotations

import marshal
import os

from engine.errors import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.settings import Settings


class Bundle:
    """`config` is the runtime-spec document, `monitor` what it has no place for; `seccomp` is empty for no filter."""

    __slots__ = ("config", "container_dir", "monitor", "run_dir", "seccomp")

    def __init__(
        self, config: dict[str, Any], monitor: dict[str, Any], seccomp: bytes, container_dir: str, run_dir: str
    ) -> None:
        self.config, self.monitor, self.seccomp = config, monitor, seccomp
        self.container_dir, self.run_dir = container_dir, run_dir

    @property
    def terminal(self) -> bool:
        return bool(self.config["process"].get("terminal"))

    def dump(self) -> bytes:
        """For `load` in a monitor of the same interpreter version."""
        return marshal.dumps([getattr(self, name) for name in self.__slots__])

    @classmethod
    def load(cls, packed: bytes) -> Bundle:
        bundle = cls.__new__(cls)
        for name, value in zip(cls.__slots__, marshal.loads(packed), strict=True):
            setattr(bundle, name, value)
        return bundle


def read_document(container_dir: str, name: str) -> dict[str, Any]:
    """One JSON document of a bundle. Raises RuntimeFailure (stage "bundle")."""
    import json

    path = os.path.join(container_dir, name)
    try:
        with open(path, "rb") as file:
            return dict(json.load(file))
    except (OSError, ValueError) as error:
        raise RuntimeFailure(f"cannot read {path}: {error}", stage="bundle") from error


def read(settings: Settings, container_id: str) -> Bundle:
    """Read a container's bundle and compile its seccomp profile.

    Raises RuntimeFailure (stage "bundle") when it is not there or not readable.
    """
    directory = os.fspath(settings.container_dir(container_id))
    config, monitor = (read_document(directory, name) for name in ("config.json", "monitor.json"))
    profile = config.get("linux", {}).pop("seccomp", None)
    program = b""
    if profile:
        from engine.runtime import seccomp

        program = seccomp.compiled(profile, os.uname().machine, os.fspath(settings.run / "seccomp"))
    return Bundle(config, monitor, program, directory, os.fspath(settings.run_dir(container_id)))
