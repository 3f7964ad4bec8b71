"""`exec`: the user's options and the container's own process, made into one more process."""

from __future__ import annotations

from engine.containers import spec, users
from engine.containers.records import Record
from engine.errors import Conflict, InvalidInput
from engine.images import store
from engine.runtime import capabilities
from engine.runtime.execute import ExecSpec, container_process
from engine.runtime.execute import execute as run_in_container
from engine.runtime.status import status
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.runtime.attachment import Attachment


def execute(
    settings: Settings,
    database: Database,
    record: Record,
    command: tuple[str, ...],
    *,
    tty: bool,
    interactive: bool,
    env: tuple[str, ...],
    user: str,
    working_dir: str,
    privileged: bool,
) -> Attachment:
    """Run `command` in a running container, by Docker's rules for what it inherits.

    Raises Conflict if the container does not run, InvalidInput, CommandNotFound, CommandNotExecutable.
    """
    now = status(settings, record.id)
    if not now.running:
        raise Conflict(f"Container {record.id} is not running", hint=f"`pilothouse start {record.name}` starts it")
    if not command:
        raise InvalidInput("No exec command specified")
    if working_dir and not working_dir.startswith("/"):
        raise InvalidInput(f"the working directory '{working_dir}' is invalid, it needs to be an absolute path")
    image = store.image_of_container(settings, database, record.image_id)
    process = container_process(settings, record.id)
    variables = dict(entry.partition("=")[::2] for entry in process["env"])
    if tty:
        variables.setdefault("TERM", "xterm")
    if user:
        # the container's own files first: an account may have been added since it was started
        layers = [str(settings.container_dir(record.id) / "upper"), *store.lower_directories(image)]
        found = users.resolve(layers, user)
        process["user"] = {"uid": found.uid, "gid": found.gid, "additionalGids": list(found.additional_gids)}
        if not any(entry.startswith("HOME=") for entry in (*record.options.env, *image.config.env)):
            variables["HOME"] = found.home
    granted = capabilities.chosen((), (), privileged=True) if privileged else process["capabilities"]["bounding"]
    process["capabilities"] = spec.process_capabilities(granted, process["user"]["uid"])
    variables.update(entry.partition("=")[::2] for entry in env)
    process |= {
        "args": list(command),
        "terminal": tty,
        "env": [f"{name}={value}" for name, value in variables.items()],
        "cwd": working_dir or process["cwd"],
    }
    attachment = run_in_container(settings, record.id, ExecSpec(process, stdin=interactive, unconfined=privileged))
    told = {"image": record.image, "command": " ".join(command)}
    events.append(str(settings.journal), "container", "exec_start", record.id, record.name, told)
    return attachment
