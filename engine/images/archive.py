"""An image archive read as it comes: documents into memory, layers straight into staged directories, names on no disk.

Archives say last what their members are, so every member is judged by its first bytes: what is JSON is kept, all else
is unpacked as a layer, and a failure of that matters only once a manifest asks for the layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadImage, Unsupported, VerificationFailed
from engine.images import snapshots
from engine.images.attributes import shown
from engine.images.compression import GZIP_MAGIC, ZSTD_MAGIC, decompressed
from engine.images.streams import unpack_stream
from engine.images.tar import DIRECTORY, FILE, HARD_LINK, SYMLINK, Entry, TarReader
from engine.images.unpack import clean
from engine.reference import is_digest
from engine.registry.manifests import MAX_CONFIG

if TYPE_CHECKING:
    from engine.settings import Settings

MAX_MEMBERS = 100_000  # of the archive; a hundred images of a hundred layers have a third of that
MAX_DOCUMENTS = 128 << 20  # bytes of all documents together, which are held in memory
MAX_LINKS = 40  # one after the other, as in the kernel (path_resolution(7))
_PEEK = 512  # bytes: a tar header
_OTHERS = {b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4"}

Known = Callable[[str], str]  # the diff ID of a blob whose layer is in the store, or ""


class LayerFile:
    """A member that is no document: a layer, if `problem` is None."""

    def __init__(self, claimed: str, size: int) -> None:
        self.digest = claimed  # of the bytes as they are in the archive; verified, unless the layer was known
        self.size = size
        self.diff_id = ""
        self.suffix = ""  # of its media type
        self.staged: Path | None = None  # None: the store has it
        self.content_size = 0
        self.implied: list[bytes] = []
        self.problem: Exception | None = None


class Archive:
    """What was in an archive, by name."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.layers: dict[str, LayerFile] = {}
        self._links: dict[str, str] = {}
        self._held = 0

    def document(self, name: str) -> bytes:
        """Raises BadImage if there is none."""
        found = self.documents.get(self._target(name))
        if found is None:
            raise BadImage(f"the archive lacks {shown(name.encode())}", hint="it is incomplete; save the image again")
        return found

    def layer(self, name: str) -> LayerFile:
        """Raises BadImage if there is none, or what stood in the way of reading it."""
        found = self.layers.get(self._target(name))
        if found is None:
            raise BadImage(f"the archive lacks the layer {shown(name.encode())}", hint="save the image again, whole")
        if found.problem is not None:
            raise found.problem
        return found

    def _target(self, name: str) -> str:
        for _ in range(MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return name

    def add_link(self, name: str, target: str) -> None:
        self._claim(name)
        self._links[name] = target

    def add_document(self, name: str, content: bytes) -> None:
        self._claim(name)
        self._held += len(content)
        if self._held > MAX_DOCUMENTS:
            raise BadImage(f"the archive holds more than {MAX_DOCUMENTS >> 20} MB of documents")
        self.documents[name] = content

    def add_layer(self, name: str, layer: LayerFile) -> None:
        self._claim(name)
        self.layers[name] = layer

    def _claim(self, name: str) -> None:
        # Which of two it is would be one thing here and another thing elsewhere.
        if name in self.documents or name in self.layers or name in self._links:
            raise BadImage(f"the archive holds {shown(name.encode())} twice")
        if len(self.documents) + len(self.layers) + len(self._links) >= MAX_MEMBERS:
            raise BadImage(f"the archive holds more than {MAX_MEMBERS} files")


@contextmanager
def read(settings: Settings, chunks: Iterable[bytes], known: Known) -> Iterator[Archive]:
    """Read a whole archive, plain or compressed. What of its layers is still staged at the end is removed then.

    Raises BadImage, Unsupported (its compression), StoreError, PermissionNeeded.
    """
    archive = Archive()
    with ExitStack() as staged:
        reader = TarReader(_plain(iter(chunks)))
        entry: Entry | None = None
        while (entry := _next(reader, entry)) is not None:
            _take(settings, reader, entry, archive, known, staged)
        if not (archive.documents or archive.layers):
            raise BadImage("the archive is empty")
        yield archive


def _next(reader: TarReader, before: Entry | None) -> Entry | None:
    try:
        entry = next(reader, None)
        if entry is None:
            reader.drain()  # whoever writes it into a pipe is to come to its end
    except BadImage as error:
        if before is None:
            raise BadImage("this is no image archive: no tar, plain or compressed with gzip or zstd") from error
        raise BadImage("the archive is damaged or cut short", hint="get it again, or save the image again") from error
    return entry


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first, chunks = _peeked(chunks)
    for magic, name in _OTHERS.items():
        if first.startswith(magic):
            raise Unsupported(
                f"the archive is compressed with {name}, which is not supported",
                hint="decompress it first; gzip and zstd are read as they are",
            )
    return decompressed(chunks)


def _peeked(chunks: Iterator[bytes], count: int = _PEEK) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all of them."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= count:
            break

    def replayed() -> Iterator[bytes]:
        if first:
            yield first
        yield from chunks

    return first, replayed()


def _take(
    settings: Settings, reader: TarReader, entry: Entry, archive: Archive, known: Known, staged: ExitStack
) -> None:
    if entry.kind == DIRECTORY:
        return
    name = _name(entry.name)
    if entry.kind in (SYMLINK, HARD_LINK):
        # a link is told from the archive's root, or from where it lies; it never leads to anything but a member
        beside = entry.name.rpartition(b"/")[0] + b"/" if entry.kind == SYMLINK else b""
        archive.add_link(name, _name(entry.link if entry.link.startswith(b"/") else beside + entry.link))
        return
    if entry.kind != FILE or entry.sparse is not None:
        raise BadImage(f"the archive holds {shown(entry.name)}, which is neither a file nor a link")
    first, pieces = _peeked(bytes(piece) for piece in reader.body())
    if _is_document(first, entry.size):
        archive.add_document(name, b"".join(pieces))
        return
    layer = LayerFile(_claimed(name), entry.size)
    archive.add_layer(name, layer)
    if layer.digest and (diff_id := known(layer.digest)):
        layer.diff_id, layer.suffix = diff_id, _suffix(first)
        return
    try:
        _unpack(settings, first, pieces, layer, staged)
    except (BadImage, VerificationFailed) as error:
        layer.problem = error


def _is_document(first: bytes, size: int) -> bool:
    if first[257:262] == b"ustar" or size > MAX_CONFIG:
        return False
    # no plain tar is smaller than its first header; old archives have tiny VERSION files
    return first.lstrip()[:1] in (b"{", b"[") or (size < _PEEK and not _suffix(first))


def _name(name: bytes) -> str:
    try:
        return clean(name).decode()
    except (BadImage, UnicodeDecodeError):
        raise BadImage(f"the archive holds a file of the name {shown(name)}") from None


def _claimed(name: str) -> str:
    """The digest by which an OCI layout calls a blob; "" for other names. Source: image-spec, image-layout.md."""
    directory, _, rest = name.partition("/")
    digest = rest.replace("/", ":", 1)
    return digest if directory == "blobs" and is_digest(digest) else ""


def _suffix(first: bytes) -> str:
    return {GZIP_MAGIC: "+gzip", ZSTD_MAGIC[:2]: "+zstd"}.get(first[:2], "")


class _Hashed:
    """Pieces on their way through, hashed. No generator: that would be closed with whoever reads from it in vain."""

    def __init__(self, pieces: Iterator[bytes], hash: hashlib._Hash | None) -> None:
        self._pieces = pieces
        self._hash = hash

    def __iter__(self) -> _Hashed:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        if self._hash is not None:
            self._hash.update(piece)
        return piece


def _unpack(settings: Settings, first: bytes, pieces: Iterator[bytes], layer: LayerFile, staged: ExitStack) -> None:
    """Raises BadImage, VerificationFailed (it is not what its name says), StoreError, PermissionNeeded."""
    algorithm = layer.digest.partition(":")[0] or "sha256"
    layer.suffix = _suffix(first)
    plain = hashlib.sha256()
    # A plain layer is its own diff: hashed once.
    is_diff = not layer.suffix and algorithm == "sha256"
    whole = plain if is_diff else hashlib.new(algorithm)
    source = _Hashed(pieces, None if is_diff else whole)
    layer.staged = snapshots.stage(settings)
    staged.callback(snapshots.remove, layer.staged)
    problem: BadImage | None = None
    try:
        unpacked = unpack_stream(decompressed(source), plain, str(layer.staged / snapshots.CONTENT))
        layer.content_size, layer.implied = unpacked.size, unpacked.implied
    except BadImage as error:
        problem = error
        snapshots.remove(layer.staged)  # now: there may be much of it, and nobody will want it
    for piece in source:
        if is_diff:
            plain.update(piece)
    digest = f"{algorithm}:{whole.hexdigest()}"
    if layer.digest and digest != layer.digest:
        raise wrong_digest(layer.digest) from problem
    if problem is not None:
        raise problem
    layer.digest, layer.diff_id = digest, f"sha256:{plain.hexdigest()}"


def wrong_digest(digest: str) -> VerificationFailed:
    return VerificationFailed(
        f"what the archive calls {digest} does not have this digest",
        hint="the archive is damaged or forged; get it again",
    )
