"""One more command in a running container: docker-exec(1)."""

from __future__ import annotations

import os

from engine.errors import Conflict, RuntimeFailure
from engine.frozen import dataclass
from engine.runtime import bundle as bundles
from engine.runtime import control, failure, protocol
from engine.runtime.attachment import Attachment
from engine.runtime.status import status
from engine.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX = "OCI runtime exec failed"  # the words Docker's users grep for


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """What to run.

    `process` is a runtime-spec `process` object: terminal, args, env, cwd, user, capabilities, noNewPrivileges,
    rlimits, consoleSize ... `container_process` gives the container's own to begin with.
    """

    process: dict[str, Any]
    stdin: bool = False
    unconfined: bool = False  # without the container's seccomp filter


def container_process(settings: Settings, container_id: str) -> dict[str, Any]:
    """The `process` object of the container's init, from its config.json. Raises RuntimeFailure."""
    return dict(bundles.read_document(os.fspath(settings.container_dir(container_id)), "config.json")["process"])


def execute(settings: Settings, container_id: str, spec: ExecSpec) -> Attachment:
    """Run a command in the container's namespaces and cgroup; returns when it executes.

    Close the attachment to leave it running in the background. Raises Conflict if the container does not run or is
    paused, CommandNotFound, CommandNotExecutable, RuntimeFailure.
    """
    if status(settings, container_id).paused:
        raise Conflict(f"Container {container_id} is paused, unpause the container before exec")
    connection = control.connect(settings, container_id)
    if connection is None:
        raise Conflict(f"Container {container_id} is not running")
    question = protocol.frame(protocol.EXECUTE, spec.process, spec.stdin, b"" if spec.unconfined else None)
    packet = control.ask(connection, question, protocol.STARTED + protocol.FAILED)
    if packet[:1] == protocol.STARTED:
        pid, _, tty = protocol.values(packet)
        return Attachment(container_id, connection, pid, tty=tty, stdin=spec.stdin)
    connection.close()
    if packet[:1] == protocol.FAILED:
        failure.raise_from(packet, PREFIX)
    raise RuntimeFailure(f"{PREFIX}: container {container_id} ended", stage="exec")
