"""`-v`, `--mount` and `--tmpfs` as typed."""

from __future__ import annotations

import pytest

from engine.cli.mounts import parse_mount, parse_tmpfs, parse_volume
from engine.errors import InvalidInput
from engine.models import Mount


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", Mount("volume", "/data")),
        ("cache:/data", Mount("volume", "/data", "cache")),
        ("cache:/data:ro,nocopy", Mount("volume", "/data", "cache", True, ("nocopy",))),
        ("/host:/data", Mount("bind", "/data", "/host", False, ("create",))),
        ("/host:/data:ro", Mount("bind", "/data", "/host", True, ("create",))),
        ("/host/:/data:rslave,z", Mount("bind", "/data", "/host", False, ("create", "rslave"))),
    ],
)
def test_volumes(text, mount):
    assert parse_volume(text) == mount


def test_a_relative_source_is_taken_from_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_volume("./x:/data").source == f"{tmp_path}/x"
    assert parse_volume(".:/data").source == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/x", Mount("volume", "/x")),
        ("type=volume,src=v1,dst=/x,volume-nocopy", Mount("volume", "/x", "v1", False, ("nocopy",))),
        ("type=bind,source=/a,target=/x,readonly", Mount("bind", "/x", "/a", True)),
        ("type=bind,source=/a,target=/x,readonly=false", Mount("bind", "/x", "/a")),
        ('type=bind,"source=/a,b",target=/x', Mount("bind", "/x", "/a,b")),
        ("type=bind,src=/a,dst=/x,bind-propagation=rshared", Mount("bind", "/x", "/a", False, ("rshared",))),
        (
            "type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700",
            Mount("tmpfs", "/x", "", False, ("size=1048576", "mode=700")),
        ),
    ],
)
def test_mounts(text, mount):
    assert parse_mount(text) == mount


def test_tmpfs():
    assert parse_tmpfs("/x") == Mount("tmpfs", "/x")
    assert parse_tmpfs("/x:ro,size=64m,noexec") == Mount("tmpfs", "/x", "", True, ("size=64m", "noexec"))


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_volume, "a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        (parse_volume, ":/x", "invalid volume specification: ':/x'"),
        (parse_volume, "/a:/b:zz", "invalid mode: zz"),
        (parse_volume, "foo:bar", "mount path must be absolute"),
        (parse_volume, "foo/x:/bar", 'create foo/x: "foo/x" includes invalid characters for a local volume name'),
        (parse_volume, "/a:/", "destination can't be '/'"),
        (parse_mount, "x", "invalid field 'x' must be a key=value pair"),
        (parse_mount, "foo=bar,target=/x", "unexpected key 'foo' in 'foo=bar'"),
        (parse_mount, "type=foo", "target is required"),
        (parse_mount, "type=bind,target=/x", 'invalid mount config for type "bind": field Source must not be empty'),
        (parse_mount, "type=tmpfs,src=/a,target=/x", "field Source must not be specified"),
        (parse_mount, "type=tmpfs,tmpfs-size=zz,target=/x", "invalid value for tmpfs-size: zz"),
        (parse_mount, "type=bind,src=/a,dst=/x,tmpfs-size=1m", "cannot mix 'size=1048576' with mount type 'bind'"),
        (parse_tmpfs, "foo", "invalid mount path: 'foo' mount path must be absolute"),
    ],
)
def test_what_cannot_be_mounted_is_refused_in_the_words_of_docker(parse, text, message):
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert message in refused.value.message
