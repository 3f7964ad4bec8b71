"""Engine: the one object a front end holds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import TracebackType

from engine.containers import records, view
from engine.errors import EngineError, NotFound, PermissionNeeded, StoreError
from engine.frozen import replace
from engine.gait import Gait
from engine.models import (
    Change,
    Container,
    Event,
    FileContent,
    Finding,
    HostInfo,
    Image,
    Listener,
    Loaded,
    LogLine,
    LogQuery,
    PortMapping,
    Probe,
    Process,
    Progress,
    Pruned,
    Removed,
    RunOptions,
    Stats,
    Stock,
    Volume,
)
from engine.settings import Settings
from engine.state import events, reserve
from engine.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, Self, TypeVar

    from engine.containers.meter import Meter
    from engine.containers.records import Record
    from engine.runtime.attachment import Attachment
    from engine.runtime.forkserver import ForkServer

    T = TypeVar("T")

EVERYTHING = LogQuery()


class Engine:
    """Pulls images, runs containers, follows them. Any number may be open at once, on one root or on several.

    Two gaits. In an asyncio program (the dashboard, tests) every blocking step runs in a worker thread, so the event
    loop is never held. A one-shot command line opens it with `threads=False`: then nothing here imports asyncio, and a
    coroutine that does not talk to a registry runs to its end when it is driven (`engine.cli.drive`).

    Every `container` argument is a name, an ID or a unique ID prefix; NotFound and AmbiguousName are raised by all.
    """

    def __init__(self, settings: Settings, *, threads: bool = True, mend: bool = True) -> None:
        self.settings = settings
        self._mend = mend
        self._gait = Gait(threads=threads)
        self._call = self._gait.call
        self._database = Database(settings.database)
        self._meter: Meter | None = None  # made when it is first asked for
        self._forks: ForkServer | None = None  # of an engine that lasts
        self.notices: list[str] = []  # for the user: what is lost or damaged, each once, as it is found out

    @classmethod
    def open(cls, settings: Settings | None = None, *, threads: bool = True, mend: bool = True) -> Self:
        """An engine on `settings` (default: what the environment says), to be entered with `async with`.

        Entering it mends what crashes have left, unless `mend` is false.
        """
        return cls(settings or Settings.load(), threads=threads, mend=mend)

    async def __aenter__(self) -> Self:
        self._gait.begin()
        await self._call(_prepare, self.settings)
        if self._gait.threads:
            from engine.runtime.forkserver import ForkServer

            self._forks = ForkServer()
        if self._mend:
            _, self.notices = await self._reconcile()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gait.end()
        if self._forks:
            self._forks.close()
        if self._meter:
            self._meter.close()
        self._database.close()

    # images ---------------------------------------------------------------------------------------
    async def pull(
        self, reference: str, *, platform: str = "", progress: Callable[[Progress], None] | None = None
    ) -> Image:
        """Bring an image into the store, or find that it is there and up to date.

        Raises InvalidInput (reference), Unauthorized, RegistryError, VerificationFailed, BadImage, StoreError.
        """
        if self._gait.threads:
            from engine.images.pull import pull

            return await pull(self.settings, self._database, reference, platform=platform, progress=progress)
        from engine.images import quick  # the one-shot gait has no event loop of its own

        return await quick.pull(self.settings, self._database, reference, platform=platform, progress=progress)

    async def images(self) -> list[Image]:
        """Every image, newest first, with the containers that use it; `notices` names those that cannot be read."""
        return await self._call(self._images)

    async def image(self, reference_or_id: str) -> Image:
        """One image by reference, ID or unique ID prefix. Raises NotFound."""
        from engine.images import store

        return await self._call(store.image, self.settings, self._database, reference_or_id)

    async def remove_image(self, reference_or_id: str, *, force: bool = False) -> list[Removed]:
        """Untag an image, and delete it with its last name (docker-rmi(1)). Raises NotFound, Conflict (in use)."""
        from engine.images import store

        return await self._call(store.remove, self.settings, self._database, reference_or_id, force=force)

    async def add_host_image(
        self, reference: str, *, files: Mapping[str, bytes] | None = None, config: Mapping[str, Any] | None = None
    ) -> Image:
        """Make an image of this machine's Python, shell and tools, with `files` by their absolute path added.

        `config` is laid over the execution part of the image config (image-spec, "config"). No network is needed.
        """
        from engine.images.host import add_host_image

        return await self._call(add_host_image, self.settings, self._database, reference, files=files, config=config)

    async def load(
        self,
        source: str | Iterable[bytes],
        *,
        platform: str = "",
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Loaded]:
        """Bring the images of an archive into the store, an OCI layout or Docker's, compressed or not (docker-load(1)).

        `source` is a path, or the bytes. Raises NotFound, InvalidInput (platform), BadImage, VerificationFailed,
        Unsupported, StoreError.
        """
        if self._gait.threads and isinstance(source, str):
            from engine.images.load_aside import load_aside

            return await load_aside(self.settings, source, platform=platform, progress=progress)
        from engine.images.load import load

        return await self._call(load, self.settings, self._database, source, platform=platform, progress=progress)

    async def save(self, images: Sequence[str], target: str | Callable[[bytes], object]) -> None:
        """Write images as an archive to a path, or to a function (docker-save(1)).

        Raises NotFound, AmbiguousName, InvalidInput, StoreError.
        """
        from engine.images.save import save

        await self._call(save, self.settings, self._database, images, target)

    async def layer_files(self, reference_or_id: str, layer: int) -> list[Change]:
        """What one layer of an image (0 is the lowest) adds to, changes in and removes of those below, sorted by path.

        The sizes of what it adds and changes are what the layer costs. Raises NotFound.
        """
        from engine.containers import changes

        image = await self.image(reference_or_id)
        return await self._call(changes.layer, image, layer)

    async def stock(self) -> Stock:
        """All that takes room on the disk, what of it is in use, and what could be won."""
        from engine.containers import prune

        return await self._call(prune.stock, self.settings, self._database)

    async def prune(self, keys: Iterable[str]) -> Pruned:
        """Remove what of `stock` was chosen by its keys and is still not in use; what was in the way is told."""
        from engine.containers import prune

        return await self._call(prune.prune, self.settings, self._database, list(keys))

    # volumes --------------------------------------------------------------------------------------
    async def volumes(self) -> list[Volume]:
        """All volumes by name, with the containers that use them."""
        from engine.containers import volume_list

        return await self._call(volume_list.every, self.settings, self._database)

    async def volume(self, name: str) -> Volume:
        """One volume. Raises NotFound."""
        from engine.containers import volume_list

        return await self._call(volume_list.one, self.settings, self._database, name)

    async def create_volume(self, name: str = "") -> Volume:
        """Make an empty volume, an anonymous one without a name; one that is there stays as it is.

        Raises InvalidInput, StoreError.
        """
        from engine.containers import volume_list

        return await self._call(volume_list.create, self.settings, self._database, name)

    async def remove_volume(self, name: str) -> None:
        """Remove a volume with all it holds. Raises NotFound, and Conflict while a container uses it."""
        from engine.containers import volumes

        await self._call(volumes.remove, self.settings, self._database, name)

    async def volume_size(self, name: str) -> int:
        """Bytes of the files in a volume. Takes long where they are many."""
        from engine.containers import volume_list

        return await self._call(volume_list.size, self.settings, name)

    # containers -----------------------------------------------------------------------------------
    async def containers(self) -> list[Container]:
        """All containers, running or not, newest first."""
        return await self._call(view.every, self.settings, self._database)

    async def container(self, container: str) -> Container:
        """One container as it is now."""
        return await self._on(container, self._view)

    async def last_addresses(self) -> dict[str, str]:
        """By IP address, the id of the container that has it, or of the one that had it last."""
        return await self._call(view.last_addresses, self.settings, self._database)

    async def started_by(self, container: str) -> str:
        """Who began its last run: `you`, another user, its restart policy; "" if nobody has written it down."""
        from engine.containers import starter

        return await self._on(container, lambda record: starter.started_by(self.settings, record.id))

    async def create(self, options: RunOptions) -> Container:
        """Make a container of an image that is in the store. Raises NotFound (image), Conflict (name), InvalidInput."""
        from engine.containers import lifecycle

        return await self._call(lambda: self._view(lifecycle.create(self.settings, self._database, options)))

    async def start(self, container: str) -> Container:
        """Start a container in the background; one that runs is left as it is.

        Raises PortTaken, NetworkError, RuntimeFailure, CommandNotFound, CommandNotExecutable.
        """
        from engine.containers import lifecycle

        return await self._on(container, self._then_view(lifecycle.start, forks=self._forks))

    async def start_attached(self, container: str) -> Attachment:
        """Start a container with its stdio in the caller's hands from the first byte. Raises as `start`."""
        from engine.containers import lifecycle

        return await self._on(
            container,
            lambda record: lifecycle.start_attached(self.settings, self._database, record, forks=self._forks),
        )

    async def due_at_boot(self) -> list[Container]:
        """The containers that a machine which has come up starts, oldest first: those whose policy is `always`, and of
        `unless-stopped` those that nobody had stopped; none that never ran. Source: docker-run(1), --restart.
        """
        return await self._call(view.due_at_boot, self.settings, self._database)

    async def run(self, options: RunOptions, *, progress: Callable[[Progress], None] | None = None) -> Container:
        """Pull if needed, create and start in the background. Raises what those raise.

        A host port that is taken is refused before anything is created.
        """
        options = await self._with_image(options, progress)
        record, _ = await self._call(self._run, options, "start")
        return await self._call(self._view, record)

    async def run_attached(
        self, options: RunOptions, *, progress: Callable[[Progress], None] | None = None
    ) -> tuple[Container, Attachment]:
        """As `run`, with the container's stdio in the caller's hands from the first byte."""
        options = await self._with_image(options, progress)
        record, attachment = await self._call(self._run, options, "start_attached")
        return await self._call(self._view, record), attachment

    async def finish(self, container_id: str) -> None:
        """Take down the network of a container that has ended, and with `--rm` the container itself.

        For a front end that acknowledged the exit of an attached container; else its monitor sees to this.
        """
        from engine.containers import lifecycle

        await self._call(lifecycle.finish, self.settings, self._database, container_id)

    async def stop(self, container: str, *, grace: float | None = None, signal: str = "") -> Container:
        """Ask a container's init to end, and end it if it does not.

        Sends `signal` (default: the stop signal of the container: image config `StopSignal`, or SIGTERM), waits up to
        `grace` seconds (default: the container's stop timeout, 10 s), then sends SIGKILL. One that does not run is left
        as it is; one created with `--rm` is gone afterwards. Raises InvalidInput (signal). Source: docker-stop(1);
        runtime-spec, "Kill".
        """
        from engine.containers import lifecycle

        return await self._on(container, self._then_view(lifecycle.stop, grace, signal))

    async def restart(self, container: str, *, grace: float | None = None, signal: str = "") -> Container:
        """Stop a container, as `stop` does, if it runs, and start it."""
        from engine.containers import lifecycle

        return await self._on(container, self._then_view(lifecycle.restart, grace, signal, forks=self._forks))

    async def kill(self, container: str, signal: str = "SIGKILL") -> Container:
        """Send a signal to a container's init. Raises Conflict if it does not run, InvalidInput (signal)."""
        from engine.containers import lifecycle

        def kill(record: Record) -> Container:
            lifecycle.kill(self.settings, record, signal)
            return self._view(record)

        return await self._on(container, kill)

    async def pause(self, container: str) -> Container:
        """Freeze every process of a container. Raises Conflict if it does not run or is paused."""
        from engine.containers import lifecycle

        return await self._on(container, self._then_view(lifecycle.pause))

    async def unpause(self, container: str) -> Container:
        """Let a paused container go on. Raises Conflict if it is not paused."""
        from engine.containers import lifecycle

        return await self._on(container, self._then_view(lifecycle.unpause))

    async def rename(self, container: str, name: str) -> Container:
        """Give a container another name. Raises Conflict (in use), InvalidInput."""
        from engine.containers import lifecycle

        def rename(record: Record) -> Container:
            lifecycle.rename(self.settings, self._database, record, name)
            return self._view(replace(record, name=name))

        return await self._on(container, rename)

    async def remove(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """Delete a container with its files, and with `volumes` its anonymous volumes. Raises Conflict if it runs."""
        from engine.containers import lifecycle

        def remove(record: Record) -> None:
            lifecycle.remove(self.settings, self._database, record, force=force, with_volumes=volumes)

        await self._on(container, remove)

    async def wait(self, container: str) -> int:
        """Wait until a container has ended for good, restarts by policy included; its exit code."""
        from engine import watching

        record = await self._on(container, lambda record: record)
        return await watching.exit_code(self._gait, self.settings, record.id)

    async def attach(self, container: str) -> Attachment:
        """Join a running container's stdio: what it writes from now on. Raises Conflict if it does not run."""
        from engine.containers import lifecycle

        return await self._on(container, lambda record: lifecycle.attach(self.settings, record))

    async def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        tty: bool = False,
        interactive: bool = False,
        env: Sequence[str] = (),
        user: str = "",
        working_dir: str = "",
        privileged: bool = False,
    ) -> Attachment:
        """Run one more command in a running container (docker-exec(1)); close the attachment to leave it to itself.

        Raises Conflict if it does not run, CommandNotFound, CommandNotExecutable.
        """
        from engine.containers import execution

        def execute(record: Record) -> Attachment:
            return execution.execute(
                self.settings,
                self._database,
                record,
                tuple(command),
                tty=tty,
                interactive=interactive,
                env=tuple(env),
                user=user,
                working_dir=working_dir,
                privileged=privileged,
            )

        return await self._on(container, execute)

    async def publish(self, container: str, mapping: PortMapping) -> PortMapping:
        """Add a port mapping to a running container, for its later starts too; the mapping with its host port chosen.

        Raises PortTaken, Conflict.
        """
        from engine.containers import publishing

        return await self._on(
            container, lambda record: publishing.publish(self.settings, self._database, record, mapping)
        )

    async def unpublish(self, container: str, mapping: PortMapping) -> None:
        """Take a port mapping from a running container, for its later starts too. Raises NotFound."""
        from engine.containers import publishing

        await self._on(container, lambda record: publishing.unpublish(self.settings, self._database, record, mapping))

    # watching -------------------------------------------------------------------------------------
    def logs(self, container: str, query: LogQuery = EVERYTHING) -> AsyncIterator[LogLine]:
        """What a container wrote, oldest first. With `follow`, goes on until the container has ended for good."""
        from engine import watching

        return watching.logs(self._gait, self.settings, self._database, container, query)

    async def log_text(self, container: str, query: LogQuery = EVERYTHING) -> AsyncIterator[tuple[str, bytes]]:
        """What is in the log now, without times: (stream, lines with their newlines), many at once."""
        from engine.logs import reader

        record = await self._on(container, lambda record: record)
        texts = reader.texts(str(self.settings.container_dir(record.id) / "log"), query)
        while (text := await self._call(next, texts, None)) is not None:
            yield text

    async def log_files(self, container: str) -> list[str]:
        """The container's log files, oldest first, in CRI log format."""
        from engine.logs import reader

        record = await self._on(container, lambda record: record)
        return await self._call(reader.files, str(self.settings.container_dir(record.id) / "log"))

    async def stats(self, containers: Iterable[str]) -> list[Stats]:
        """One reading for each of the named containers that runs."""
        if self._meter is None:
            from engine.containers.meter import Meter

            self._meter = Meter(self.settings, self._database)
        return await self._call(self._meter.read, list(containers))

    def events(self, *, since: int | None = None) -> AsyncIterator[Event]:
        """Every change of state from the cursor `since` on (None: from now on), for ever."""
        from engine import watching

        return watching.events(self._gait, self.settings, since)

    async def past_events(self, container_id: str) -> list[Event]:
        """What has happened to a container, as far back as events are kept, oldest first."""
        return await self._call(events.history, str(self.settings.journal), container_id)

    async def event_cursor(self) -> int:
        """The position of the event stream's end: what happens later comes after it."""
        return await self._call(events.cursor, str(self.settings.journal))

    async def size(self, container: str) -> tuple[int, int]:
        """Bytes of a container's writable layer, and the same with its image."""
        from engine.containers import measure

        return await self._on(container, lambda record: measure.size(self.settings, self._database, record))

    async def top(self, container: str) -> list[Process]:
        """The processes of a running container, oldest first. Raises Conflict if it does not run."""
        from engine.containers import processes

        return await self._on(container, lambda record: processes.processes(self.settings, self._database, record))

    async def signal_process(self, container: str, process: Process, signal: str = "SIGKILL") -> None:
        """Send a signal to one process of a container, as `top` told it. Raises NotFound if it has ended."""
        from engine.containers import processes

        await self._on(
            container,
            lambda record: processes.send_signal(self.settings, record, process.pid, process.start_ticks, signal),
        )

    async def changes(self, container: str) -> list[Change]:
        """What a container has added to, changed in and deleted of its image's files, sorted by path."""
        from engine.containers import changes

        return await self._on(container, lambda record: changes.changes(self.settings, self._database, record))

    async def read_file(self, container: str, path: str, *, limit: int) -> FileContent:
        """The first `limit` bytes of a regular file in a container. Raises NotFound, InvalidInput (not a file)."""
        from engine.containers import contents

        return await self._on(
            container, lambda record: contents.read_file(self.settings, self._database, record, path, limit)
        )

    async def copy_from(
        self,
        container: str,
        path: str,
        destination: str | Callable[[bytes], object],
        *,
        follow: bool = False,
        keep_owners: bool = False,
    ) -> list[str]:
        """Copy a file or directory of a container to a path of this host, or write it as a tar stream: docker-cp(1).

        The names of the device nodes that were left out. Raises NotFound, InvalidInput, StoreError.
        """
        from engine.containers import transfer

        return await self._on(
            container,
            lambda record: transfer.copy_out(
                self.settings, self._database, record, path, destination, follow=follow, keep_owners=keep_owners
            ),
        )

    async def copy_to(self, container: str, source: str | Iterable[bytes], path: str, *, follow: bool = False) -> None:
        """Copy a file or directory of this host to a path in a container, or unpack a tar stream in a directory there.

        Raises NotFound, InvalidInput, StoreError.
        """
        from engine.containers import transfer

        await self._on(
            container,
            lambda record: transfer.copy_in(self.settings, self._database, record, source, path, follow=follow),
        )

    async def inspect_container(self, container: str) -> dict[str, Any]:
        """The JSON document that `docker inspect` prints for a container."""
        from engine.containers import inspection

        return await self._on(
            container, lambda record: inspection.container(self.settings, self._database, self._view(record))
        )

    async def inspect_image(self, reference_or_id: str) -> dict[str, Any]:
        """The JSON document that `docker inspect` prints for an image."""
        from engine.containers import inspection

        image = await self.image(reference_or_id)
        return await self._call(inspection.image, self.settings, self._database, image)

    async def inspect_volume(self, name: str) -> dict[str, Any]:
        """The JSON document that `docker volume inspect` prints. Raises NotFound."""
        from engine.containers import inspection

        return inspection.volume(await self.volume(name))

    async def port_holder(self, host_ip: str, port: int, protocol: str = "tcp") -> str:
        """Who holds a host port: a container or a process, in words; empty if it is free."""
        from engine.network import ports

        return await self._call(ports.port_holder, self.settings, self._database, host_ip, port, protocol)

    async def free_port(self, start: int, protocol: str = "tcp") -> int:
        """The first free host port from `start` on."""
        from engine.network import ports

        return await self._call(ports.free_port, self.settings, self._database, start, protocol)

    async def listeners(self, container: str) -> tuple[Listener, ...]:
        """What a container's processes listen on, by port, read from the kernel. Raises Conflict if it does not run."""
        from engine.network import listeners

        return await self._on(container, lambda record: listeners.of_container(self.settings, record.id))

    async def host_listeners(self) -> tuple[Listener, ...]:
        """What listens on this host, by port, and who: processes, and containers of any engine."""
        from engine.network import listeners

        return await self._call(listeners.of_host)

    async def probe(self, mapping: PortMapping, *, known: str = "") -> Probe:
        """Knock at a published TCP port of this host: does it answer, with what, how fast? Never raises for a port.

        `known` is the kind of an earlier answer: it is asked for that at once (`tcp`: connected to, and nothing sent).
        """
        from engine.network.probe import probe

        return await self._gait.looped(probe(mapping, known=known))

    # registries and host --------------------------------------------------------------------------
    async def login(self, registry: str, username: str, password: str) -> str:
        """Try the credentials at a registry and keep them. Raises Unauthorized.

        Returns the file that holds them unencrypted, or "" if a credential program keeps them.
        """
        from engine.registry.login import login

        return await self._gait.looped(login(registry, username, password))

    async def logout(self, registry: str) -> str:
        """Forget the credentials for a registry."""
        from engine.registry.login import logout

        return await self._call(logout, registry)

    async def info(self) -> HostInfo:
        """What the engine has and what it runs on."""
        from engine.containers import measure

        return await self._call(measure.host, self.settings, self._database)

    async def reconcile(self) -> list[str]:
        """Compare what is written with what is true, and mend it. Sentences about what was found."""
        found, _ = await self._reconcile()
        return found

    async def keep_network(self) -> None:
        """Mend the network of what runs whenever somebody has changed the host's firewall; for ever.

        Only in an asyncio program. Returns where there is no firewall to watch. Raises StoreError.
        """
        from engine import watching

        await watching.firewall(self._gait, self._reconcile)

    async def check(self, *, dry_run: bool = False) -> list[Finding]:
        """Look at everything the root keeps; mend what is damaged or left over, unless only to look.

        An engine opened with `mend=False` has not mended anything before. Raises StoreError, Conflict.
        """
        from engine.containers.check import Check

        check = Check(self.settings, self._database, dry_run=dry_run)
        await self._call(check.look)
        for damage in check.to_pull:
            try:
                await self.pull(damage.reference, platform=damage.platform)
            except EngineError as error:
                await self._call(check.failed, damage, error)
            else:
                await self._call(check.pulled, damage)
        return check.findings

    async def remove_if_empty(self) -> bool:
        """Delete the root and its bridge and rules, if it has neither containers nor images. Was it so?"""
        from engine.containers import reconcile

        return await self._call(reconcile.remove_if_empty, self.settings, self._database)

    # ----------------------------------------------------------------------------------------------
    async def _reconcile(self) -> tuple[list[str], list[str]]:
        from engine.containers import reconcile

        return await self._call(reconcile.reconcile, self.settings, self._database)

    def _images(self) -> list[Image]:
        from engine.images import store

        found, damaged = store.sound_and_damaged(self.settings, self._database)
        self.notices += [sentence for sentence in damaged if sentence not in self.notices]
        return found

    def _view(self, record: Record) -> Container:
        return view.one(self.settings, self._database, record)

    def _then_view(self, step: Callable[..., None], *arguments: Any, **named: Any) -> Callable[[Record], Container]:
        def act(record: Record) -> Container:
            step(self.settings, self._database, record, *arguments, **named)
            return self._view(record)

        return act

    def _run(self, options: RunOptions, how: Literal["start", "start_attached"]) -> tuple[Record, Any]:
        from engine.runtime import launch

        # while the monitor's interpreter comes up, ours imports what a start needs
        with launch.begin(self.settings, os.urandom(32).hex(), self._forks) as waiting:
            from engine.containers import lifecycle

            return lifecycle.run(self.settings, self._database, options, getattr(lifecycle, how), waiting)

    async def _with_image(self, options: RunOptions, progress: Callable[[Progress], None] | None) -> RunOptions:
        """Pull the image as the pull policy says."""
        from engine.images import store

        if options.pull != "always":
            try:
                await self._call(store.image, self.settings, self._database, options.image)
                return options
            except NotFound:
                if options.pull == "never":
                    raise
        await self.pull(options.image, platform=options.platform, progress=progress)
        return options

    async def _on(self, container: str, act: Callable[[Record], T]) -> T:
        """Find a container and do something blocking with it."""
        return await self._call(lambda: act(records.find(self._database, container)))


def _prepare(settings: Settings) -> None:
    """The directories everything lives in, for root alone."""
    if os.geteuid() != 0:
        raise PermissionNeeded(
            "Pilothouse needs root: it makes namespaces, mounts and network links", hint="run it with sudo"
        )
    try:
        for directory in (settings.root, settings.run):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot create {error.filename}: {error.strerror}", hint="choose another place with --root and --runroot"
        ) from error
    reserve.tend(settings)
