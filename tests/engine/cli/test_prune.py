"""`system prune`, `image prune`, `container prune`, `system df` in Docker's words."""

from __future__ import annotations

import json

SMALL = "localhost/small:1"


def test_a_prune_asks_and_does_nothing_unless_told_yes(pilothouse, image):
    pilothouse("create", "--name", "box", SMALL)
    for answer in (b"", b"n\n", b"\n"):
        ended = pilothouse("container", "prune", input=answer)
        assert ended.stdout.decode().startswith(
            "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
        )
        assert ended.returncode == 0
        assert b"Deleted" not in ended.stdout
    container_id = pilothouse("ps", "-aq", "--no-trunc").stdout.decode()
    ended = pilothouse("container", "prune", input=b"y\n")
    assert f"Deleted Containers:\n{container_id}\nTotal reclaimed space: 0B\n" in ended.stdout.decode()
    assert pilothouse("ps", "-aq").stdout == b""


def test_images_go_when_nothing_uses_them(pilothouse, image):
    assert pilothouse("image", "prune", "-f").stdout == b"Total reclaimed space: 0B\n"
    pilothouse("create", "--name", "box", SMALL)
    assert pilothouse("image", "prune", "-af").stdout == b"Total reclaimed space: 0B\n"
    said = pilothouse("system", "prune", "-af").stdout.decode()
    assert "Deleted Containers:\n" in said
    assert f"untagged: {SMALL}\ndeleted: {image.id}\n" in said
    assert pilothouse("images", "-q").stdout == b""


def test_filters_choose_by_label_and_age(pilothouse, image):
    pilothouse("create", "--name", "aa", "-l", "keep=1", SMALL)
    pilothouse("create", "--name", "bb", SMALL)
    assert b"Deleted" not in pilothouse("container", "prune", "-f", "--filter", "until=1h").stdout
    pilothouse("container", "prune", "-f", "--filter", "label!=keep")
    assert pilothouse("ps", "-a", "--format", "{{.Names}}").stdout == b"aa\n"
    assert b"Invalid filter 'nope'" in pilothouse("image", "prune", "-f", "--filter", "nope=1").stderr


def test_df_tells_what_is_used_and_what_could_be_won(pilothouse, image):
    heading, *rows = pilothouse("system", "df").stdout.decode().splitlines()
    assert heading.split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert rows[0].split()[:3] == ["Images", "1", "0"]
    assert rows[0].endswith("(100%)")
    first = pilothouse("system", "df", "--format", "json").stdout.splitlines()[0]
    assert json.loads(first)["Type"] == "Images"
    assert SMALL.encode() in pilothouse("system", "df", "-v").stdout
    assert b"prune" in pilothouse("system", "--help").stdout
