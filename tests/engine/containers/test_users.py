"""Users are found in the image's files, through layers, without leaving them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.containers import users
from engine.containers.merged import Tree
from engine.containers.users import ResolvedUser
from engine.errors import RuntimeFailure

PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:2:d:/usr/sbin:/bin/false\n# note\n"
    "broken:x:y:z\nweb:x:33:33::/var/www:/bin/sh\n"
)
GROUP = "root:x:0:\nstaff:x:50:web,daemon\nother:x:51:daemon\nadm:x:4:\n"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    (tmp_path / "base/etc").mkdir(parents=True)
    (tmp_path / "base/etc/passwd").write_text(PASSWD)
    (tmp_path / "base/etc/group").write_text(GROUP)
    return tmp_path / "base"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ResolvedUser(0, 0, (0,), "/root", "root")),
        ("web", ResolvedUser(33, 33, (33, 50), "/var/www", "web")),
        ("33", ResolvedUser(33, 33, (33, 50), "/var/www", "web")),
        ("daemon", ResolvedUser(1, 2, (2, 50, 51), "/usr/sbin", "daemon")),
        ("daemon:adm", ResolvedUser(1, 4, (4,), "/usr/sbin", "daemon")),
        ("web:1000", ResolvedUser(33, 1000, (1000,), "/var/www", "web")),
        ("1000", ResolvedUser(1000, 0, (0,), "/", "")),
        ("1000:1000", ResolvedUser(1000, 1000, (1000,), "/", "")),
        (":adm", ResolvedUser(0, 4, (4,), "/root", "root")),
    ],
)
def test_users_resolve_as_under_docker(layer, user, expected):
    assert users.resolve([layer], user) == expected


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("broken", "unable to find user broken: no matching entries in passwd file"),
        ("root:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("99999999999", "uids and gids must be in range 0-2147483647"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("0:4294967295", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_what_cannot_be_resolved_is_told_in_dockers_words(layer, user, words):
    with pytest.raises(RuntimeFailure) as refused:
        users.resolve([layer], user)
    assert refused.value.message == words
    assert refused.value.exit_code == 125


def test_an_image_without_files_has_root_and_numbers(tmp_path):
    assert users.resolve([tmp_path], "") == ResolvedUser(0, 0, (0,), "/", "")
    assert users.resolve([tmp_path], "7:8") == ResolvedUser(7, 8, (8,), "/", "")
    with pytest.raises(RuntimeFailure):
        users.resolve([tmp_path], "root")


def test_the_topmost_layer_wins_and_a_whiteout_hides(layer, tmp_path):
    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    (top / "etc/passwd").write_text("web:x:99:99::/new:/bin/sh\n")
    os.mknod(top / "etc/group", 0o20000, 0)
    assert users.resolve([top, layer], "web") == ResolvedUser(99, 99, (99,), "/new", "web")
    with pytest.raises(RuntimeFailure):
        users.resolve([top, layer], "web:adm")


def test_an_opaque_directory_hides_what_is_below(layer, tmp_path):
    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    os.setxattr(top / "etc", "trusted.overlay.opaque", b"y")
    with pytest.raises(RuntimeFailure):
        users.resolve([top, layer], "web")


@pytest.mark.parametrize("target", ["/store/passwd", "../store/passwd", "../../../../../store/passwd"])
def test_links_are_followed_inside_the_image_only(layer, tmp_path, target):
    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    (top / "store").mkdir()
    (top / "store/passwd").write_text("inside:x:5:5::/in:/bin/sh\n")
    (top / "etc/passwd").symlink_to(target)
    assert users.resolve([top, layer], "inside").uid == 5


def test_a_link_to_the_hosts_files_finds_nothing(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").symlink_to("/proc/self/root/etc/passwd")
    with pytest.raises(RuntimeFailure):
        users.resolve([tmp_path], "root")


def test_hostile_files_are_no_file(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")  # reading it would wait for ever
    (tmp_path / "etc/group").symlink_to("group")  # a loop
    assert users.resolve([tmp_path], "").uid == 0
    with pytest.raises(RuntimeFailure):
        users.resolve([tmp_path], "0:adm")


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_file_that_becomes_something_else_after_it_was_looked_at_is_not_opened(tmp_path: Path, kind: str) -> None:
    """A running container's writable layer is read too, for `exec -u`."""
    (tmp_path / "outside").write_text("the host's")
    (tmp_path / "layer").mkdir()
    file = tmp_path / "layer" / "passwd"
    file.write_text("the container's")
    with Tree([tmp_path / "layer"]) as tree:
        entry = tree.lookup("/passwd")
        assert entry is not None
        file.unlink()
        if kind == "link":
            file.symlink_to(tmp_path / "outside")
        elif kind == "fifo":
            os.mkfifo(file)
        else:
            file.mkdir()
        with pytest.raises(OSError, match=r"symbolic links|not a regular file"):
            tree.open(entry)
