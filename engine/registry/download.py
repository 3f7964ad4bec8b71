"""Streams one blob into a file, and goes on where a broken connection left off."""

from __future__ import annotations

import os
import re

from engine.errors import RegistryError, StoreError, VerificationFailed
from engine.registry.failures import Unreachable
from engine.registry.retry import failed, read_error
from engine.registry.text import printable
from engine.registry.url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.models import Descriptor
    from engine.registry.origin import Origin
    from engine.registry.retry import Retry
    from engine.registry.transport import Response
    from engine.registry.wire import Wire

_ENOUGH = 64 << 10  # bytes an attempt must bring to count as progress; else a cut after each byte would go on for ever
_CONTENT_RANGE = r"bytes (\d+)-(\d+)/(\d+|\*)"


class Sink:
    """The file a blob goes to, and how far it is."""

    def __init__(self, fd: int, descriptor: Descriptor, offset: int, on_bytes: Callable[[int], None] | None) -> None:
        self.descriptor = descriptor
        self.position = offset  # of the next byte to write
        self._fd = fd
        self._on_bytes = on_bytes

    @property
    def size(self) -> int:
        return self.descriptor.size

    @property
    def is_complete(self) -> bool:
        return self.position >= self.size

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            try:
                written = os.pwrite(self._fd, rest, self.position)
            except OSError as error:
                raise StoreError(
                    f"cannot write layer {self.descriptor.digest}: {(error.strerror or '').lower()}",
                    hint="free some space, or choose another --root",
                ) from error
            self.position += written
            rest = rest[written:]
        if self._on_bytes is not None:
            self._on_bytes(len(data))


async def from_origin(origin: Origin, sink: Sink, what: str) -> None:
    """From a registry or mirror.

    Raises: VerificationFailed, StoreError, NotFound, Unauthorized, RegistryError.
    """
    retry = origin.retry()
    while not sink.is_complete:
        start = sink.position
        try:
            async with origin.get(f"blobs/{sink.descriptor.digest}", _range(sink), retry, what) as response:
                await _receive(response, sink, what)
        except Unreachable as error:
            await _again(retry, error, sink, start)


async def from_url(wire: Wire, text: str, sink: Sink, what: str) -> None:
    """From a URL of a foreign layer's own, without any credentials.

    Raises: VerificationFailed, StoreError, RegistryError.
    """
    try:
        url = URL.parse(text)
    except ValueError as error:
        raise RegistryError(f"{what} is to be fetched from a URL that cannot be read: {printable(text)!r}") from error
    retry = wire.retry()
    while not sink.is_complete:
        start = sink.position
        try:
            async with await wire.get(url, _range(sink)) as response:
                if response.status not in (200, 206, 416):
                    body = await read_error(response)
                    await retry.wait_for(response, failed(response, body, what))
                    continue
                await _receive(response, sink, what)
        except Unreachable as error:
            await _again(retry, error, sink, start)


async def _again(retry: Retry, error: Unreachable, sink: Sink, start: int) -> None:
    if sink.position - start >= _ENOUGH:
        retry.progress()
    await retry.wait(error)


def _range(sink: Sink) -> Mapping[str, str]:
    return {"Range": f"bytes={sink.position}-"} if sink.position else {}


async def _receive(response: Response, sink: Sink, what: str) -> None:
    """Write the body's bytes from `sink.position` on, whatever part of the blob the body is.

    Raises: Unreachable if it ends early, VerificationFailed if it cannot be the blob.
    """
    host = printable(response.host)
    place = _start(response, sink, what, host)
    async for part in response.parts():
        rest: bytes | memoryview = part
        if place < sink.position:  # the server has ignored Range: these bytes are there already
            rest = memoryview(part)[sink.position - place :]
        place += len(part)
        if place > sink.size:
            raise _wrong_size(what, host, sink.size, "more")
        if rest:
            sink.write(rest)
    if not sink.is_complete:
        if response.content_length is not None or response.is_chunked:
            # a body that says where it ends, and ended there
            raise _wrong_size(what, host, sink.size, str(place))
        raise Unreachable(f"registry {host} broke off the connection", hint="try again")


def _start(response: Response, sink: Sink, what: str, host: str) -> int:
    """The place in the blob of the body's first byte."""
    if response.status == 416:
        raise _wrong_size(what, host, sink.size, f"no more than {sink.position}")
    start = 0
    if response.status == 206:
        match = re.fullmatch(_CONTENT_RANGE, response.headers.get("Content-Range").strip())
        if match is None or int(match[1]) > sink.position:
            raise RegistryError(f"{host} answered with another part of {what} than it was asked for")
        start = int(match[1])
        if match[3] != "*" and int(match[3]) != sink.size:
            raise _wrong_size(what, host, sink.size, match[3])
    elif response.content_length is not None and response.content_length != sink.size:
        if response.content_type == "text/html":
            raise RegistryError(
                f"{host} answered with a web page instead of {what}",
                hint="check whether a proxy or a Wi-Fi login stands in between",
            )
        raise _wrong_size(what, host, sink.size, str(response.content_length))
    return start


def _wrong_size(what: str, host: str, wanted: int, got: str) -> VerificationFailed:
    return VerificationFailed(
        f"{host} has {got} bytes for {what}, its manifest says {wanted}",
        hint="the blob there is damaged or forged; tell the registry's administrator",
    )
