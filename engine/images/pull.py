"""Pulling an image: resolve it, then download, verify and unpack its layers at the same time, then record it."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadImage, EngineError, StoreError, VerificationFailed
from engine.images import blobs, config, durability, entry, gc, snapshots, store
from engine.images.progress import LayerProgress, Reporter
from engine.images.worker import IMPLIED
from engine.images.workers import GrowingFile, Workers
from engine.models import Descriptor, Image, Progress
from engine.reference import parse as parse_reference
from engine.registry import platforms
from engine.registry.client import Registry
from engine.state.locks import lock

if TYPE_CHECKING:
    from engine.images.quick import Begun
    from engine.models import Platform
    from engine.reference import Reference
    from engine.settings import Settings
    from engine.state.database import Database

DOWNLOADS = 3  # at a time, as Docker's max-concurrent-downloads


async def pull(
    settings: Settings,
    database: Database,
    reference: str,
    *,
    platform: str = "",
    progress: Callable[[Progress], None] | None = None,
    begun: Begun | None = None,
) -> Image:
    """Bring an image into the store; what is there already is not fetched again.

    A pull that is cancelled or killed leaves nothing visible; the next one goes on where it was. Layers that another
    pull is fetching, in this process or another, are waited for.

    :param platform: os/architecture[/variant]; "" means this machine's.
    :param progress: called on the event loop, at most about twenty times a second for each layer.
    :param begun: how far `engine.images.quick` has come.

    Raises InvalidInput, NotFound, Unauthorized, RegistryError, VerificationFailed, BadImage, Unsupported, StoreError.
    """
    parsed = parse_reference(reference)
    wanted = platforms.parse(platform) if platform else platforms.local()
    report = Reporter(parsed.familiar, progress)
    report("resolving")
    blobs.prepare(settings)
    durability.mend(settings, database)
    try:
        # held shared: only a collection that is just moving things aside makes it wait
        with gc.pulling(settings) as held:
            async with Workers(held.fileno()) as workers:
                if begun and begun.resolved:
                    workers.start(len(begun.resolved.layers))
                # aiohttp takes longer to import than all of our own code; the workers start meanwhile
                await asyncio.to_thread(importlib.import_module, "engine.registry.streaming")
                async with Registry(parsed) as registry:
                    if begun:
                        registry.inherit(begun.registry)
                    layers = _Layers(settings, database, registry, workers, report)
                    image_id = await _brought(layers, parsed, wanted, begun)
        await asyncio.to_thread(durability.settle, settings, layers.new)
    except BaseException:
        with suppress(EngineError):  # the first failure is the one to tell about
            await asyncio.to_thread(gc.collect, settings, database)
        raise
    await asyncio.to_thread(gc.collect, settings, database)
    report("done")
    return await asyncio.to_thread(store.image, settings, database, image_id)


async def _brought(layers: _Layers, reference: Reference, wanted: Platform, begun: Begun | None) -> str:
    """Fetch what is missing of the image and make it visible; returns its ID."""
    settings, database, registry = layers.settings, layers.database, layers.registry
    if begun is None and (image := await entry.up_to_date(settings, database, registry, reference, wanted)):
        return image.id
    if begun and begun.resolved:
        resolved, text = begun.resolved, begun.config
    else:
        resolved = await registry.resolve(reference, wanted)
        text = await registry.fetch_small(resolved.config)
    layers.report.resolved(resolved)
    diff_ids = entry.diff_ids(text, resolved, reference)
    # Now, while the disk is idle: later their fsync would wait for the layers to be written.
    await asyncio.to_thread(entry.keep, settings, resolved, text)
    names = await layers.fetch(resolved.layers, diff_ids)
    return await asyncio.to_thread(entry.record, settings, database, reference, resolved, text, names)


class _Layers:
    """The layers of one pull on their way into snapshots."""

    def __init__(
        self, settings: Settings, database: Database, registry: Registry, workers: Workers, report: Reporter
    ) -> None:
        self.settings = settings
        self.database = database
        self.registry = registry
        self._workers = workers
        self.report = report
        self._downloads = asyncio.Semaphore(DOWNLOADS)
        self._ready: list[asyncio.Future[str]] = []
        self.new: list[str] = []  # snapshots made by this pull

    async def fetch(self, layers: tuple[Descriptor, ...], diff_ids: tuple[str, ...]) -> list[str]:
        """The names of the layers' snapshots, from lowest to topmost."""
        places: dict[str, int] = {}
        for place, layer in enumerate(layers):
            places.setdefault(layer.digest, place)  # a layer may occur twice: fetched once
        chain = config.chain_ids(diff_ids)
        loop = asyncio.get_running_loop()
        for place, layer in enumerate(layers):
            first = places[layer.digest]
            self._ready.append(loop.create_future() if first == place else self._ready[first])
        order = sorted(places.values(), key=lambda place: -layers[place].size)  # the longest work first
        bars = {place: self.report.layer(layers[place]) for place in sorted(places.values())}
        try:
            async with asyncio.TaskGroup() as group:
                for place in order:
                    group.create_task(
                        self._layer(place, layers[place], diff_ids[place], chain[place], bars[place]),
                        name=f"layer {layers[place].digest}",
                    )
        except BaseExceptionGroup as failures:
            raise _first(failures) from failures
        return [future.result() for future in self._ready]

    async def _layer(self, place: int, layer: Descriptor, diff_id: str, chain_id: str, bar: LayerProgress) -> None:
        async with _held(self.settings, layer.digest) as release:
            name = await asyncio.to_thread(snapshots.find, self.settings, self.database, diff_id, chain_id)
            if name:
                bar.exists()
            else:
                async with self._staged() as staged:
                    size = await self._bring(layer, diff_id, staged, bar)
                    implied = await asyncio.to_thread(_take_implied, staged)
                    lower: list[str] = []
                    if implied:
                        # Only such a layer needs the ones below. Its lock goes first: two pulls that each wait for what
                        # the other one holds would wait for ever.
                        release()
                        lower = await asyncio.gather(*map(asyncio.shield, self._ready[:place]))
                    name = await asyncio.to_thread(
                        snapshots.commit,
                        self.settings,
                        self.database,
                        staged,
                        diff_id=diff_id,
                        chain_id=chain_id,
                        size=size,
                        implied=implied,
                        lower=lower,
                    )
                    self.new.append(name)
                bar.done()
        self._ready[place].set_result(name)

    async def _bring(self, layer: Descriptor, diff_id: str, staged: Path, bar: LayerProgress) -> int:
        """Download a layer and unpack it into the staged directory; returns the bytes of file content."""
        path = blobs.partial(self.settings, layer.digest)
        resumed = await asyncio.to_thread(_prepare_partial, path, layer.size)
        try:
            return await self._bring_from(path, resumed, layer, diff_id, staged, bar)
        except VerificationFailed:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            if not resumed:
                raise
        # What an earlier pull had left was damaged, perhaps by a crash of the machine. Once more, from the start.
        await asyncio.to_thread(_prepare_partial, path, layer.size)
        await asyncio.to_thread(_empty, staged)
        try:
            return await self._bring_from(path, 0, layer, diff_id, staged, bar)
        except VerificationFailed:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise

    async def _bring_from(
        self, path: Path, offset: int, layer: Descriptor, diff_id: str, staged: Path, bar: LayerProgress
    ) -> int:
        file = GrowingFile(path, layer, offset)
        started = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._download(file, started, bar))
                await started.wait()
                async with self._workers.one() as worker:
                    size = await worker.unpack(file, diff_id, staged, bar.unpacked)
        except BaseExceptionGroup as failures:
            failure = _first(failures)
            if isinstance(failure, StoreError | BadImage):
                # A full disk wants its space back, and a bad layer will not be better the next time.
                await asyncio.to_thread(path.unlink, missing_ok=True)
            raise failure from failures
        # Now, before its pages are written to the disk for nothing. Should the machine crash, it is fetched again.
        await asyncio.to_thread(path.unlink)
        return size

    async def _download(self, file: GrowingFile, started: asyncio.Event, bar: LayerProgress) -> None:
        async with self._downloads:
            started.set()
            fd = os.open(file.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                bar.downloaded(file.there)

                def grown(count: int) -> None:
                    file.grown(count)
                    bar.downloaded(file.there)

                await self.registry.download(file.descriptor, fd, offset=file.there, on_bytes=grown)
            finally:
                os.close(fd)
        await file.complete()
        bar.complete()

    @asynccontextmanager
    async def _staged(self) -> AsyncIterator[Path]:
        path = await asyncio.to_thread(snapshots.stage, self.settings)
        try:
            yield path
        finally:
            await asyncio.to_thread(snapshots.remove, path)


def _prepare_partial(path: Path, size: int) -> int:
    """Make the file a layer is downloaded to; returns how much of it an earlier pull has left there."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            there = os.fstat(fd).st_size
            if there > size:
                os.ftruncate(fd, 0)
                there = 0
        finally:
            os.close(fd)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}", hint="check that the disk is neither full nor read-only"
        ) from error
    return there


def _empty(staged: Path) -> None:
    """Begin a staged snapshot again."""
    snapshots.remove(staged / snapshots.CONTENT)
    snapshots.make_content(staged)


def _take_implied(staged: Path) -> list[bytes]:
    """What the worker has noted beside the content."""
    file = staged / IMPLIED
    paths = file.read_bytes().split(b"\0")[:-1]
    file.unlink()
    return paths


@asynccontextmanager
async def _held(settings: Settings, digest: str) -> AsyncIterator[Callable[[], None]]:
    """The lock on a layer, waited for without holding up the event loop. Yields how to let go of it early."""
    holder = lock(settings, "layer", digest)
    loop = asyncio.get_running_loop()
    got: asyncio.Future[None] = loop.create_future()
    is_held = False

    def deliver(error: EngineError | None) -> None:
        nonlocal is_held
        if got.cancelled():
            if error is None:
                holder.__exit__(None, None, None)
        elif error is not None:
            got.set_exception(error)
        else:
            is_held = True
            got.set_result(None)

    def wait() -> None:
        failure = None
        try:
            holder.__enter__()
        except EngineError as error:
            failure = error
        try:
            loop.call_soon_threadsafe(deliver, failure)
        except RuntimeError:  # the loop has been closed meanwhile
            if failure is None:
                holder.__exit__(None, None, None)

    def release() -> None:
        nonlocal is_held
        if is_held:
            is_held = False
            holder.__exit__(None, None, None)

    # Not of the loop's own pool, whose end would be waited for although this may take as long as someone else's pull.
    threading.Thread(target=wait, name="pilothouse-layer-lock", daemon=True).start()
    await got
    try:
        yield release
    finally:
        release()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, out of nested groups; an error of ours if there is one."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [failures]
    while waiting:
        failure = waiting.pop(0)
        if isinstance(failure, BaseExceptionGroup):
            waiting[:0] = failure.exceptions
        else:
            found.append(failure)
    return next((failure for failure in found if isinstance(failure, EngineError)), found[0])
