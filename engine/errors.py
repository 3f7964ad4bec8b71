"""Every failure the engine reports: what happened, to what, and what to do next."""

from __future__ import annotations


class EngineError(Exception):
    """A failure the user can understand. `str()` is one sentence; `hint` says what to do about it.

    `exit_code` is what the command line ends with (docker-run(1), "EXIT STATUS"; 1 for the other verbs).
    `container_id` is that of a container which was created on the way and is still there.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.container_id = ""


class InvalidInput(EngineError):
    """An argument, option, file or reference that cannot be read as what it should be."""


class NotFound(EngineError):
    """No such container, image, exec or network."""


class AmbiguousName(EngineError):
    """An ID prefix that fits several objects."""


class Conflict(EngineError):
    """The object's state, or another object, stands in the way: name in use, image in use, container running."""


class PortTaken(Conflict):
    """A host port of a requested mapping is in use."""

    exit_code = 125

    def __init__(self, host_ip: str, host_port: int, protocol: str, holder: str = "", free: int = 0) -> None:
        who = f" (held by {holder})" if holder else ""
        super().__init__(
            f"Bind for {host_ip}:{host_port} failed: port is already allocated{who}",
            hint=f"host port {free}/{protocol} is free" if free else "",
        )
        self.host_port, self.protocol, self.holder, self.free = host_port, protocol, holder, free


class PermissionNeeded(EngineError):
    """The engine needs root (or a capability) for this."""


class Unsupported(EngineError):
    """The kernel, the platform or this version lacks a feature."""


class StoreError(EngineError):
    """The store cannot be read or written: disk full, read-only, damaged."""


class RegistryError(EngineError):
    """The registry could not be reached, or answered with an error or with nonsense."""


class Unauthorized(RegistryError):
    """The registry wants (other) credentials."""


class VerificationFailed(RegistryError):
    """A digest, size or diff ID is not what it should be: damaged or forged content."""


class BadImage(EngineError):
    """A manifest, config or layer that breaks the image-spec or tries to leave its snapshot."""


class RuntimeFailure(EngineError):
    """A container could not be created or started; `stage` names the step that failed."""

    exit_code = 125

    def __init__(self, message: str, *, stage: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.stage = stage


class CommandNotExecutable(RuntimeFailure):
    """The command exists in the container and cannot be executed."""

    exit_code = 126


class CommandNotFound(RuntimeFailure):
    """The command does not exist in the container."""

    exit_code = 127


class NetworkError(EngineError):
    """A link, address, route, rule or namespace could not be made."""

    exit_code = 125
