"""URLs that others name: what is checked is what is sent."""

from __future__ import annotations

import pytest
import yarl

from engine.registry.url import URL


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://Quay.IO", "https://quay.io/"),
        ("https://user:secret@h:1/a?b=c#d", "https://h:1/a?b=c"),
        ("http://[2001:DB8::1]:5000/v2/", "http://[2001:db8::1]:5000/v2/"),
        ("https://h/a b/ü?x=ü", "https://h/a%20b/%C3%BC?x=%C3%BC"),
        ("https://h/a%2Fb?sig=%2B%3D+", "https://h/a%2Fb?sig=%2B%3D+"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://h?x", "https://h/?x"),
        ("https://evil.example\\@h/", ""),
        ("https://h\r\nHost: evil/", ""),
        ("https://h\t.example/", ""),
        ("https://a b/", ""),
        ("https://h:port/", ""),
        ("https://h:99999/", ""),
        ("https://[::1%25eth0]/", ""),
        ("https://..h/", ""),
        ("https:///path", ""),
        ("//h/path", ""),
        ("", ""),
    ],
)
def test_a_url_is_read_in_one_way_only(text: str, found: str) -> None:
    if not found:
        with pytest.raises(ValueError):
            URL.parse(text)
        return
    url = URL.parse(text)
    assert str(url) == found
    assert URL.parse(found) == url
    theirs = yarl.URL(found, encoded=True)  # what aiohttp makes of it
    assert (theirs.scheme, theirs.raw_host, theirs.explicit_port, theirs.raw_path_qs) == (
        url.scheme,
        url.host,
        url.port,
        url.target,
    )


def test_references_are_joined_as_browsers_do() -> None:
    base = URL.parse("https://h:1/v2/app/blobs/x?y")
    for reference, found in [
        ("/other?a=b", "https://h:1/other?a=b"),
        ("z", "https://h:1/v2/app/blobs/z"),
        ("../z", "https://h:1/v2/app/z"),
        ("//cdn.example/z", "https://cdn.example/z"),
        ("http://u:p@h/z#f", "http://h/z"),
    ]:
        assert str(base.join(reference)) == found
    assert URL.parse("https://h").origin == URL.parse("https://h:443/x").origin
    assert len({URL.parse(text).origin for text in ("https://h", "http://h", "https://h:444", "https://g")}) == 4


def test_parameters_are_added_and_replace_their_like() -> None:
    url = URL.parse("https://auth/token?service=old&keep=1&empty=")
    assert str(url.adding({"service": "a b&c", "scope": "repository:x/y:pull", "none": ""})) == (
        "https://auth/token?keep=1&empty=&service=a+b%26c&scope=repository:x/y:pull"
    )
