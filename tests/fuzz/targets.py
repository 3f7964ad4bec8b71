"""What reads bytes that others made: each target takes any bytes and may raise nothing but an error of ours."""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from engine import reference
from engine.cli.drive import iterate
from engine.containers import transfer, users
from engine.errors import EngineError, InvalidInput
from engine.images import compression, config
from engine.images.tar import TarReader
from engine.images.unpack import unpack
from engine.logs import reader, sanitise
from engine.models import LogQuery
from engine.registry import blocking, challenges, manifests
from engine.registry.url import URL
from engine.runtime import seccomp, seccomp_docker

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "text/html",
    "",
)


def parse_reference(data: bytes) -> None:
    """A reference that is read names the same when it is written and read again."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = reference.parse(text)
    except InvalidInput as error:
        assert error.message
        return
    assert reference.parse(found.canonical).canonical == found.canonical
    assert reference.parse(found.familiar).canonical == found.canonical
    for part in (found.registry, found.repository, found.tag, found.digest):
        assert ".." not in part.split("/")
        assert part.isprintable()


def read_tar(data: bytes) -> None:
    """However it is cut into chunks, an archive has the same entries, or is refused."""
    cut = data[0] + 1 if data else 1
    assert _entries(data[1:], len(data) + 1) == _entries(data[1:], cut)


def unpack_layer(data: bytes) -> None:
    """Nothing outside of the snapshot is made or changed."""
    top = tempfile.mkdtemp(prefix="ph-fuzz-")
    try:
        Path(top, "inside").mkdir()
        Path(top, "beside").write_bytes(b"untouched")
        before = Path(top, "beside").stat()
        try:
            unpack(TarReader(iter([data])), f"{top}/inside")
        except EngineError as error:
            assert error.message.isprintable()
        assert sorted(path.name for path in Path(top).iterdir()) == ["beside", "inside"]
        after = Path(top, "beside").stat()
        assert (before.st_mode, before.st_uid, before.st_ctime_ns) == (after.st_mode, after.st_uid, after.st_ctime_ns)
    finally:
        shutil.rmtree(top)


def copy_archive(data: bytes) -> None:
    """`cp -` into a container: nothing outside of the place is made, changed or removed, nor what is there replaced."""
    top = tempfile.mkdtemp(prefix="ph-fuzz-")
    try:
        Path(top, "place/kept").mkdir(parents=True)
        Path(top, "place/out").symlink_to("/beside")
        Path(top, "beside").write_bytes(b"untouched")
        before = Path(top, "beside").stat()
        try:
            unpack(transfer.IntoContainer(iter([data]), {}, "/place"), top, layer=False)
        except EngineError as error:
            assert error.message.isprintable()
        assert sorted(path.name for path in Path(top).iterdir()) == ["beside", "place"]
        assert Path(top, "place/kept").is_dir()
        after = Path(top, "beside").stat()
        assert (before.st_mode, before.st_uid, before.st_ctime_ns) == (after.st_mode, after.st_uid, after.st_ctime_ns)
    finally:
        shutil.rmtree(top)


def decompress(data: bytes) -> None:
    """No chunk is larger than it may be, whatever the stream claims."""
    total = 0
    try:
        for piece in compression.decompressed(iter([data])):
            assert len(piece) <= 16 << 20
            total += len(piece)
            if total > 64 << 20:
                return
    except EngineError as error:
        assert error.message


def parse_manifest(data: bytes) -> None:
    kind = TYPES[data[0] % len(TYPES)] if data else ""
    try:
        manifests.parse(data[1:], kind, "registry.example", "registry.example/a:b")
    except EngineError as error:
        assert error.message.isprintable()


def parse_config(data: bytes) -> None:
    try:
        document = config.parse(data)
    except EngineError as error:
        assert error.message.isprintable()
        return
    config.execution(document)
    config.history(document)
    config.created(document)
    config.chain_ids(config.diff_ids(document))


def read_log(data: bytes) -> None:
    """No line holds a newline, and the end of a log has no more lines than asked for."""
    top = tempfile.mkdtemp(prefix="ph-fuzz-")
    try:
        Path(top, "container.log").write_bytes(data)
        whole = list(reader.read(top, LogQuery()))
        assert all(b"\n" not in line.text for line in whole)
        for count in (0, 1, 3):
            assert len(list(reader.read(top, LogQuery(tail=count)))) <= min(count, len(whole))
        list(reader.read(top, LogQuery(since=1.7e9, until=1.8e9)))
    finally:
        shutil.rmtree(top)


def make_safe(data: bytes) -> None:
    """What is shown of a log holds no character that steers a terminal."""
    assert not STEERING.search(sanitise.plain(data))
    without = sanitise.for_terminal(data, colours=False)
    assert not STEERING.search(without)
    with_colours = re.sub(r"\x1b\[[0-9;:]*m", "", sanitise.for_terminal(data))
    assert not STEERING.search(with_colours)


def read_users(data: bytes) -> None:
    """A hostile /etc/passwd and /etc/group give a user or a sentence."""
    top = tempfile.mkdtemp(prefix="ph-fuzz-")
    try:
        Path(top, "etc").mkdir()
        wanted, _, rest = data.partition(b"\n")
        passwd, _, group = rest.partition(b"\0")
        Path(top, "etc/passwd").write_bytes(passwd)
        Path(top, "etc/group").write_bytes(group)
        try:
            found = users.resolve([top], wanted.decode("utf-8", "replace"))
        except EngineError as error:
            assert error.message
            return
        assert 0 <= found.uid < 1 << 31
        assert 0 <= found.gid < 1 << 31
    finally:
        shutil.rmtree(top)


def compile_seccomp(data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        profile = seccomp_docker.translate(document, ("CAP_CHOWN",), "x86_64", name="fuzz")
        assert len(seccomp.compile(profile, "x86_64")) % 8 == 0
    except EngineError as error:
        assert error.message


def parse_challenge(data: bytes) -> None:
    challenges.parse([data.decode("utf-8", "replace")])


def read_answer(data: bytes) -> None:
    """Whatever a server answers: a head without control characters and a body no longer than what came."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[:100_000])
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        try:
            answer = blocking._Connection(ours).exchange("GET", URL("http", "registry.example"), b"GET")
            assert 200 <= answer.status <= 999
            values = "".join(answer.headers.get(name) for name in ("Location", "WWW-Authenticate", "Content-Type"))
            assert not any(character < " " and character != "\t" for character in values)
            assert sum(len(piece) for piece in iterate(answer.parts())) <= len(data)
        except EngineError as error:
            assert error.message.isprintable()


def parse_url(data: bytes) -> None:
    """A web URL that is read goes where its text, written anew, goes; and no part of it ends a line or a field."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (URL.parse, URL("https", "registry.example", None, "/v2/").join):
        try:
            found = read(text)
        except ValueError:
            continue
        if found.scheme not in ("http", "https"):
            continue  # refused by whoever would open it, by its name
        assert URL.parse(str(found)) == found
        assert all(part.isascii() and part.isprintable() and " " not in part for part in (found.host, found.target))


def _entries(data: bytes, size: int) -> list[tuple[object, ...]] | str:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    found: list[tuple[object, ...]] = []
    try:
        archive = TarReader(chunks())
        for entry in archive:
            found.append((entry.name, entry.kind, entry.mode, entry.link, entry.real_size, b"".join(archive.body())))
    except EngineError as error:
        return error.message
    return found


TARGETS: dict[str, Callable[[bytes], None]] = {
    "reference": parse_reference,
    "tar": read_tar,
    "unpack": unpack_layer,
    "copy": copy_archive,
    "compression": decompress,
    "manifest": parse_manifest,
    "config": parse_config,
    "log": read_log,
    "sanitise": make_safe,
    "users": read_users,
    "seccomp": compile_seccomp,
    "challenge": parse_challenge,
    "answer": read_answer,
    "url": parse_url,
}
