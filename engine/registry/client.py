"""Registry: resolves a reference for a platform and fetches what it is made of."""

from __future__ import annotations

from engine.errors import BadImage, EngineError, RegistryError, StoreError, VerificationFailed
from engine.registry import digests, manifests, platforms
from engine.registry.configuration import Configuration
from engine.registry.credentials import Credentials
from engine.registry.download import Sink, from_origin, from_url
from engine.registry.failures import Unreachable
from engine.registry.manifests import Manifest, ResolvedManifest
from engine.registry.origin import Origin
from engine.registry.retry import read
from engine.registry.text import printable
from engine.registry.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self, TypeVar

    from engine.models import Descriptor, Platform
    from engine.reference import Reference
    from engine.registry.manifests import Index
    from engine.registry.transport import Transport

    _T = TypeVar("_T")

__all__ = ["Registry", "ResolvedManifest"]

_MAX_DEPTH = 3  # indexes within indexes; more is a loop or a joke


class Registry:
    """What one repository of one registry holds; an async context manager, to be used by one pull.

    Its methods may run concurrently: they share connections, and one login. Mirrors are asked first, in the order of
    the configuration; whatever a mirror cannot give comes from the registry itself.
    """

    def __init__(
        self,
        reference: Reference,
        credentials: Credentials | None = None,
        configuration: Configuration | None = None,
        transport: Transport | None = None,
    ) -> None:
        """By default with the user's own credentials and configuration, and over aiohttp.

        Raises: InvalidInput if the configuration cannot be read.
        """
        self.reference = reference
        self.configuration = configuration or Configuration.load()
        self._credentials = credentials or Credentials()
        self._wire = Wire(self.configuration, transport)
        self._origins = [
            Origin(self._wire, endpoint, reference, self._credentials)
            for endpoint in self.configuration.endpoints(reference.registry)
        ]
        self._unreachable: set[Origin] = set()  # mirrors
        self._small: dict[str, bytes] = {}  # configs that `resolve` had to read already

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

    def inherit(self, other: Registry) -> None:
        """Go on where another one for the same reference, over another transport, has stopped: its login, its finds."""
        self._wire.inherit(other._wire)
        self._small |= other._small
        for own, theirs in zip(self._origins, other._origins, strict=True):
            own.inherit(theirs)
            if theirs in other._unreachable:
                self._unreachable.add(own)

    async def stated_digest(self, reference: Reference) -> str:
        """What the registry says to be the digest that `reference` leads to; empty if that cannot be had so cheaply.

        It may lie, as it may about a whole manifest: good to learn that nothing has changed, and for nothing else.
        A HEAD request, which Docker Hub does not count as a pull.
        """
        what = f"the manifest of {printable(reference.familiar)}"

        async def ask(origin: Origin) -> str:
            path, headers = f"manifests/{reference.tag}", {"Accept": manifests.ACCEPT}
            async with origin.get(path, headers, origin.once(), what, method="HEAD") as response:
                return response.headers.get("Docker-Content-Digest").strip()

        try:
            return await self._first(ask)
        except EngineError:
            return ""  # the GET that follows says what is wrong

    async def resolve(self, reference: Reference, platform: Platform) -> ResolvedManifest:
        """Find the manifest that `reference` (of this repository) means on `platform`.

        Every document is checked against its digest, the registry's own statement of it included.
        Raises: NotFound for an unknown repository or tag, and for a platform the image lacks; Unauthorized; BadImage;
        Unsupported; VerificationFailed; RegistryError.
        """
        name = reference.familiar
        index_digest = ""
        wanted, chosen = reference.digest or reference.tag, None
        for _ in range(_MAX_DEPTH):
            body, digest, document = await self._manifest(wanted, name)
            if isinstance(document, Manifest):
                return await self._resolved(body, digest, document, index_digest, chosen, platform, name)
            entry = manifests.choose(document, platform, name)
            index_digest = index_digest or digest
            wanted, chosen = entry.descriptor.digest, entry.platform
        raise BadImage(f"the index of {printable(name)} contains indexes {_MAX_DEPTH} deep")

    async def fetch_small(self, descriptor: Descriptor) -> bytes:
        """A config, whole and verified.

        Raises: BadImage if it is larger than 8 MiB, VerificationFailed, Unauthorized, NotFound, RegistryError.
        """
        if descriptor.digest not in self._small:
            what = f"config {_short(descriptor.digest)} of {printable(self.reference.familiar)}"
            if descriptor.size > manifests.MAX_CONFIG:
                raise BadImage(f"the {what} has {descriptor.size} bytes, more than the limit of {manifests.MAX_CONFIG}")
            self._small[descriptor.digest] = await self._first(lambda origin: _whole(origin, descriptor, what))
        return self._small[descriptor.digest]

    async def download(
        self,
        descriptor: Descriptor,
        fd: int,
        *,
        offset: int = 0,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Write a blob to the file `fd` from byte `offset` on, with pwrite; what is before `offset` is left alone.

        Broken connections, 429 and 5xx are waited out and resumed by Range. `on_bytes` is called with the number of
        bytes just written. At the end the file has `descriptor.size` bytes; the digest is for the reader of the file
        to check, who sees all of it anyway.

        Raises: VerificationFailed for a blob that is longer or shorter, StoreError for a disk that is full, NotFound,
        Unauthorized, RegistryError. The bytes written so far stay, so that another call can go on after them.
        """
        sink = Sink(fd, descriptor, offset, on_bytes)
        if sink.is_complete:
            return
        what = f"layer {_short(descriptor.digest)} of {printable(self.reference.familiar)}"
        problem: EngineError | None = None
        if manifests.is_foreign(descriptor):
            for url in descriptor.urls:
                try:
                    return await from_url(self._wire, url, sink, what)
                except RegistryError as error:
                    problem = error
        try:
            await self._first(lambda origin: from_origin(origin, sink, what))
        except EngineError as error:
            raise problem or error from error

    # inside ---------------------------------------------------------------------------------------
    async def _manifest(self, wanted: str, name: str) -> tuple[bytes, str, Index | Manifest]:
        """Its bytes, its digest, and what it says."""
        return await self._first(lambda origin: self._manifest_from(origin, wanted, name))

    async def _manifest_from(self, origin: Origin, wanted: str, name: str) -> tuple[bytes, str, Index | Manifest]:
        what = f"the manifest of {printable(name)}"
        retry = origin.retry()
        while True:
            try:
                async with origin.get(f"manifests/{wanted}", {"Accept": manifests.ACCEPT}, retry, what) as response:
                    body = await read(response, manifests.MAX_MANIFEST, what)
                break
            except Unreachable as error:
                await retry.wait(error)
        content_type = response.headers.get("Content-Type")
        stated = response.headers.get("Docker-Content-Digest").strip()
        document = manifests.parse(body, content_type, origin.host, name)
        digest = wanted if ":" in wanted else digests.digest(body)
        for expected in (digest, stated):
            # A digest of an algorithm that this Python lacks cannot be checked; only `stated` may be one.
            if expected.partition(":")[0] in ("sha256", "sha384", "sha512") and not digests.has_digest(body, expected):
                raise VerificationFailed(
                    f"{printable(origin.host)} sent a manifest of {printable(name)} that does not have the digest "
                    f"{printable(expected)}",
                    hint="it is damaged or forged; tell the registry's administrator",
                )
        return body, digest, document

    async def _resolved(
        self,
        body: bytes,
        digest: str,
        manifest: Manifest,
        index_digest: str,
        chosen: Platform | None,
        wanted: Platform,
        name: str,
    ) -> ResolvedManifest:
        if chosen is None:
            # no index has said for which platform it is: its config does
            chosen = manifests.platform_of(await self.fetch_small(manifest.config), name)
            if chosen is not None and not platforms.fits(wanted, chosen):
                raise manifests.no_platform(name, wanted, [chosen])
        return ResolvedManifest(
            digest, manifest.media_type, body, manifest.config, manifest.layers, chosen or wanted, index_digest
        )

    async def _first(self, ask: Callable[[Origin], Awaitable[_T]]) -> _T:
        """The answer of the first origin that has one; a mirror that fails is passed over."""
        for origin in self._origins[:-1]:
            if origin in self._unreachable:
                continue
            try:
                return await ask(origin)
            except Unreachable:
                self._unreachable.add(origin)  # or every layer would wait for it again
            except StoreError:
                raise
            except EngineError:
                continue
        return await ask(self._origins[-1])


async def _whole(origin: Origin, descriptor: Descriptor, what: str) -> bytes:
    retry = origin.retry()
    while True:
        try:
            async with origin.get(f"blobs/{descriptor.digest}", {}, retry, what) as response:
                body = await read(response, descriptor.size, what)
        except Unreachable as error:
            await retry.wait(error)
            continue
        if not digests.has_digest(body, descriptor.digest):
            raise VerificationFailed(
                f"{printable(origin.host)} sent something that does not have the digest of {what}",
                hint="it is damaged or forged; tell the registry's administrator",
            )
        return body


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12]
