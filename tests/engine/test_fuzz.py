"""Every fuzz target under random bytes and under damaged good input: what atheris does for hours, for a second each."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.support.layers import LayerTar

DIGEST = "sha256:" + "a" * 64
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 7},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 9}],
}
CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "created": "2024-05-06T07:08:09.5Z",
    "config": {"User": "a", "Env": ["A=b"], "Cmd": ["c"], "Labels": {"d": "e"}, "ExposedPorts": {"80/tcp": {}}},
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    "history": [{"created": "2024-05-06T07:08:09Z", "created_by": "x", "empty_layer": True}],
}
TAR = LayerTar().directory("d").file("d/f", b"content" * 90).symlink("l", "../../outside").build()
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": []}]}
LOG = b"2024-05-06T07:08:09.000000001Z stdout F one\n2024-05-06T07:08:10.000000001Z stderr P two\n" * 3
GOOD: dict[str, bytes] = {
    "reference": b"registry.example:5000/a/b__c:tag-1.0@" + DIGEST.encode(),
    "tar": b"\x07" + TAR,
    "unpack": TAR,
    "copy": TAR,
    "compression": gzip.compress(TAR),
    "manifest": b"\0" + json.dumps(MANIFEST).encode(),
    "config": json.dumps(CONFIG).encode(),
    "log": LOG,
    "sanitise": "\x1b[31mred\x1b[0m \x9b1m \u202e".encode() + b"\xff",
    "users": b"me:users\nme:x:5:6:me:/home:/bin/sh\n\0users:x:7:me,root\n",
    "seccomp": json.dumps(PROFILE).encode(),
    "answer": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "url": b"https://user:secret@Registry.example:5000/v2/a%20b/?n=1&m=\xc3\xa4#end",
    "challenge": b'Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull", Basic realm="x"',
}


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_of_any_kind_end_in_nothing_but_an_error_of_ours(name: str) -> None:
    target, good = TARGETS[name], GOOD[name]
    target(good)

    @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def damaged(data: st.DataObject) -> None:
        content = bytearray(good)
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, len(content)))
            end = data.draw(st.integers(start, min(len(content), start + 20)))
            content[start:end] = data.draw(st.binary(max_size=12))
        target(bytes(content))

    @settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(max_size=600))
    def anything(content: bytes) -> None:
        target(content)

    damaged()
    anything()
