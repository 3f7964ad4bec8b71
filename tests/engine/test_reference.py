from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.reference import Reference, is_digest, parse

# Speed is not what these test, and a busy machine must not fail them.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("redis", "docker.io/library/redis:latest", "redis:latest"),
        ("redis:7", "docker.io/library/redis:7", "redis:7"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest"),
        ("docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("index.docker.io/library/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("library/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("localhost/redis", "localhost/redis:latest", "localhost/redis:latest"),
        ("host:5000/a/b/c:v1", "host:5000/a/b/c:v1", "host:5000/a/b/c:v1"),
        ("quay.io/a/b", "quay.io/a/b:latest", "quay.io/a/b:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("[2001:db8::1]/a:b", "[2001:db8::1]/a:b", "[2001:db8::1]/a:b"),
        ("HOST/a", "HOST/a:latest", "HOST/a:latest"),
        (f"redis@{DIGEST}", f"docker.io/library/redis@{DIGEST}", f"redis@{DIGEST}"),
        (f"redis:7@{DIGEST}", f"docker.io/library/redis:7@{DIGEST}", f"redis:7@{DIGEST}"),
        ("a__b/c-d--e.f_g", "docker.io/a__b/c-d--e.f_g:latest", "a__b/c-d--e.f_g:latest"),
        # what Docker shortens into another image keeps its long name
        ("docker.io/localhost/x", "docker.io/localhost/x:latest", "docker.io/localhost/x:latest"),
        ("docker.io/a.b/x", "docker.io/a.b/x:latest", "docker.io/a.b/x:latest"),
        (f"docker.io/library/{'a' * 64}:x", f"docker.io/library/{'a' * 64}:x", f"docker.io/library/{'a' * 64}:x"),
    ],
)
def test_names_are_read_and_shortened_as_docker_does(text: str, canonical: str, familiar: str) -> None:
    reference = parse(text)
    assert reference.canonical == canonical
    assert reference.familiar == familiar


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid reference format: repository name must have at least one component"),
        ("Redis", "invalid reference format: repository name must be lowercase"),
        ("localhost/Redis:x", "invalid reference format: repository name must be lowercase"),
        ("a" * 64, "cannot specify 64-byte hexadecimal strings"),
        ("host/" + "a" * 256, "invalid reference format: repository name must not be more than 255 characters"),
        *(
            (text, "invalid reference format")
            for text in [
                *("a:b:c", "redis:", "redis@", "a//b", "-a", "a/-b", "a/", "/a", "a b", "redis\n", ":x", "@", "é"),
                *("redis:" + "x" * 129, "redis:.x", "redis@sha256:abc", "redis@md5:" + "a" * 32, "a..b", "a___b"),
                *(
                    "redis@" + DIGEST.upper(),
                    "redis@" + DIGEST + "0",
                    "http://host/a",
                    "host:port/a",
                    "[::1/a",
                    "a@b/c",
                ),
                *("..", "../a", "a/../b", "host.:5/a", "\x1b[31m"),
            ]
        ),
    ],
)
def test_what_is_no_reference_is_refused_in_dockers_words(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message + caught.value.hint


def test_a_digest_is_full_length_and_lower_case() -> None:
    assert is_digest(DIGEST)
    assert is_digest("sha512:" + "a" * 128)
    assert not any(map(is_digest, ["", "sha256:", DIGEST[:-1], DIGEST + "\n", DIGEST[:-1] + "G", "sha1:" + "a" * 40]))


_component = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) <= 30)
_label = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", fullmatch=True)
_host = st.one_of(
    st.just("localhost"),
    st.lists(_label, min_size=2, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.integers(0, 0xFFFF).map(lambda low: f"[2001:db8::{low:x}]"),
)
_port = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
_registry = st.one_of(st.just("docker.io"), st.builds(lambda host, port: host + port, _host, _port))
_repository = st.lists(_component, min_size=1, max_size=4).map("/".join)
_tag = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", fullmatch=True).map(lambda tag: tag[:128])
_digest = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
_references = st.builds(
    Reference, _registry, _repository, st.one_of(st.just(""), _tag), st.one_of(st.just(""), _digest)
).filter(lambda one: bool(one.tag or one.digest) and len(one.name) <= 255 and one.registry != "index.docker.io")


@unhurried
@given(_references)
def test_every_reference_is_read_back_from_both_of_its_spellings(reference: Reference) -> None:
    if reference.registry == "docker.io" and "/" not in reference.repository:
        reference = Reference("docker.io", f"library/{reference.repository}", reference.tag, reference.digest)
    assert parse(reference.canonical) == reference
    assert parse(reference.familiar) == reference


@unhurried
@given(st.one_of(st.text(max_size=80), st.text("aA0/:@.-_[]", max_size=30)))
def test_any_text_is_a_reference_or_invalid_input(text: str) -> None:
    try:
        reference = parse(text)
    except InvalidInput as error:
        assert error.message.isprintable()
    else:
        assert reference.tag or reference.digest
        assert parse(reference.canonical) == reference
        assert parse(reference.familiar) == reference
