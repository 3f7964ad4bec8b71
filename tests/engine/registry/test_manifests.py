from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import BadImage, EngineError, InvalidInput, Unsupported
from engine.models import Platform
from engine.registry import platforms
from engine.registry.manifests import OCI_INDEX, OCI_MANIFEST, Index, Manifest, parse

DIGEST = "sha256:" + "0" * 64
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 2}
MANIFEST = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}


def read(document: object) -> Index | Manifest:
    return parse(json.dumps(document).encode(), "", "host", "app")


def test_a_good_manifest_is_read() -> None:
    manifest = read(MANIFEST)
    assert isinstance(manifest, Manifest)
    assert [layer.digest for layer in manifest.layers] == [DIGEST]


@pytest.mark.parametrize(
    "change",
    [
        {"layers": None},
        {"config": None},
        {"config": []},
        {"layers": {}},
        {"layers": [7]},
        {"layers": [{**LAYER, "digest": "sha256:../../etc/passwd"}]},
        {"layers": [{**LAYER, "digest": "md5:" + "0" * 32}]},
        {"layers": [{**LAYER, "digest": 7}]},
        {"layers": [{**LAYER, "size": -1}]},
        {"layers": [{**LAYER, "size": True}]},
        {"layers": [{**LAYER, "size": "7"}]},
        {"layers": [{**LAYER, "size": 1e3}]},
        {"layers": [{**LAYER, "size": 1 << 70}]},
        {"layers": [{**LAYER, "urls": "http://x"}]},
        {"layers": [{**LAYER, "urls": [7]}]},
        {"layers": [LAYER] * 1001},
        {"manifests": []},
        {"mediaType": OCI_INDEX},
        {"schemaVersion": 3},
        {"schemaVersion": None},
    ],
)
def test_a_manifest_that_breaks_the_specification_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadImage, match="app"):
        read({**MANIFEST, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schemaVersion": 1}, "schema 1"),
        ({"mediaType": "application/x\x1b[2J"}, "not a container image"),
        ({"config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "helm"),
        ({"artifactType": "application/vnd.example.sbom"}, "sbom"),
        ({"layers": [{**LAYER, "mediaType": f"{LAYER['mediaType']}+encrypted"}]}, "encrypted"),
    ],
)
def test_what_is_no_image_we_can_run_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words) as caught:
        read({**MANIFEST, **change})
    assert caught.value.message.isprintable()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from([DIGEST, LAYER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_keys = st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "artifactType"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_keys, _json, max_size=3), st.booleans())
def test_any_document_is_read_or_refused_by_an_error_of_ours(change: dict[str, Any], whole: bool) -> None:
    try:
        read({**MANIFEST, **change} if whole else {"schemaVersion": 2, **change})
    except EngineError as error:
        assert error.message.isprintable()


# platforms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
        ("linux/mips64le", "linux/mips64le"),
        ("amd64", f"{platforms.local().os}/amd64"),
        ("linux", str(platforms.local())),
    ],
)
def test_platforms_are_read_as_docker_reads_them(text: str, platform: str) -> None:
    assert str(platforms.parse(text)) == platform


@pytest.mark.parametrize("text", ["", "linux/", "/amd64", "nonsense", "a/b/c/d", "linux/am d64", "linux/\x1b[2J"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid platform") as caught:
        platforms.parse(text)
    assert caught.value.message.isprintable()


def test_the_best_fit_is_the_newest_variant_that_runs() -> None:
    def best(wanted: str, *offered: str) -> str:
        there = [Platform(*one.split("/")) for one in offered]
        place = platforms.best(platforms.parse(wanted), there)
        return offered[place] if place >= 0 else ""

    assert best("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm/v8") == "linux/arm/v6"
    assert best("linux/arm64", "linux/arm/v7", "linux/arm64/v8") == "linux/arm64/v8"
    assert best("linux/arm64", "linux/amd64", "linux/arm/v7") == "linux/arm/v7"
    assert best("linux/amd64", "linux/amd64/v3") == ""
    assert best("linux/amd64/v3", "linux/amd64", "linux/amd64/v2") == "linux/amd64/v2"
    assert best("linux/amd64", "windows/amd64", "linux/386") == ""
    assert best("linux/amd64") == ""
