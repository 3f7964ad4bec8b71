"""The tar reader against Python's tarfile and GNU tar, on good archives, damaged ones and hostile ones."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadImage
from engine.images.tar import DIRECTORY, FILE, MAX_EXTENDED_HEADER, Entry, TarReader
from tests.support.layers import END, LayerTar, checksummed, header, padded

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def read(data: bytes, chunk: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    """Every entry with its data, the archive coming in chunks of this size."""
    reader = TarReader(data[at : at + chunk] for at in range(0, len(data), chunk))
    return [(entry, b"".join(bytes(piece) for piece in reader.body())) for entry in reader]


def entries(data: bytes) -> list[Entry]:
    return [entry for entry, _ in read(data)]


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return header(b"pax", kind, size=len(records)) + padded(records)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    digits = len(str(length))
    if len(str(length + digits)) > digits:
        digits += 1
    return b"%d %s=%s\n" % (length + digits, key, value)


def sparse(*settings: bytes) -> bytes:
    return pax(
        b"".join(record(b"GNU.sparse." + key, value) for key, _, value in (one.partition(b"=") for one in settings))
    )


names = st.binary(min_size=1, max_size=300).map(
    lambda raw: b"/".join(part[:90] for part in raw.replace(b"\0", b"x").split(b"/") if part) or b"n"
)
members = st.tuples(
    names,
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
    st.binary(max_size=1500),
    st.integers(0, 0o7777),
    st.integers(0, 2**32 - 2),
    st.integers(0, 2**40) | st.floats(-1e6, 2e9, allow_nan=False).map(lambda value: round(value, 3)),
    names,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(members, max_size=6), st.sampled_from(["gnu", "pax"]), st.integers(1, 3000))
def test_it_reads_what_tarfile_writes_however_it_is_cut_into_chunks(found: list, format: str, chunk: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[format], errors="surrogateescape") as archive:
        for name, kind, content, mode, owner, mtime, link in found:
            member = tarfile.TarInfo(os.fsdecode(name))
            member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
            member.mtime = mtime if format == "pax" else abs(int(mtime))
            member.linkname = os.fsdecode(link) if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(content))
    ours = read(buffer.getvalue(), chunk)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer, errors="surrogateescape") as archive:
        theirs = archive.getmembers()
        assert len(ours) == len(theirs)
        for (entry, content), member in zip(ours, theirs, strict=True):
            assert entry.name.rstrip(b"/") == os.fsencode(member.name)
            assert (entry.kind, entry.mode, entry.uid, entry.gid) == (member.type, member.mode, member.uid, member.gid)
            assert entry.mtime / 1e9 == pytest.approx(member.mtime, rel=1e-12, abs=1e-6)
            assert entry.link == os.fsencode(member.linkname)
            assert entry.real_size == member.size
            if member.isreg():
                assert content == archive.extractfile(member).read()  # type: ignore[union-attr]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_archive_is_refused_or_read_and_never_anything_else(data: st.DataObject) -> None:
    archive = bytearray(
        LayerTar()
        .directory("d", xattrs={"user.a": b"\xff\0"})
        .file("d/" + "n" * 200, b"content" * 100)
        .symlink("l", "t" * 150)
        .build()[:6144]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(archive) - 1))
        archive[at] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()):  # get past the checksum
            block = at // 512 * 512
            archive[block : block + 512] = checksummed(archive[block : block + 512])
    try:
        read(bytes(archive), data.draw(st.integers(1, 5000)))
    except BadImage as error:
        assert error.message


@pytest.mark.parametrize(
    "options", [["--format=gnu"], *(["--format=pax", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0"))]
)
def test_it_reads_every_sparse_form_that_gnu_tar_writes(tmp_path: Path, options: list[str]) -> None:
    """More segments than fit into one header, a hole at the end, and a name that needs an extended header."""
    long = "s" * 120
    with (tmp_path / long).open("wb") as file:
        for number in range(60):
            file.seek(number * 65536)
            file.write(b"%04d" % number * 1024)
        file.truncate(60 * 65536 + 5_000_000)
    (tmp_path / "after").write_bytes(b"next")
    data = subprocess.run(
        ["tar", "-cS", *options, "-C", str(tmp_path), long, "after"], check=True, capture_output=True
    ).stdout
    (sparse, packed), (after, content) = read(data, 1000)
    assert sparse.name == long.encode()
    assert sparse.sparse is not None
    whole = bytearray(sparse.real_size)
    at = 0
    for offset, length in sparse.sparse:
        whole[offset : offset + length] = packed[at : at + length]
        at += length
    assert bytes(whole) == (tmp_path / long).read_bytes()
    assert len(packed) < 1_000_000
    assert (after.name, content) == (b"after", b"next")


def test_a_name_may_be_split_over_the_ustar_prefix() -> None:
    buffer = io.BytesIO()
    name = "p" * 80 + "/" + "n" * 80
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert entries(buffer.getvalue())[0].name == name.encode()


def test_a_name_of_the_old_format_that_ends_in_a_slash_is_a_directory() -> None:
    for kind in (b"\0", b"0"):
        assert entries(header(b"old/", kind, magic=bytes(8)) + END)[0].kind == DIRECTORY


def test_numbers_may_be_in_base_256() -> None:
    size = (3).to_bytes(12, "big")
    size = bytes([0x80]) + size[1:]
    past = (-5).to_bytes(12, "big", signed=True)
    data = header(b"f", size=size, mtime=past, uid=b"\x80\0\0\0\x12\x34\x56\x78") + padded(b"abc") + END
    ((entry, content),) = read(data)
    assert (entry.mtime, entry.uid, content) == (-5_000_000_000, 0x12345678, b"abc")


def test_times_have_nanoseconds() -> None:
    data = pax(record(b"mtime", b"1700000000.123456789")) + header(b"f") + pax(record(b"mtime", b"-1.5")) + header(b"g")
    assert [entry.mtime for entry in entries(data + END)] == [1_700_000_000_123_456_789, -1_500_000_000]


def test_pax_records_may_give_link_size_and_owner() -> None:
    records = (
        record(b"linkpath", b"\xff/far") + record(b"uid", b"70000000") + record(b"gid", b"9") + record(b"path", b"n")
    )
    (entry,) = entries(pax(records) + header(b"x", b"2", link=b"near") + END)
    assert (entry.name, entry.link, entry.uid, entry.gid) == (b"n", b"\xff/far", 70000000, 9)
    ((_, content),) = read(pax(record(b"size", b"4")) + header(b"x") + padded(b"four") + END)
    assert content == b"four"


def test_a_global_header_speaks_of_no_file() -> None:
    data = pax(record(b"path", b"evil"), b"g") + header(b"good") + END
    assert [entry.name for entry in entries(data)] == [b"good"]


def test_the_data_of_a_hard_link_is_nothing_whatever_its_size_says() -> None:
    data = header(b"l", b"1", size=1000, link=b"t") + header(b"f") + END
    assert [(entry.name, entry.size) for entry in entries(data)] == [(b"l", 0), (b"f", 0)]


def test_an_archive_may_lack_its_end() -> None:
    assert [entry.kind for entry in entries(header(b"f"))] == [FILE]
    assert entries(b"") == []


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (header(b"pax", b"x", size=1 << 33), "extended header"),
        (header(b"pax", b"x", size=MAX_EXTENDED_HEADER + 1), "extended header"),
        (header(b"long", b"L", size=1 << 40), "extended header"),
        (header(b"f", size=5), "middle"),
        (header(b"f")[:300], "middle"),
        (header(b"f")[:-1] + b"x", "checksum"),
        (header(b"f", size=b"notanumber!\0"), "number"),
        (header(b"f", size=b"\xff" * 12), "range"),
        (header(b"f", uid=b"\x80\0\0\xff\xff\xff\xff\xff"), "owner"),
        (header(b"f", b"Z"), "unknown kind"),
        (pax(b"999 path=x\n") + header(b"f"), "damaged"),
        (pax(b"-5 path=x\n") + header(b"f"), "damaged"),
        (pax(b"0 path=x\n") + header(b"f"), "damaged"),
        (pax(record(b"path", b"a\0b")) + header(b"f"), "zero byte"),
        (pax(record(b"size", b"-1")) + header(b"f"), "number"),
        (pax(record(b"size", b"9" * 30)) + header(b"f"), "number"),
        (pax(record(b"mtime", b"1e9")) + header(b"f"), "time"),
        (sparse(b"map=0,5,3,9", b"size=20") + header(b"f", size=14) + bytes(512), "overlap"),
        (sparse(b"map=0,5", b"size=3") + header(b"f", size=5) + bytes(512), "leave"),
        (sparse(b"map=0,5,9", b"size=30") + header(b"f", size=5) + bytes(512), "half"),
        (sparse(b"map=0,5", b"size=30") + header(b"f", size=6) + bytes(512), "fit"),
        (sparse(b"major=1", b"minor=0", b"realsize=9") + header(b"f", size=512) + padded(b"99999999\n"), "segments"),
        (sparse(b"major=1", b"minor=0", b"realsize=9") + header(b"f", size=512) + padded(b"3\n0\n1\n"), "map"),
        (sparse(b"major=2", b"minor=0") + header(b"f"), "version"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)  # fmt: skip
def test_what_is_no_sound_archive_is_refused_with_a_sentence(data: bytes, word: str) -> None:
    with pytest.raises(BadImage, match=word):
        read(data)
