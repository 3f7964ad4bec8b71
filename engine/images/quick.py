"""The pull of a command: in this process and without an event loop where there is little to do, else handed over.

An image that is up to date, or a few small layers, are here before `engine.images.pull` has imported aiohttp and
started its processes: measured with busybox, a tenth of the CPU time if nothing has changed, a quarter from an empty
store. More than that is fetched and unpacked side by side by `engine.images.pull`, which goes on with the login and the
manifest that were found here.
"""

from __future__ import annotations

import os

from engine.errors import EngineError, StoreError
from engine.frozen import dataclass
from engine.images import blobs, config, durability, entry, gc, snapshots, store
from engine.images.progress import Reporter
from engine.reference import parse as parse_reference
from engine.registry import platforms
from engine.registry.blocking import Blocking, NotForUs
from engine.registry.client import Registry
from engine.registry.configuration import Configuration
from engine.registry.manifests import is_foreign
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.progress import LayerProgress
    from engine.models import Descriptor, Image, Progress
    from engine.reference import Reference
    from engine.registry.client import ResolvedManifest
    from engine.settings import Settings
    from engine.state.database import Database

MOST_BYTES = 8 << 20  # of all layers that are missing: what one core inflates and unpacks in about 100 ms
MOST_LAYERS = 4  # that are missing: one after the other, each costs a round trip to the registry
CHUNK_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a pull has come that is too much for this module. `resolved` is None if not even that far."""

    registry: Registry
    resolved: ResolvedManifest | None = None
    config: bytes = b""


async def pull(
    settings: Settings,
    database: Database,
    reference: str,
    *,
    platform: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> Image:
    """As `engine.images.pull.pull`, for a program without an event loop: this coroutine never waits for one."""
    parsed = parse_reference(reference)
    wanted = platforms.parse(platform) if platform else platforms.local()
    report = Reporter(parsed.familiar, progress)
    report("resolving")
    configuration = Configuration.load()
    async with Registry(parsed, None, configuration, Blocking(configuration.patience)) as registry:
        quick = _Quick(settings, database, registry, parsed, report)
        try:
            if image := await entry.up_to_date(settings, database, registry, parsed, wanted):
                report("done")
                return image
            blobs.prepare(settings)
            durability.mend(settings, database)
            # held shared: only a collection that is just moving things aside makes it wait
            with gc.pulling(settings):
                await quick.resolve(wanted)
                image_id = await quick.fetch() if quick.is_little() else ""
        except NotForUs:
            image_id = ""
        except BaseException:
            try:
                gc.collect(settings, database)
            except EngineError:
                pass  # the first failure is the one to tell about
            raise
    if not image_id:
        import asyncio

        from engine.images.pull import pull as pull_all

        return asyncio.run(
            pull_all(settings, database, reference, platform=platform, progress=progress, begun=quick.begun)
        )
    durability.settle(settings, quick.new)
    gc.collect(settings, database)
    report("done")
    return store.image(settings, database, image_id)


class _Quick:
    """One pull, step by step."""

    def __init__(
        self, settings: Settings, database: Database, registry: Registry, reference: Reference, report: Reporter
    ) -> None:
        self._settings, self._database = settings, database
        self._registry, self._reference, self._report = registry, reference, report
        self.begun = Begun(registry)
        self._chain: list[tuple[Descriptor, str, str]] = []  # layers with diff ID and chain ID, from lowest to topmost
        self.new: list[str] = []  # snapshots made by this pull

    async def resolve(self, wanted: platforms.Platform) -> None:
        """Learn what the image is made of."""
        resolved = await self._registry.resolve(self._reference, wanted)
        text = await self._registry.fetch_small(resolved.config)
        identifiers = entry.diff_ids(text, resolved, self._reference)
        self.begun = Begun(self._registry, resolved, text)
        self._chain = list(zip(resolved.layers, identifiers, config.chain_ids(identifiers), strict=True))

    def is_little(self) -> bool:
        """Whether what is missing is so little that one process does it at once."""
        missing = {layer.digest: layer for layer, *ids in self._chain if not self._find(*ids)}
        return (
            len(missing) <= MOST_LAYERS
            and sum(layer.size for layer in missing.values()) <= MOST_BYTES
            and not any(is_foreign(layer) for layer in missing.values())
            # what a broken pull has left there goes on in the same place
            and not any(blobs.partial(self._settings, digest).exists() for digest in missing)
        )

    async def fetch(self) -> str:
        """Bring the layers that are missing, one after the other, and record the image; returns its ID."""
        resolved, text = self.begun.resolved, self.begun.config
        assert resolved is not None
        self._report.resolved(resolved)
        entry.keep(self._settings, resolved, text)
        bars = {layer.digest: self._report.layer(layer) for layer in resolved.layers}
        names: list[str] = []
        for layer, diff_id, chain_id in self._chain:
            with lock(self._settings, "layer", layer.digest):
                name = self._find(diff_id, chain_id)
                if name:
                    if layer.digest in bars:
                        bars.pop(layer.digest).exists()
                else:
                    bar = bars.pop(layer.digest)
                    name = await self._bring(layer, diff_id, chain_id, names, bar)
                    self.new.append(name)
                    bar.done()
            names.append(name)
        return entry.record(self._settings, self._database, self._reference, resolved, text, names)

    def _find(self, diff_id: str, chain_id: str) -> str:
        return snapshots.find(self._settings, self._database, diff_id, chain_id)

    async def _bring(self, layer: Descriptor, diff_id: str, chain_id: str, lower: list[str], bar: LayerProgress) -> str:
        """Download a layer into memory, verify it, unpack it; returns its snapshot's name."""
        fd = os.memfd_create(f"layer {layer.digest[:19]}", os.MFD_CLOEXEC)
        try:
            await self._registry.download(layer, fd, on_bytes=lambda _: bar.downloaded(os.fstat(fd).st_size))
            _verify(fd, layer)
            bar.complete()
            with snapshots.staged(self._settings) as staged:
                size, implied = _unpacked(fd, diff_id, str(staged / snapshots.CONTENT))
                return snapshots.commit(
                    self._settings,
                    self._database,
                    staged,
                    diff_id=diff_id,
                    chain_id=chain_id,
                    size=size,
                    implied=implied,
                    lower=lower,
                )
        finally:
            os.close(fd)


def _verify(fd: int, layer: Descriptor) -> None:
    import hashlib

    algorithm, _, encoded = layer.digest.partition(":")
    found = hashlib.new(algorithm)
    for chunk in _chunks(fd):
        found.update(chunk)
    if found.hexdigest() != encoded:
        from engine.images.streams import wrong_digest

        raise wrong_digest(layer.digest)


def _unpacked(fd: int, diff_id: str, content: str) -> tuple[int, list[bytes]]:
    """The bytes of file content, and the directories that the layer fills without naming them."""
    import hashlib

    from engine.images.compression import decompressed
    from engine.images.streams import unpack_stream, wrong_diff_id

    plain = hashlib.sha256()
    try:
        unpacked = unpack_stream(decompressed(_chunks(fd)), plain, content)
    except OSError as error:
        raise StoreError(f"cannot unpack a layer: {error}") from error
    if (found := "sha256:" + plain.hexdigest()) != diff_id:
        raise wrong_diff_id(found, diff_id)
    return unpacked.size, unpacked.implied


def _chunks(fd: int) -> Iterator[bytes]:
    place = 0
    while chunk := os.pread(fd, CHUNK_BYTES, place):
        place += len(chunk)
        yield chunk
