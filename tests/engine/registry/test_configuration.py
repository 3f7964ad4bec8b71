from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL as ProxyURL

from engine.errors import InvalidInput
from engine.registry.configuration import Configuration, Endpoint, configuration_path, is_loopback
from engine.registry.proxies import proxy_for
from engine.registry.text import printable, registry_message
from engine.registry.url import URL


def load(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return Configuration.load(file)


def test_the_registry_part_of_the_users_file_is_read(tmp_path: Path) -> None:
    configuration = load(
        tmp_path,
        '[theme]\nname = "x"\n[registry]\ninsecure = ["lan:5000", "10.0.0.0/8", "fd00::/8"]\n'
        '[registry.mirrors]\n"docker.io" = ["https://m.lan", "harbor.lan/hub", "http://plain.lan:80"]\n'
        '[registry.ca]\n"lan:5000" = "/ca.pem"\n',
    )
    assert configuration.authorities == {"lan:5000": "/ca.pem"}
    for host in ("lan:5000", "10.1.2.3:5000", "10.1.2.3", "[fd00::1]:5000"):
        assert configuration.is_insecure(host)
        assert configuration.may_be_plain(host)
    for host in ("lan", "lan:5001", "11.0.0.1", "xlan:5000", "127.0.0.1:5000"):
        assert not configuration.is_insecure(host)
    assert configuration.endpoints("docker.io") == (
        Endpoint("m.lan", "", is_mirror=True, plain=False),
        Endpoint("harbor.lan", "hub/", is_mirror=True, plain=False),
        Endpoint("plain.lan:80", "", is_mirror=True, plain=True),
        Endpoint("registry-1.docker.io"),
    )
    assert configuration.endpoints("localhost:5000") == (Endpoint("localhost:5000", plain=True),)


def test_no_file_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert configuration_path() == tmp_path / "home/.config/pilothouse/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert configuration_path() == tmp_path / "home/.config/pilothouse/config.toml"
    assert Configuration.load() == Configuration(
        certificate_directories=(tmp_path / "home/.config/pilothouse/certs.d", *Configuration().certificate_directories)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[registry", "not valid TOML"),
        ("registry = 1", "registry must be a table"),
        ("[registry]\ninsecure = 'x'", "registry.insecure must be a list"),
        ("[registry]\ninsecure = [1]", "registry.insecure must be a list"),
        ("[registry.mirrors]\n'docker.io' = 'm'", 'registry.mirrors."docker.io" must be a list'),
        ("[registry.ca]\nh = 1", 'registry.ca."h" must be the path'),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path, text)
    assert words in caught.value.message
    assert str(tmp_path / "config.toml") in caught.value.message


@pytest.mark.parametrize("mirror", ["", "ftp://h", "u:p@h", "https://"])
def test_a_mirror_that_is_none_is_named(mirror: str) -> None:
    with pytest.raises(InvalidInput, match="mirror"):
        Configuration(mirrors={"docker.io": (mirror,)}).endpoints("docker.io")


def test_loopback_is_what_cannot_leave_the_machine() -> None:
    assert all(map(is_loopback, ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["localhost.example.org", "128.0.0.1", "::2", "127.0.0.1.example.org", ""]))


PROXY = "http://proxy.lan:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://quay.io/", "", False),
        ("https://127.0.0.1:5000/", "", True),
        ("https://[::1]/", "", True),
        ("https://localhost/", "", True),
        ("https://quay.io/", "*", True),
        ("https://quay.io/", " quay.io ", True),
        ("https://quay.io/", "x,QUAY.IO", True),
        ("https://a.quay.io/", "quay.io", True),
        ("https://a.quay.io/", ".quay.io", True),
        ("https://a.quay.io/", "*.quay.io", True),
        ("https://quay.io/", ".quay.io", False),
        ("https://notquay.io/", "quay.io", False),
        ("https://quay.io/", "quay.io:5000", False),
        ("https://quay.io/", "quay.io:443", True),
        ("https://10.1.2.3/", "10.0.0.0/8", True),
        ("https://11.1.2.3/", "10.0.0.0/8", False),
        ("https://10.1.2.3/", "10.1.2.3", True),
        ("https://10.1.2.3:5000/", "10.1.2.3:5000", True),
        ("https://[fd00::1]/", "fd00::/8", True),
        ("https://[fd00::1]:5000/", "[fd00::1]:5000", True),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(url: str, no_proxy: str, direct: bool) -> None:
    found = proxy_for(URL.parse(url), {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert found == (None if direct else ProxyURL(PROXY))


def test_a_proxy_is_chosen_by_the_urls_scheme() -> None:
    environment = {"https_proxy": "proxy.lan:1", "HTTP_PROXY": "http://proxy.lan:2"}
    assert proxy_for(URL.parse("https://quay.io"), environment) == ProxyURL("http://proxy.lan:1")
    assert proxy_for(URL.parse("http://quay.io"), environment) == ProxyURL("http://proxy.lan:2")
    assert proxy_for(URL.parse("http://quay.io"), {}) is None


@pytest.mark.parametrize("value", ["socks5://user:hunter2@h:1", "http://user:hunter2@:x", "://hunter2"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(value: str) -> None:
    with pytest.raises(InvalidInput, match="HTTPS_PROXY") as caught:
        proxy_for(URL.parse("https://quay.io"), {"HTTPS_PROXY": value})
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_texts_of_registries_are_made_harmless_and_short() -> None:
    assert printable("a\x1b[31mb\u202ec\nd") == "a\\x1b[31mb\\u202ec d"
    assert printable(b"\xff\x00") == "\ufffd\\x00"
    assert len(printable("x" * 10_000)) == 301
    assert URL.parse("https://u:p@h:1/a?token=s#f").public == "https://h:1/a"
    for body in (b"", b"[]", b"{}", b'{"errors": 1}', b'{"errors": []}', b'{"errors": [1]}', b"[" * 100_000):
        assert registry_message(body) == ("", "")
    assert registry_message(b'{"errors": [{"code": 1, "message": {}}]}') == ("", "")
