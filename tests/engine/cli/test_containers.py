"""Containers from the command line: what is typed, what is printed, what the exit code says."""

from __future__ import annotations

import json
import os
import re

SMALL = "localhost/small:1"


def said(ended) -> str:
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def test_a_run_in_the_foreground_passes_output_errors_input_and_the_exit_code(pilothouse, image):
    ended = pilothouse("run", "--rm", SMALL, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ended.stdout, ended.stderr, ended.returncode) == (b"out\n", b"err\n", 7)
    ended = pilothouse("run", "--rm", "-i", SMALL, "cat", input=b"x" * 300_000 + b"end")
    assert ended.stdout == b"x" * 300_000 + b"end"
    assert said(pilothouse("ps", "-aq")) == ""


def test_input_is_not_read_without_i(pilothouse, image):
    assert pilothouse("run", "--rm", SMALL, "cat", input=b"nothing").stdout == b""


def test_a_stream_can_be_left_unattached(pilothouse, image):
    ended = pilothouse("run", "--rm", "-a", "stderr", SMALL, "sh", "-c", "echo out; echo err >&2")
    assert (ended.stdout, ended.stderr) == (b"", b"err\n")


def test_a_command_that_is_not_there_or_not_executable_ends_as_with_docker(pilothouse, image):
    ended = pilothouse("run", "--rm", SMALL, "nope")
    assert ended.returncode == 127
    assert b'exec: "nope": executable file not found in $PATH' in ended.stderr
    ended = pilothouse("run", "--rm", SMALL, "/etc")
    assert ended.returncode == 126
    assert said(pilothouse("ps", "-aq")) == ""


def test_a_detached_run_prints_its_id_and_can_be_listed_read_stopped_started_and_removed(pilothouse, image, tmp_path):
    cid = tmp_path / "cid"
    line = ("run", "-d", "--cidfile", str(cid), "--name", "box", "-l", "a=1", SMALL, "sh", "-c")
    container_id = said(pilothouse(*line, "echo hello; echo bad >&2; exec sleep 60")).strip()
    assert re.fullmatch("[0-9a-f]{64}", container_id)
    assert cid.read_text() == container_id
    ended = pilothouse("run", "--cidfile", str(cid), SMALL, "true")
    assert b"container ID file found" in ended.stderr

    heading, row = said(pilothouse("ps")).splitlines()
    assert heading.split("  ")[0] == "CONTAINER ID"
    assert row.startswith(f"{container_id[:12]}   {SMALL}   \"sh -c 'echo hello".replace("'", "")[:30])
    assert re.search(r"   (Less than a second|\d+ seconds?) ago   Up (Less than a second|\d+ seconds?)   ", row)
    assert said(pilothouse("ps", "-q", "--no-trunc")).strip() == container_id
    assert said(pilothouse("ps", "--filter", "label=a=1", "--format", "{{.Names}} {{.State}}")) == "box running\n"
    assert said(pilothouse("container", "ls", "-qf", "name=nothing")) == ""
    assert json.loads(said(pilothouse("ps", "--format", "json")))["Names"] == "box"
    assert json.loads(said(pilothouse("inspect", "box")))[0]["Id"] == container_id
    assert said(pilothouse("inspect", "-f", '{{.State.Status}} {{index .Config.Labels "a"}}', "box")) == "running 1\n"

    logs = pilothouse("logs", "box")
    assert (logs.stdout, logs.stderr) == (b"hello\n", b"bad\n")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z hello\n", pilothouse("logs", "-t", "box").stdout.decode())

    taken = pilothouse("run", "-d", "--name", "box", SMALL, "true")
    assert taken.returncode == 125
    assert b'The container name "/box" is already in use by container' in taken.stderr

    assert said(pilothouse("rename", "box", "crate")) == ""
    assert pilothouse("rm", "crate").returncode == 1
    assert said(pilothouse("stop", "-t", "0", "crate")) == "crate\n"
    assert said(pilothouse("wait", "crate")) == "137\n"
    assert said(pilothouse("ps")).count("\n") == 1
    assert "Exited (137)" in said(pilothouse("ps", "-a"))
    assert said(pilothouse("start", container_id[:6])) == f"{container_id[:6]}\n"
    assert said(pilothouse("kill", "-s", "KILL", "crate")) == "crate\n"
    assert said(pilothouse("rm", "crate")) == "crate\n"


def test_several_are_stopped_at_once_and_a_missing_one_does_not_keep_the_others(pilothouse, image):
    for name in ("one", "two"):
        said(pilothouse("run", "-d", "--name", name, SMALL, "sleep", "60"))
    ended = pilothouse("stop", "-t", "1", "one", "nope", "two")
    assert (ended.stdout, ended.returncode) == (b"one\ntwo\n", 1)
    assert b"Error: No such container: nope" in ended.stderr
    assert said(pilothouse("rm", "one", "two")) == "one\ntwo\n"


def test_stop_and_restart_send_the_signal_of_the_command_line(pilothouse, image):
    script = "trap 'echo bye; exit 4' USR1; echo ready; while :; do sleep 0.05; done"
    said(pilothouse("run", "-d", "--name", "box", SMALL, "sh", "-c", script))
    wait_for_log(pilothouse, b"ready\n")
    ended = pilothouse("stop", "-s", "NOPE", "box")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, b"Error: Invalid signal: NOPE")
    said(pilothouse("restart", "--signal", "USR1", "box"))
    wait_for_log(pilothouse, b"ready\nbye\nready\n")
    said(pilothouse("stop", "-s", "USR1", "box"))
    assert said(pilothouse("inspect", "-f", "{{.State.ExitCode}}", "box")) == "4\n"


def wait_for_log(pilothouse, wanted):
    while wanted not in (shown := pilothouse("logs", "box").stdout):
        assert len(shown) <= len(wanted), shown


def test_a_created_container_can_be_started_with_the_terminal_on_it(pilothouse, image):
    said(pilothouse("create", "--name", "box", "-i", SMALL, "sh", "-c", "cat; exit 4"))
    ended = pilothouse("start", "-ai", "box", input=b"typed\n")
    assert (ended.stdout, ended.returncode) == (b"typed\n", 4)
    said(pilothouse("rm", "box"))


def test_a_start_with_the_terminal_on_it_returns_with_everything_taken_down(settings, pilothouse, image):
    said(pilothouse("create", "--name", "box", "--rm", "-p", "0:80", "-v", "/data", SMALL, "sh", "-c", "exit 3"))
    assert pilothouse("start", "-a", "box").returncode == 3
    assert list(settings.containers.iterdir()) == []
    assert list(settings.volumes.iterdir()) == []


def test_the_environment_and_the_files_of_variables_reach_the_container(pilothouse, image, tmp_path):
    (tmp_path / "env").write_text("A=file\nB=file\n")
    os.environ["TAKEN"] = "over"
    try:
        words = ("run", "--rm", "--env-file", str(tmp_path / "env"), "-e", "B=flag", "-e", "TAKEN", SMALL)
        assert said(pilothouse(*words, "sh", "-c", "echo $A $B $TAKEN")) == "file flag over\n"
    finally:
        del os.environ["TAKEN"]


def test_published_ports_are_shown_and_a_range_takes_a_free_one(pilothouse, image):
    said(pilothouse("run", "-d", "--name", "one", "-p", "127.0.0.1:28080-28090:80", SMALL, "sleep", "60"))
    said(pilothouse("run", "-d", "--name", "two", "-p", "127.0.0.1:28080-28090:80", SMALL, "sleep", "60"))
    first, second = (said(pilothouse("port", name, "80")).strip() for name in ("one", "two"))
    assert first != second
    assert f"{first}->80/tcp" in said(pilothouse("ps"))
    taken = pilothouse("run", "-d", "--name", "three", "-p", f"{first}:80", SMALL, "true")
    assert taken.returncode == 125
    assert b"port is already allocated" in taken.stderr
    assert b"No public port '81/tcp' published for one" in pilothouse("port", "one", "81").stderr
    assert said(pilothouse("ps", "-aqf", "name=three")) == ""
    said(pilothouse("rm", "-f", "one", "two"))


def test_images_are_listed_shown_and_removed(pilothouse, image):
    heading, row = said(pilothouse("images")).splitlines()
    assert heading.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[:3] == ["localhost/small", "1", image.id.partition(":")[2][:12]]
    assert said(pilothouse("image", "ls", "-q", "localhost/small")) == row.split()[2] + "\n"
    assert said(pilothouse("images", "-q", "localhost/other")) == ""
    assert said(pilothouse("images", "-q", "--filter", "reference=localhost/*:1")) != ""
    assert said(pilothouse("inspect", "--type", "image", "-f", "{{.Os}}", SMALL)) == "linux\n"
    assert f"Untagged: {SMALL}\nDeleted: sha256:" in said(pilothouse("rmi", SMALL))


def test_events_of_the_past_are_told_as_docker_tells_them(pilothouse, image):
    said(pilothouse("run", "--rm", "--name", "box", SMALL, "true"))
    lines = said(pilothouse("events", "--since", "1h", "--until", "0s", "-f", "container=box")).splitlines()
    assert [line.split()[2] for line in lines] == ["create", "start", "die", "destroy"]
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d container create [0-9a-f]{64} \(.*name=box\)", lines[0])
    named = said(pilothouse("events", "--since", "1h", "--until", "0s", "--format", "{{.Type}} {{.Action}}"))
    assert "container start\n" in named


def test_names_are_completed_where_they_make_sense(pilothouse, image):
    said(pilothouse("create", "--name", "box", SMALL, "true"))
    assert said(pilothouse("__complete", "bash", "ph rm bo")) == "box\n"
    assert said(pilothouse("__complete", "bash", "ph stop bo")) == ""
    assert said(pilothouse("__complete", "fish", "ph", "start", "")) == f"box\t{SMALL}, created\n"
    assert said(pilothouse("__complete", "bash", "ph run --rm localhost/small:")) == "1\n"
    assert said(pilothouse("__complete", "zsh", "ph", "run", "-d", "localhost/")) == "localhost/small\\:1\n"
    said(pilothouse("rm", "box"))
