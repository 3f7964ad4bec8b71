"""The life of a container: create, start, stop, finish, remove. What one step makes, its counterpart here undoes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from engine.containers import names, records, spec, volumes
from engine.containers.prepare import prepare
from engine.containers.records import Record
from engine.errors import Conflict, EngineError, InvalidInput, NotFound, StoreError
from engine.frozen import replace
from engine.images import store
from engine.images.trees import remove_tree
from engine.models import Endpoint, PortMapping, RunOptions
from engine.network import endpoints, ports
from engine.runtime import control, launch
from engine.runtime.status import status
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from engine.runtime.attachment import Attachment
    from engine.runtime.forkserver import ForkServer
    from engine.runtime.spawn import Waiting

    Started = TypeVar("Started")

NAME_TRIES = 20
DIRECTORIES = ("upper", "work", "rootfs", "log", "etc")  # of a container


def new_id() -> str:
    """64 random hex digits, as Docker's container IDs."""
    return os.urandom(32).hex()


def create(settings: Settings, database: Database, options: RunOptions, *, container_id: str = "") -> Record:
    """Make a container of an image that is in the store; nothing of it runs yet.

    Raises NotFound (image), Conflict (name), InvalidInput (options), StoreError.
    """
    image = store.image(settings, database, options.image)
    stop_signal = options.stop_signal or image.config.stop_signal or "SIGTERM"
    signal_number(stop_signal)
    spec.check(options, image.config)
    if options.name:
        names.validate(options.name)
    record = Record(
        id=container_id or new_id(),
        name=options.name,
        image=store.familiar(options.image),
        image_id=image.id,
        command=spec.command_of(options, image.config),
        options=options,
        created=time.time(),
        stop_signal=stop_signal,
        stop_timeout=10.0 if options.stop_timeout is None else options.stop_timeout,
    )
    has_volumes = bool(options.mounts or image.config.volumes)
    with lock(settings, "container", record.id), ExitStack() as undo:
        undo.callback(remove_directories, settings, record.id)
        make_directories(settings, record.id)
        record = _insert(database, replace(record, removing=has_volumes, removing_volumes=has_volumes))
        undo.callback(records.delete, database, record.id)
        if has_volumes:
            undo.callback(volumes.remove_anonymous, settings, database, record.id)
            volumes.create(settings, database, record.id, options.mounts, image)
            records.mark_complete(database, record.id)
            record = replace(record, removing=False, removing_volumes=False)
        undo.pop_all()
    emit(settings, record, "create", image=record.image)
    return record


def run(
    settings: Settings, database: Database, options: RunOptions, start: Callable[..., Started], waiting: Waiting
) -> tuple[Record, Started]:
    """Create a container and start it by `start` or `start_attached`: the record, and what that returns.

    `waiting` is a monitor that was begun for an ID of its own: the container gets that.

    A host port that is taken is refused before anything is created. Raises as `create` and `start`; with `--rm`
    nothing is left then, else the error has the container's ID.
    """
    container_id = waiting.container_id
    # held to the end: whoever finds a free lock of this kind has found a run that was killed half-way
    with lock(settings, "run", container_id):
        reserved = reserve_ports(settings, database, container_id, options)
        try:
            record = create(settings, database, options, container_id=container_id)
            try:
                return record, start(settings, database, record, reserved, waiting)
            except BaseException as error:
                if options.remove:
                    with suppress(NotFound):  # someone else was faster
                        remove(settings, database, record, force=True, with_volumes=True)
                elif isinstance(error, EngineError):
                    error.container_id = record.id
                raise
        except BaseException:
            disconnect(settings, database, container_id)
            raise


def start(
    settings: Settings,
    database: Database,
    record: Record,
    reserved: tuple[PortMapping, ...] | None = None,
    waiting: Waiting | None = None,
    forks: ForkServer | None = None,
) -> None:
    """Start a container in the background. One that runs is left as it is.

    `reserved`: the host ports that were set aside for it by `reserve_ports`; None to do so now. `waiting`: the monitor
    that was begun for it; None to do so now, by `forks` if the engine lasts.
    Raises PortTaken, NetworkError, RuntimeFailure, CommandNotFound, CommandNotExecutable.
    """
    with lock(settings, "container", record.id) as held:
        if _started(settings, record):
            return
        with _ready_to_launch(settings, database, record, reserved, waiting, forks) as monitor:
            launch.start(settings, record.id, monitor, held=held.fileno())


def start_attached(
    settings: Settings,
    database: Database,
    record: Record,
    reserved: tuple[PortMapping, ...] | None = None,
    waiting: Waiting | None = None,
    forks: ForkServer | None = None,
) -> Attachment:
    """Start a container with its output (and input, if it was created interactive) in the caller's hands from the first
    byte. Raises as `start`, and Conflict if it runs already."""
    with lock(settings, "container", record.id) as held:
        if _started(settings, record):
            raise Conflict(
                f"container {record.name} is already running", hint=f"`pilothouse attach {record.name}` joins it"
            )
        with _ready_to_launch(settings, database, record, reserved, waiting, forks) as monitor:
            stdin = record.options.interactive
            return launch.start_attached(settings, record.id, monitor, stdin=stdin, held=held.fileno())


def reserve_ports(
    settings: Settings, database: Database, container_id: str, options: RunOptions
) -> tuple[PortMapping, ...]:
    """Set aside the host ports that `options` ask for, choosing the ones they leave open. Raises PortTaken."""
    wanted = wanted_ports(settings, database, options)
    return ports.reserve(settings, database, container_id, wanted) if wanted else ()


def wanted_ports(settings: Settings, database: Database, options: RunOptions) -> tuple[PortMapping, ...]:
    """The mappings that `options` ask for, those that `-P` stands for among them."""
    wanted = options.ports
    if options.publish_all:
        published = {(mapping.container_port, mapping.protocol) for mapping in wanted}
        for exposed in store.image(settings, database, options.image).config.exposed_ports:
            number, _, protocol = exposed.partition("/")
            if (int(number), protocol or "tcp") not in published:
                wanted = (*wanted, PortMapping(int(number), protocol=protocol or "tcp"))
    return wanted


def stop(
    settings: Settings, database: Database, record: Record, grace: float | None = None, signal_name: str = ""
) -> None:
    """Ask init to end with a signal (default: the container's own), and after `grace` seconds (default: its stop
    timeout) kill it.

    A negative grace waits for ever. A container that does not run is left as it is. Raises InvalidInput for an unknown
    signal. Source: docker-stop(1).
    """
    if _started(settings, record):
        end(settings, record, grace, signal_name)
        finish(settings, database, record.id)
        emit(settings, record, "stop")


def end(settings: Settings, record: Record, grace: float | None, signal_name: str = "") -> None:
    """The stop signal, the grace, the kill; returns when init is gone."""
    seconds = record.stop_timeout if grace is None else grace
    number = signal_number(signal_name or record.stop_signal)
    try:
        _unpause_if_paused(settings, record)
        if seconds:
            control.kill(settings, record.id, number, by_user=True)
    except Conflict:
        return  # it has ended by itself at this moment
    if not seconds or not control.wait_for_exit(settings, record.id, None if seconds < 0 else seconds):
        _end_now(settings, record)


def kill(settings: Settings, record: Record, name: str) -> None:
    """Send a signal to init; one that is to end it thaws a paused container, as with Docker.

    Raises Conflict if the container does not run, InvalidInput for an unknown signal.
    """
    number = signal_number(name)
    if not status(settings, record.id).running:
        raise Conflict(f"Cannot kill container: {record.name}: container {record.id} is not running")
    ends = number in (signal.SIGKILL, signal_number(record.stop_signal))
    control.kill(settings, record.id, number, by_user=ends)
    if ends:
        _unpause_if_paused(settings, record)
    emit(settings, record, "kill", signal=str(number))


def _unpause_if_paused(settings: Settings, record: Record) -> None:
    """A frozen init cannot act on a signal: thaw it first, as Docker does."""
    if status(settings, record.id).paused:
        with suppress(Conflict):  # somebody else has just done so
            control.unpause(settings, record.id)


def finish(settings: Settings, database: Database, container_id: str) -> None:
    """Take down what a container that has ended leaves behind: its network, and with `--rm` itself.

    Safe to repeat, and for a container that has been started again or removed meanwhile: then nothing happens.
    """
    with lock(settings, "container", container_id):
        record = records.entered(database, container_id)
        if record is None or _started(settings, record):
            return
        disconnect(settings, database, container_id)
        if record.options.remove and status(settings, container_id).finished:
            remove_held(settings, database, record, with_volumes=True)


def remove(
    settings: Settings, database: Database, record: Record, *, force: bool = False, with_volumes: bool = False
) -> None:
    """Delete a container and its files.

    Raises Conflict when it runs and `force` is not set, NotFound when someone else has just removed it.
    """
    while True:
        if _started(settings, record):
            if not force:
                raise _running(settings, record)
            _end_now(settings, record)
        with lock(settings, "container", record.id):
            record = records.again(database, record)
            if not _started(settings, record):
                remove_held(settings, database, record, with_volumes=with_volumes or record.removing_volumes)
                return
            # it was started while we waited for the lock


def _running(settings: Settings, record: Record) -> Conflict:
    state = "paused" if status(settings, record.id).paused else "running"
    hint = "unpause and then stop the container" if state == "paused" else "stop the container"
    return Conflict(
        f'cannot remove container "{record.name}": container is {state}: {hint} before removing or force remove',
        hint=f"`pilothouse rm -f {record.name}` stops and removes it",
    )


def _end_if_started(settings: Settings, record: Record) -> None:
    if _started(settings, record):
        _end_now(settings, record)


def _end_now(settings: Settings, record: Record) -> None:
    try:
        _unpause_if_paused(settings, record)
        control.kill(settings, record.id, int(signal.SIGKILL), by_user=True)
    except Conflict:
        return  # it has just ended by itself
    control.wait_for_exit(settings, record.id, None)


def signal_number(name: str) -> int:
    """`SIGTERM`, `TERM`, `term` or `15` as a number. Raises InvalidInput in Docker's words."""
    text = str(name).strip().upper()
    if _is_short_number(text) and 0 < int(text) < signal.NSIG:
        return int(text)
    bare = text.removeprefix("SIG")
    if bare.startswith(("RTMIN+", "RTMAX-")) and _is_short_number(bare[6:]):
        number = signal.SIGRTMIN + int(bare[6:]) if bare.startswith("RTMIN") else signal.SIGRTMAX - int(bare[6:])
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    found = signal.__dict__.get(f"SIG{bare}")
    if isinstance(found, signal.Signals):
        return int(found)
    raise InvalidInput(f"Invalid signal: {name}", hint="use a name such as TERM or a number such as 15")


def _is_short_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def emit(settings: Settings, record: Record, action: str, **attributes: str) -> None:
    """Tell every follower of the event stream."""
    events.append(
        str(settings.journal), "container", action, record.id, record.name, {"image": record.image, **attributes}
    )


def exit_command(settings: Settings, container_id: str) -> list[str]:
    """What a monitor runs when its container is over and no engine has said that it cleans up itself."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = f"import sys; sys.path.insert(0, {package!r}); from engine.containers import finish; sys.exit(finish.main())"
    return [sys.executable, "-I", "-c", code, str(settings.root), str(settings.run), container_id]


@contextmanager
def _ready_to_launch(
    settings: Settings,
    database: Database,
    record: Record,
    reserved: tuple[PortMapping, ...] | None,
    waiting: Waiting | None,
    forks: ForkServer | None,
) -> Iterator[Waiting]:
    """The monitor, network, ports and bundle of a container about to start; all undone if the start fails."""
    if records.again(database, record).removing:
        raise Conflict(f"container {record.name} is being removed", hint="create it again")
    with ExitStack() as undo:
        monitor = waiting or undo.enter_context(launch.begin(settings, record.id, forks))
        if reserved is None:
            disconnect(settings, database, record.id)  # what an earlier run may have left
        undo.callback(disconnect, settings, database, record.id)
        undo.callback(_end_if_started, settings, record)  # by ctrl-C at the very last moment
        try:
            if reserved is None:
                reserved = reserve_ports(settings, database, record.id, record.options)
            endpoint = _connect(settings, database, record)
            prepare(settings, database, record, endpoint, exit_command(settings, record.id))
            if endpoint and reserved:
                ports.publish(settings, database, record.id, endpoint, reserved)
            yield monitor
        except EngineError as error:
            records.set_error(database, record.id, error.message)
            raise
        records.set_error(database, record.id, "")
        undo.pop_all()


def _connect(settings: Settings, database: Database, record: Record) -> Endpoint | None:
    if record.options.network == "host":
        return None
    return endpoints.connect(settings, database, record.id, record.options.network)


def disconnect(settings: Settings, database: Database, container_id: str) -> None:
    """Take down a container's place on the network with its port mappings. Safe to repeat."""
    endpoints.disconnect(settings, database, container_id)


def restart(
    settings: Settings,
    database: Database,
    record: Record,
    grace: float | None = None,
    signal_name: str = "",
    forks: ForkServer | None = None,
) -> None:
    """Stop a container as `stop` does if it runs, and start it. `--rm` does not apply in between."""
    if _started(settings, record):
        end(settings, record, grace, signal_name)
        emit(settings, record, "stop")
    start(settings, database, record, forks=forks)
    emit(settings, record, "restart")


def pause(settings: Settings, database: Database, record: Record) -> None:
    """Freeze every process. Raises Conflict if the container does not run or is paused."""
    now = status(settings, record.id)
    if now.paused:
        raise Conflict(f"Container {record.name} is already paused")
    if not now.pid:
        raise Conflict(f"Container {record.name} is not running", hint=f"`pilothouse start {record.name}` starts it")
    control.pause(settings, record.id)
    emit(settings, record, "pause")


def unpause(settings: Settings, database: Database, record: Record) -> None:
    """Let a paused container go on. Raises Conflict if it is not paused."""
    if not status(settings, record.id).paused:
        raise Conflict(f"Container {record.name} is not paused")
    control.unpause(settings, record.id)
    emit(settings, record, "unpause")


def rename(settings: Settings, database: Database, record: Record, name: str) -> None:
    """Give a container another name. Raises Conflict (in use), InvalidInput."""
    names.validate(name)
    records.rename(database, record.id, name)
    emit(settings, replace(record, name=name), "rename", oldName=record.name)


def attach(settings: Settings, record: Record) -> Attachment:
    """Join a running container's stdio. Raises Conflict if it does not run."""
    if not status(settings, record.id).pid:
        raise Conflict(
            "You cannot attach to a stopped container, start it first", hint=f"`pilothouse start -a {record.name}`"
        )
    return control.attach(settings, record.id)


def _started(settings: Settings, record: Record) -> bool:
    return status(settings, record.id).live


def remove_held(settings: Settings, database: Database, record: Record, *, with_volumes: bool) -> None:
    """Delete a container that does not run, under its lock; from the first step on there is no way back."""
    records.mark_removing(database, record.id, with_volumes=with_volumes)
    finish_removal(settings, database, record, with_volumes=with_volumes)


def finish_removal(settings: Settings, database: Database, record: Record, *, with_volumes: bool = False) -> None:
    """The steps of a removal, each safe to repeat: a crash between two of them is finished by the next reconcile."""
    disconnect(settings, database, record.id)
    remove_directories(settings, record.id)
    if with_volumes:
        volumes.remove_anonymous(settings, database, record.id)
    records.delete(database, record.id)
    emit(settings, record, "destroy")
    if database.query("SELECT 1 FROM images WHERE removed = 1 AND id = ?", (record.image_id,)):
        from engine.images import gc

        gc.collect(settings, database)  # its image was removed by force before


def _insert(database: Database, record: Record) -> Record:
    if record.name:
        records.insert(database, record)
        return record
    for _ in range(NAME_TRIES):
        named = replace(record, name=names.random_name())
        try:
            records.insert(database, named)
        except Conflict:
            continue
        return named
    named = replace(record, name=f"{names.random_name()}_{record.id[:6]}")
    records.insert(database, named)
    return named


def make_directories(settings: Settings, container_id: str) -> None:
    """What `remove_directories` removes; those that are there already are left as they are. Raises StoreError."""
    directory = settings.container_dir(container_id)
    try:
        for name in DIRECTORIES:
            (directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        # the container's root directory: what it may be seen as by a user who is not root
        (directory / "upper").chmod(0o755)
    except OSError as error:
        raise StoreError(f"cannot create {directory}: {error.strerror}", hint="check space and permissions") from error


def remove_directories(settings: Settings, container_id: str) -> None:
    for directory in (settings.container_dir(container_id), settings.run_dir(container_id)):
        try:
            above = os.open(directory.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                remove_tree(above, directory.name)
            finally:
                os.close(above)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"cannot remove {directory}: {error.strerror}", hint="try `pilothouse rm` again"
            ) from error
