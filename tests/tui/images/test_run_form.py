"""The run form: lines that judge themselves, what it remembers, editing a run and running it again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from textual import events

from engine.engine import Engine
from engine.errors import EngineError
from engine.images.host import add_host_image
from engine.models import Container, PortMapping, RunOptions, State
from engine.settings import Settings
from engine.state.database import Database
from tests.tui.conftest import Driver, Open, sleeper
from tui.images.rerun import run_in_place
from tui.run_line import Fields, PortRow
from tui.state import run_memory

SMALL = "localhost/small:1"
SERVER = "localhost/server:1"


def free_port() -> int:
    with socket.create_server(("0.0.0.0", 0)) as one:
        return one.getsockname()[1]


def add_server(settings: Settings) -> None:
    """An image that exposes ports, and runs until it is stopped."""
    database = Database(settings.database)
    config = {
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}, "53/udp": {}},
        "Env": ["PATH=/usr/bin:/bin", "FLAVOUR=plain"],
        "Cmd": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"],
    }
    try:
        add_host_image(settings, database, SERVER, python=False, config=config)
    finally:
        database.close()


async def open_form(driver: Driver, image: str) -> None:
    await driver.until(lambda: driver.world.images, "the image is known")
    driver.app.open_run_form(image)
    await driver.shows("Run a container", "✓ here")


async def test_what_the_image_exposes_has_a_line_and_f2_finds_it_a_port(dashboard: Open, settings: Settings):
    add_server(settings)
    async with dashboard(110, 40) as driver:
        await open_form(driver, SERVER)
        await driver.shows("f2 publishes it", "53/udp", "443", "the image sets PATH FLAVOUR")
        await driver.shows("host: 8080", "host: 8443", "host: 8053")
        assert " -p " not in driver.text
        await driver.press("tab", "tab")  # command, then the first line of the ports
        await driver.press("f2")
        await driver.until(lambda: " -p " in driver.text and ":80 " in driver.text, "a port was found")
        await driver.press("ctrl+g")
        await driver.says("started ")
        await driver.until(lambda: driver.world.containers, "it runs")
        (container,) = driver.world.containers.values()
        assert [mapping.container_port for mapping in container.ports] == [80]


async def test_a_volume_says_whether_its_directory_is_there_and_f2_makes_it(
    dashboard: Open, image: object, tmp_path: Path
):
    site = tmp_path / "site"
    async with dashboard(140, 40) as driver:
        await open_form(driver, SMALL)
        field = driver.app.screen.query_one("#volumes-0")
        field.focus()
        field.value = f"{site}:/srv"
        await driver.shows("✗ no such directory", "f2 make it")
        await driver.press("f2")
        await driver.shows("✓ dir")
        assert site.is_dir()
        field.value = "data:/data"
        await driver.shows("✓ volume")


async def test_the_limits_are_folded_away_and_run_leads_to_what_is_wrong_with_them(dashboard: Open, image: object):
    async with dashboard(110, 40) as driver:
        await open_form(driver, SMALL)
        assert "Workdir" not in driver.text
        await driver.pilot.click("#toggle-more")
        await driver.shows("Workdir", "Restart")
        driver.app.screen.query_one("#memory").value = "1m"
        driver.app.screen.query_one("#workdir").value = "srv"
        driver.app.screen.query_one("#cpus").value = "lots"
        await driver.shows("at least 6m", "must begin with /", "3 problems")
        await driver.press("ctrl+g")
        await driver.until(lambda: driver.app.focused.id == "memory", "at the first problem")
        assert not driver.world.containers
        driver.app.screen.query_one("#memory").value = "64m"
        driver.app.screen.query_one("#workdir").value = "/srv"
        driver.app.screen.query_one("#cpus").value = "0.5"
        await driver.shows("--memory 64m", "--cpus 0.5", "-w /srv")


async def test_more_lines_come_with_the_plus_and_choices_change_the_line(dashboard: Open, image: object):
    async with dashboard(110, 40) as driver:
        await open_form(driver, SMALL)
        driver.app.screen.query_one("#env-0").value = "A=1"
        await driver.pilot.click("#env-lines .add")
        await driver.until(lambda: driver.app.focused.id == "env-1", "the new line has the focus")
        await driver.type("NOT_SET_HERE")
        await driver.shows("NOT_SET_HERE is not set here")
        await driver.type("=2")
        await driver.shows("-e A=1 -e NOT_SET_HERE=2")
        driver.app.screen.query_one("#pull").focus()
        await driver.press("space")
        await driver.shows("(•)always", "--pull always")
        driver.app.screen.query_one("#detach").focus()
        await driver.press("space")
        await driver.shows("$ pilothouse run -it")
        await driver.press("f3")
        assert driver.app.clipboard.startswith("pilothouse run -it --pull always")


async def test_the_values_of_the_last_run_stand_there_the_next_time(dashboard: Open, image: object):
    port = free_port()
    async with dashboard(110, 40) as driver:
        await open_form(driver, SMALL)
        screen = driver.app.screen
        screen.query_one("#command").value = "sleep 1000"
        screen.query_one("#env-0").value = "DB_PASSWORD=secret"
        screen.query_one("#ports-lines .host").value = f"{port}:80"
        await driver.shows("✓ free")
        await driver.press("ctrl+g")
        await driver.says("started ")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the form has closed")
        await open_form(driver, SMALL)
        await driver.shows("sleep 1000", "DB_PASSWORD=", "last values", "taken by")
        assert driver.app.screen.query_one("#env-0").value == "DB_PASSWORD="
        await driver.press("f4")
        await driver.until(lambda: not driver.app.screen.query_one("#command").value, "cleared")
        await driver.press("escape")
    assert run_memory.last(SMALL) == Fields(
        SMALL, command="sleep 1000", env=("DB_PASSWORD=",), volumes=("",), ports=(PortRow(f"{port}:80"),)
    )


async def test_escape_asks_before_it_throws_away_changes_of_what_was_remembered(dashboard: Open, image: object):
    run_memory.keep(SMALL, Fields(SMALL, command="sleep 1000", env=("",), volumes=("",)))
    async with dashboard(110, 40) as driver:
        await open_form(driver, SMALL)
        await driver.shows("sleep 1000", "last values")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "nothing was changed")
        await open_form(driver, SMALL)
        await driver.shows("last values")
        driver.app.screen.query_one("#command").value = "sleep 2000"
        await driver.press("escape")
        await driver.shows("changed: esc again throws it away")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "thrown away")


async def test_what_is_wrong_with_a_name_fits_beside_it(dashboard: Open, image: object):
    wrong = {"n": "two characters or more", "-web": "letter or digit first", "wéb": "letters, digits, _ . -"}
    async with dashboard(80, 40) as driver:
        await open_form(driver, SMALL)
        field = driver.app.screen.query_one("#name")
        for name, words in wrong.items():
            field.value = name
            await driver.shows(f"✗ {words}", "1 problem")


async def test_a_run_without_values_leaves_none_to_be_told(dashboard: Open, settings: Settings):
    add_server(settings)
    exposed = (PortRow("", "80"), PortRow("", "443"), PortRow("", "53/udp"))
    run_memory.keep(SERVER, Fields(SERVER, env=("",), volumes=("",), ports=exposed))
    async with dashboard(110, 40) as driver:
        await open_form(driver, SERVER)
        await driver.shows("f2 publishes it")
        assert "last values" not in driver.text


def test_a_memory_that_cannot_be_read_is_none(private_home: Path):
    from tui.state import memory

    for broken in ({"x": 3}, [], {"x": {"ports": [1]}}, {"x": {"name": 3}}, {"x": {"env": None}}):
        memory.remember(run_forms=broken)
        assert run_memory.last("x") is None
    for number in range(50):
        run_memory.keep(f"i{number}", Fields(f"i{number}", name="n"))
    assert run_memory.last("i5") is None
    assert run_memory.last("i49") == Fields("i49")


async def test_a_run_is_edited_and_takes_the_place_of_the_old(dashboard: Open, engine: Engine, image: object):
    port = free_port()
    old = await engine.run(sleeper("web", env=("A=1",), ports=(PortMapping(80, port),)))
    async with dashboard(120, 40) as driver:
        await driver.select("web")
        await driver.press("R")
        await driver.shows("Run web again", "takes its place", "A=1", f"{port}", "✓ free", "rm -f web &&")
        driver.app.screen.query_one("#env-0").value = "A=2"
        await driver.shows("-e A=2")
        await driver.press("ctrl+g")
        await driver.says("started web")
        await driver.until(lambda: driver.container("web") and driver.container("web").id != old.id, "a new web")
        await driver.until(lambda: len(driver.world.containers) == 1, "the old one is gone")
        assert driver.container("web").options.env == ("A=2",)
        assert driver.container("web").ports == (PortMapping(80, port),)
        await driver.press("R")
        await driver.shows("takes its place")
        driver.app.screen.query_one("#replace").value = False
        await driver.shows("taken by", "f2 use another name")


async def test_if_the_new_one_cannot_start_the_old_one_runs_again(engine: Engine, web: Container):
    try:
        await run_in_place(
            engine, web, RunOptions(SMALL, ("no-such-program",), name="web", detach=True), lambda _: None
        )
    except EngineError as error:
        assert "no-such-program" in str(error)
    (container,) = await engine.containers()
    assert (container.id, container.name, container.state) == (web.id, "web", State.RUNNING)


async def test_without_detach_the_new_container_is_attached_to(dashboard: Open, image: object):
    async with dashboard(100, 30) as driver:
        await open_form(driver, SMALL)
        driver.app.screen.query_one("#name").value = "talk"
        driver.app.screen.query_one("#detach").value = False
        await driver.shows("-it --name talk")
        await driver.press("ctrl+g")
        await driver.shows("talk · main process")
        await driver.press("ctrl+right_square_bracket")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "back in the dashboard")


async def test_a_command_that_the_image_has_not_is_no_failed_pull(dashboard: Open, web: Container):
    async with dashboard(80, 24) as driver:
        await driver.press("2")
        await open_form(driver, SMALL)
        driver.app.screen._lines["command"].inputs[0].value = "nosuch"
        await driver.press("ctrl+g")
        await driver.says("executable file not found in $PATH")
        assert driver.app.screen is driver.app.dashboard, driver.text
        (left,) = (one for one in driver.world.containers.values() if one.id != web.id)
        await driver.says(f"{left.name} was created and not started")
        rows = driver.app.dashboard.containers
        await driver.until(lambda: rows.table.has_focus, "the next key is for the list with what was left")
        assert rows.table.cursor_key == left.id


@pytest.mark.parametrize(("typed", "told"), [("nosuch", "was created and not started"), ("sleep 60", "started ")])
async def test_a_run_that_ends_late_takes_nothing_from_who_has_gone_on(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch, typed: str, told: str
):
    monkeypatch.setattr("tui.operations.LONG", 0.0)
    gone_on = asyncio.Event()
    run = Engine.run

    async def late(engine: Engine, options: RunOptions, **more: object) -> Container:
        await gone_on.wait()
        return await run(engine, options, **more)

    async with dashboard(80, 24) as driver:
        await driver.select("web")
        await driver.press("slash")
        await driver.type("web")
        await driver.press("enter")
        monkeypatch.setattr(Engine, "run", late)
        await open_form(driver, SMALL)
        driver.app.screen._lines["command"].inputs[0].value = typed
        await driver.press("ctrl+g", "3", "slash", "f")
        focused = driver.app.focused
        gone_on.set()
        await driver.says(told)
        await driver.pilot.pause()
        assert driver.app.focused is focused
        assert driver.app.dashboard.containers.filter_text == "web"


async def test_who_has_a_port_is_read_at_eighty_columns(dashboard: Open, engine: Engine, image: object):
    port = free_port()
    await engine.run(sleeper("web", ports=(PortMapping(80, port),)))
    async with dashboard(80, 24) as driver:
        await open_form(driver, SMALL)
        driver.app.screen._groups["ports"].lines[0].values = (str(port), "")
        await driver.shows("✗ to which port inside?")
        driver.app.screen._groups["ports"].lines[0].values = (str(port), "80")
        await driver.shows("✗ taken by web")


async def test_pull_only_fetches_and_runs_nothing(dashboard: Open, image: object):
    async with dashboard(100, 30) as driver:
        driver.app.open_run_form("127.0.0.1:1/none:1")
        await driver.shows("not here: will be pulled")
        await driver.pilot.click("#pull-only")
        await driver.shows("Pull failed", "the registry is down")
        assert not driver.world.containers


async def test_a_line_of_several_lines_can_be_pasted(dashboard: Open, image: object):
    async with dashboard(120, 40) as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        text = f"docker run -d \\\n  --name pasted \\\n  -e A=1 \\\n  {SMALL} sleep 5\n"
        for end in ("\n", "\r\n", "\r"):  # terminals differ in what they make of the end of a pasted line
            await driver.press("f4")
            driver.app.screen.query_one("#image").value = ""
            driver.app.screen.query_one("#image").focus()
            await driver.until(lambda: "$ pilothouse" not in driver.text, "an empty form")
            driver.app.post_message(events.Paste(text.replace("\n", end)))
            await driver.shows("$ pilothouse run -d --name pasted -e A=1 localhost/small:1 sleep 5")


async def test_a_line_that_comes_key_by_key_is_taken_at_enter_and_not_before(dashboard: Open, image: object):
    async with dashboard(120, 40) as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        field = driver.app.screen.query_one("#image")
        await driver.type("docker run -d --name")
        await driver.shows("Enter fills the form")
        assert "✗" not in driver.text, "what has no end yet is no mistake"
        await driver.press("enter")
        await driver.shows("✗ flag needs an argument: --name", "1 problem")
        await driver.type(f" typed {SMALL}")
        await driver.until(lambda: "✗" not in driver.text, "it is typed on")
        assert field.value == f"docker run -d --name typed {SMALL}"
        await driver.press("space", "backslash", "enter")  # as of a paste of two lines, without its brackets
        await driver.type("sleep 5")
        assert field.value.split() == ["docker", "run", "-d", "--name", "typed", SMALL, "sleep", "5"]
        await driver.press("enter")
        await driver.shows(f"$ pilothouse run -d --name typed {SMALL} sleep 5")
        assert field.value == SMALL
        assert not driver.world.containers, "Enter took the line, and ran nothing yet"


async def test_a_typed_line_is_neither_pulled_nor_copied_as_if_it_were_an_image(dashboard: Open, image: object):
    async with dashboard(120, 40) as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        await driver.type(f"docker run -d --name typed {SMALL}")
        await driver.shows("Enter fills the form")
        await driver.pilot.click("#pull-only")
        await driver.shows("Run a container", f"$ pilothouse run -d --name typed {SMALL}")
        driver.app.screen.query_one("#image").focus()
        driver.app.screen.query_one("#image").value = ""
        await driver.type(f"docker run -d --name again {SMALL}")
        await driver.shows("Enter fills the form")
        await driver.press("f3")
        await driver.shows(f"$ pilothouse run -d --name again {SMALL}")
        assert not driver.app.clipboard
        await driver.press("f3")
        await driver.until(lambda: driver.app.clipboard, "the line that is seen is copied")
        assert driver.app.clipboard == f"pilothouse run -d --name again {SMALL}"
        assert not any(entry.command for entry in driver.world.log)


async def test_a_line_that_is_pasted_right_after_n_waits_for_the_form(dashboard: Open, image: object):
    async with dashboard(100, 40) as driver:
        await driver.shows("No containers.")
        driver.app.post_message(events.Key("n", "n"))
        driver.app.post_message(events.Paste(f"docker run -d --name pasted {SMALL} true"))
        await driver.shows("Run a container", f"$ pilothouse run -d --name pasted {SMALL} true")


async def test_flags_that_there_are_not_are_listed_when_a_line_is_pasted(dashboard: Open, image: object):
    async with dashboard(120, 40) as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        driver.app.post_message(events.Paste(f"docker run --gpus all --log-driver=none --name pasted {SMALL} true"))
        await driver.shows("left out, not supported yet: --gpus all, --log-driver none")
        await driver.shows("$ pilothouse run -d --name pasted localhost/small:1 true")
        await driver.press("f4")
        driver.app.screen.query_one("#image").value = ""
        await driver.until(lambda: "left out" not in driver.text, "forgotten with what was pasted")
        driver.app.screen.query_one("#image").focus()
        driver.app.post_message(events.Paste("docker run --pod new nginx"))
        await driver.shows("unknown flag: --pod")


async def test_a_verdict_that_has_no_room_ends_in_an_ellipsis(dashboard: Open, image: object):
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with dashboard() as driver:
            await open_form(driver, SMALL)
            port = server.getsockname()[1]
            driver.app.screen.query_one(".host").value = str(port)
            driver.app.screen.query_one(".container").value = "80"
            await driver.shows("✗ taken by")
            row = next(row for row in driver.text.splitlines() if "✗ taken by" in row)
            assert row.split("✗")[1].rstrip(" ┃│").endswith("…")


async def test_the_mistake_in_a_pasted_line_is_told_in_full(dashboard: Open, image: object):
    async with dashboard() as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        driver.app.post_message(events.Paste(f"docker run -d --memory 10x {SMALL} true"))
        await driver.shows('✗ invalid argument "10x" for "-m, --memory" flag')
        assert "$ pilothouse run" not in driver.text
        driver.app.screen.query_one("#image").value = SMALL
        await driver.shows(f"$ pilothouse run -d {SMALL}")
        assert "--memory" not in driver.text


async def test_the_form_works_on_a_small_screen(dashboard: Open, image: object):
    async with dashboard(60, 15) as driver:
        await open_form(driver, SMALL)
        await driver.press("tab", "tab")
        await driver.type("99999:80")
        await driver.shows("1 problem", "Run  ctrl+g")
        for _ in range(8):
            await driver.press("down")  # what has the focus is scrolled into view
        await driver.shows("Detach (-d)")
        await driver.press("ctrl+g")
        await driver.shows("99999:80")


async def test_up_and_down_go_from_row_to_row(dashboard: Open, image: object):
    async with dashboard(120, 40) as driver:
        await open_form(driver, SMALL)
        seen = []
        for _ in range(6):
            await driver.press("down")
            seen.append(driver.app.screen.focused.id or driver.app.screen.focused.parent.key)
        assert seen == ["command", "ports.0", "env-0", "volumes-0", "detach", "toggle-more"]
        await driver.press("down", "down", "up", "up", "up", "up")
        assert driver.app.screen.focused.id == "env-0"


async def test_a_run_line_that_is_pasted_anywhere_opens_the_form_with_it(dashboard: Open, web: Container):
    async with dashboard(100, 36) as driver:
        await driver.select("web")
        for pane in ("1", "3", "4"):
            await driver.press(pane)
            driver.app.post_message(events.Paste("hello"))
            driver.app.post_message(events.Paste(f"docker run -d --name pasted \\\r  -e A=b {SMALL} true\r"))
            await driver.shows("Run a container", f"$ pilothouse run -d --name pasted -e A=b {SMALL} true")
            await driver.press("escape", "escape")
            await driver.until(lambda: driver.app.screen is driver.app.dashboard, "closed")
