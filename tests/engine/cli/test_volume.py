"""`volume ls`, `create`, `inspect`, `rm`, `prune` in Docker's words."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.cli.test_completion import offered
from tests.engine.cli.test_containers import SMALL, said

ANONYMOUS = "com.docker.volume.anonymous"


def test_a_volume_is_made_listed_looked_at_and_removed(pilothouse, settings):
    assert said(pilothouse("volume", "ls")).split() == ["DRIVER", "VOLUME", "NAME"]
    assert said(pilothouse("volume", "create", "data")) == said(pilothouse("volume", "create", "data")) == "data\n"
    assert said(pilothouse("volume", "ls")) == "DRIVER    VOLUME NAME\nlocal     data\n"
    (document,) = json.loads(said(pilothouse("volume", "inspect", "data")))
    assert list(document) == ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"]
    assert Path(document["Mountpoint"]).is_dir()
    assert said(pilothouse("inspect", "--type", "volume", "-f", "{{.Name}}", "data")) == "data\n"
    assert json.loads(said(pilothouse("inspect", "data")))[0] == document
    assert said(pilothouse("volume", "rm", "data")) == "data\n"
    assert not Path(document["Mountpoint"]).exists()
    ended = pilothouse("volume", "inspect", "data")
    assert (ended.returncode, ended.stdout, b"get data: no such volume" in ended.stderr) == (1, b"[]\n", True)
    told = said(pilothouse("events", "--since", "1h", "--until", "0s", "--format", "json"))
    actions = [json.loads(line) for line in told.splitlines()]
    assert [(one["Type"], one["Action"], one["Actor"]["ID"]) for one in actions] == [
        ("volume", "create", "data"),
        ("volume", "destroy", "data"),
    ]


def test_what_cannot_be_made_is_told(pilothouse):
    for words, sentence in (
        (["a/b"], b'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]"'),
        (["-d", "nfs", "data"], b'plugin "nfs" not found'),
        (["-o", "type=nfs", "data"], b"volumes have no options here"),
        (["--label", "a=b", "data"], b"volumes have no labels here"),
        (["a1", "b2"], b"requires at most 1 argument"),
    ):
        ended = pilothouse("volume", "create", *words)
        assert ended.returncode, words
        assert sentence in ended.stderr
    assert said(pilothouse("volume", "ls", "-q")) == ""


def test_a_volume_in_use_stays_and_is_found_by_filters(pilothouse, image):
    box = said(pilothouse("create", "-v", "data:/data", "-v", "/cache", SMALL)).strip()
    spare = said(pilothouse("volume", "create")).strip()
    assert len(spare) == 64
    assert said(pilothouse("volume", "ls", "-qf", "dangling=true")) == f"{spare}\n"
    assert said(pilothouse("volume", "ls", "-qf", "name=dat", "-f", "dangling=0")) == "data\n"
    assert said(pilothouse("volume", "ls", "-qf", f"label={ANONYMOUS}", "-f", "dangling=1")) == f"{spare}\n"
    assert said(pilothouse("volume", "ls", "-qf", "driver=nfs")) == ""
    row = said(pilothouse("volume", "ls", "-f", "name=data", "--format", "{{.Name}} {{.Links}} {{.Scope}} {{.Size}}"))
    assert row == "data 1 local N/A\n"
    first = json.loads(said(pilothouse("volume", "ls", "-f", "name=data", "--format", "json")))
    assert (first["Driver"], first["Labels"]) == ("local", "")
    for wrong in ("dangling=maybe", "size=1"):
        assert b"Invalid filter" in pilothouse("volume", "ls", "-f", wrong).stderr
    ended = pilothouse("volume", "rm", "data", "nope", spare)
    assert (ended.returncode, ended.stdout.decode()) == (1, f"{spare}\n")
    assert f"remove data: volume is in use - [{box}]" in ended.stderr.decode()
    assert b"get nope: no such volume" in ended.stderr
    assert said(pilothouse("volume", "rm", "-f", "nope")) == "nope\n"


def test_a_prune_takes_what_is_unused_and_what_has_a_name_only_when_told(pilothouse, image):
    pilothouse("create", "--name", "box", "-v", "used:/data", SMALL)
    spare = said(pilothouse("volume", "create")).strip()
    said(pilothouse("volume", "create", "named"))
    ended = pilothouse("volume", "prune", input=b"n\n")
    assert said(ended).startswith(
        "WARNING! This will remove anonymous local volumes not used by at least one container."
    )
    assert b"Invalid filter 'until'" in pilothouse("volume", "prune", "-f", "--filter", "until=1h").stderr
    assert b"Deleted" not in pilothouse("volume", "prune", "-f", "--filter", f"label!={ANONYMOUS}").stdout
    assert f"Deleted Volumes:\n{spare}\n" in said(pilothouse("volume", "prune", "-f"))
    assert said(pilothouse("volume", "ls", "-q")) == "named\nused\n"
    assert "Deleted Volumes:\nnamed\n" in said(pilothouse("volume", "prune", "-af"))
    assert said(pilothouse("volume", "ls", "-q")) == "used\n"


def test_volumes_are_offered_to_the_shell(pilothouse, settings, monkeypatch):
    said(pilothouse("volume", "create", "data"))
    monkeypatch.setenv("PILOTHOUSE_ROOT", str(settings.root))
    monkeypatch.setenv("PILOTHOUSE_RUN", str(settings.run))
    assert offered("volume", "") == ["create", "inspect", "list", "ls", "prune", "remove", "rm"]
    assert offered("volume", "rm", "da") == ["data"]
    assert offered("volume", "ls", "--f") == ["--filter", "--format"]
