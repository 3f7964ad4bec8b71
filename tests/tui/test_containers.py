"""Containers by keys alone, on the real engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.containers.starter import KEY
from engine.engine import Engine
from engine.models import Container, HealthCheck, Image, RestartPolicy, RunOptions, State
from engine.settings import Settings
from tests.tui.conftest import Open, sleeper
from tui.app import Pilothouse
from tui.panes.containers import ContainersPane
from tui.state import memory
from tui.widgets.table import Table


async def test_one_key_starts_and_stops_and_undo_goes_back(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await driver.shows("s Stop", "running")
        await driver.press("s")
        await driver.says("stopped web")
        await driver.shows("s Start", "exit 0", "✓ stopped web")
        assert driver.world.log[-1].command == "pilothouse stop web"
        await driver.press("u")
        await driver.says("started web")
        await driver.shows("s Stop", "running")


async def test_what_is_going_on_shows_on_the_row_at_once(dashboard: Open, engine: Engine, image: Image):
    command = ("sh", "-c", "trap 'sleep 1; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    await engine.run(RunOptions(image="localhost/small:1", name="slow", command=command, detach=True))
    async with dashboard() as driver:
        await driver.shows("ready")
        await driver.press("s")
        assert "stopping…" in driver.text
        assert "pilothouse stop slow" in driver.text
        await driver.press("s")  # while it is being stopped, a second press does nothing
        await driver.says("slow is stopping already")
        await driver.says("stopped slow")
        assert [entry.command for entry in driver.world.log if entry.command] == ["pilothouse stop slow"]


async def test_restart_pause_and_unpause(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        before = driver.container("web").started
        await driver.press("r")
        await driver.says("restarted web")
        assert driver.container("web").started > before
        await driver.press("p")
        await driver.shows("paused", "p Unpause")
        await driver.press("p")
        await driver.shows("running", "p Pause")


async def test_kill_asks_for_the_signal(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("K")
        await driver.shows("Send a signal to web", "SIGTERM")
        await driver.press("k")
        await driver.shows("exit 137")
        assert driver.world.log[-1].command == "pilothouse kill web"
        await driver.press("K")
        await driver.says("web does not run, so it cannot be killed")


async def test_the_smallest_screen_still_tells_the_keys_of_the_question(dashboard: Open, web: Container):
    async with dashboard(40, 10) as driver:
        await driver.select("web")
        await driver.press("d")
        await driver.shows("Remove web?", "y remove  esc cancel")


async def test_remove_says_what_is_lost_and_enter_loses_nothing(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("d")
        await driver.shows("Remove web?", "runs now, will be killed", "y remove  esc cancel")
        await driver.until(lambda: "killed; its log is lost" in driver.text, "it has written nothing")
        await driver.press("enter")  # the focus is on Cancel
        assert driver.container("web") is not None
        await driver.press("d")
        await driver.shows("Remove web?")
        await driver.press("y")
        await driver.says("removed web")
        await driver.shows("No containers.")
        assert driver.world.log[-1].command == "pilothouse rm -f web"


async def test_what_another_terminal_does_shows_by_itself(dashboard: Open, settings: Settings, web: Container):
    async with dashboard() as driver, Engine(settings) as other:
        await driver.shows("web", "running")
        await other.stop("web")
        await driver.shows("exit 0")
        await other.run(sleeper("second"))
        await driver.shows("second", "Containers 2")
        await other.remove("web")
        await driver.until(lambda: driver.container("web") is None, "web went")
        assert [entry.command for entry in driver.world.log if entry.command] == []


async def test_health_stands_on_the_row_in_the_status_and_in_the_filter(dashboard: Open, engine: Engine, image: Image):
    check = HealthCheck(("CMD-SHELL", "test -e /well"), interval=100_000_000, retries=2)
    await engine.run(sleeper("web", health=check))
    async with dashboard() as driver:
        await driver.shows("! web", "unhealthy", "health checks in a row have failed")
        (await engine.exec("web", ("touch", "/well"))).close()
        await driver.shows("● web", "healthy")
        await driver.until(lambda: "unhealthy" not in driver.text, "it is well again")
        await driver.press("slash")
        await driver.type("status:running healthy")
        await driver.shows("status:running healthy", "● web")
        await driver.type(" exit")
        await driver.shows("0 of 1 match")


async def test_marks_act_on_many_with_one_summary(dashboard: Open, engine: Engine, image: Image):
    for name in ("one", "two", "three"):
        await engine.run(sleeper(name))
    async with dashboard() as driver:
        await driver.shows("one", "two", "three")
        await driver.press("g", "space", "space")
        await driver.shows("2 marked", "s Stop 2")
        await driver.press("s")
        await driver.says("stopped 2 containers")
        assert driver.world.running == 1
        await driver.press("escape", "A")
        # the footer counts what it is about: of three that are marked one runs
        await driver.shows("3 marked", "s Stop 1", "r Restart 3")
        verbs = [driver.app.dashboard.containers.verb(f"containers.{key}") for key in ("pause", "kill", "remove")]
        assert verbs == ["Pause 1", "Kill 1", "Delete 3"]
        await driver.press("d")
        await driver.shows("Remove 3 containers?")
        await driver.press("y")
        await driver.says("removed 3 containers")


async def test_filter_and_running_only_hide_rows_and_say_so(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("web", labels={"tier": "front"}))
    await engine.create(sleeper("idle"))
    async with dashboard() as driver:
        await driver.shows("web", "idle")
        await driver.press("a")
        await driver.until(lambda: "idle" not in driver.text, "only what runs")
        await driver.press("a", "slash")
        await driver.type("label:tier=front")
        await driver.until(lambda: "idle" not in driver.text, "only what fits")
        await driver.press("enter")
        assert driver.app.dashboard.containers.table.has_focus
        await driver.shows("1 of 2")
        await driver.press("slash")
        await driver.type("zzz")
        await driver.shows("0 of 2 match")
        await driver.press("escape")
        await driver.shows("web", "idle")


async def test_sorting_goes_through_the_columns(dashboard: Open, engine: Engine, image: Image):
    for name in ("beta", "alpha"):
        await engine.create(sleeper(name))
    async with dashboard() as driver:
        await driver.press("S")
        await driver.shows("NAME ▲")
        rows = [row.cells[0][0][0] for row in driver.app.dashboard.containers.table.rows]
        assert rows == ["alpha", "beta"]


async def test_the_log_of_the_selected_container_is_shown_and_followed(dashboard: Open, engine: Engine, image: Image):
    script = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"
    await engine.run(RunOptions(image="localhost/small:1", name="chatty", command=("sh", "-c", script), detach=True))
    async with dashboard() as driver:
        await driver.shows("tick 3", "FOLLOW")
        await driver.press("enter")
        await driver.until(lambda: driver.app.dashboard.active.id == "logs", "the log has the focus")
        await driver.shows("f Follow", "/ Search")


async def test_why_it_ended_stands_on_the_row_and_in_the_status(dashboard: Open, engine: Engine, image: Image):
    await engine.run(RunOptions(image="localhost/small:1", name="job", command=("sh", "-c", "exit 3"), detach=True))
    async with dashboard() as driver:
        await driver.shows("exit 3")
        await driver.until(lambda: "it chose to stop (exit 3)" in driver.text, "the reason on the status row")


async def test_stats_are_read_for_what_is_on_screen(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.until(lambda: driver.world.stats and driver.world.stats[web.id].latest, "two readings")
        await driver.shows("CPU", "MEM", "PIDS")


async def test_inspect_env_and_copy(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("web", env=("GREETING=hello",)))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("i")
        await driver.shows("▾ State", "Status")
        await driver.press("escape", "less_than_sign")
        await driver.shows("GREETING", "hello")
        await driver.press("c")
        await driver.shows("Copy from web", "run command")
        await driver.press("n")
        await driver.says("copied web")
        assert driver.app.clipboard == "web"


async def test_a_failure_is_a_sentence_with_a_hint_and_no_traceback(dashboard: Open, engine: Engine, image: Image):
    await engine.create(RunOptions(image="localhost/small:1", name="broken", command=("no-such-program",)))
    async with dashboard() as driver:
        await driver.select("broken")
        await driver.press("s")
        await driver.says("no-such-program")
        await driver.shows("✗")
        assert "Traceback" not in driver.text
        assert driver.container("broken").state in (State.CREATED, State.EXITED)


async def test_names_and_commands_cannot_steer_the_terminal(dashboard: Open, engine: Engine, image: Image):
    await engine.create(
        RunOptions(image="localhost/small:1", name="evil", command=("sh", "\x1b[31m[red]x"), labels={"a": "\x9b2J"})
    )
    async with dashboard() as driver:
        await driver.select("evil")
        await driver.press("i")
        await driver.shows("Inspect", "Args")
        await driver.press("asterisk")
        await driver.shows("[red]x")
        assert "\x1b" not in driver.text
        assert "\x9b" not in driver.text


async def test_the_first_paint_does_not_wait_for_the_engine(settings: Settings):
    app = Pilothouse(settings)
    async with app.run_test(size=(80, 24)):
        assert app.screen.query_one("#containers")
        assert not app.world.loaded


async def test_quitting_says_that_containers_go_on(dashboard: Open, web: Container, engine: Engine):
    async with dashboard() as driver:
        await driver.shows("running")
        await driver.press("q")
        assert [str(line) for line in driver.app._exit_renderables] == ["1 container runs on."]
    await asyncio.sleep(0)
    assert (await engine.container("web")).state is State.RUNNING


async def test_columns_are_chosen_in_a_dialog_and_remembered(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.shows("IMAGE", "LOG/s")
        await driver.press("v")
        await driver.shows("Columns", "[x]  NAME", "[ ]  PIDS")
        table = driver.app.screen.query_one("Table")
        for column in ("image", "cpu_trend", "pids"):
            table.select(column)
            await driver.press("space")
        await driver.press("enter")
        pane = driver.app.dashboard.containers
        await driver.until(lambda: [column.key for column in pane.table.columns][-1] == "pids", "the columns chosen")
        await driver.shows("LOG/s", " PIDS ")
    async with dashboard(140, 40) as driver:
        await driver.shows("web", " PIDS ")
        await driver.press("v")
        driver.app.screen.query_one("Table").select("name")
        await driver.press("space", "enter")  # the name is always there
        await driver.shows("NAME")


async def test_what_a_filter_hides_has_a_history_too_and_among_many_an_order_that_is_right(
    dashboard: Open, engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
):
    hidden = await engine.run(sleeper("hidden"))
    await engine.run(sleeper("shown"))
    async with dashboard() as driver:
        await driver.press("slash")
        await driver.type("shown")
        await driver.until(lambda: "hidden" not in driver.text, "the filter hides it")
        history = driver.world.stats.get
        await driver.until(lambda: (found := history(hidden.id)) is not None and found.length > 1, "it goes on")
        monkeypatch.setattr("tui.app.FEW", 0)
        app, pane = driver.app, driver.app.dashboard.containers
        assert not app._off_screen(app._on_screen()), "among many only what is on screen is read"
        pane._sort("cpu", down=True)
        assert [each.id for each in app._off_screen(app._on_screen())] == [hidden.id]
        pane._sort("log", down=True)
        assert hidden.id in [each.id for each in app._on_screen()]


async def test_a_list_sorted_by_readings_begins_at_its_top(dashboard: Open, engine: Engine, image: Image):
    busy = ("sh", "-c", "while :; do :; done")
    await engine.run(RunOptions(image="localhost/small:1", name="busy", command=busy, detach=True))
    await engine.run(sleeper("newest"))
    memory.remember(view={"all": True, "containers": {"filter": "", "sort": "cpu", "down": True}})
    async with dashboard() as driver:
        table = driver.app.dashboard.containers.table
        await driver.until(lambda: table.rows and table.rows[0].cells[0][0][0] == "busy", "the busiest first")
        await driver.until(lambda: table.cursor_key == table.rows[0].key, "the cursor is at the top too")
        await driver.press("j")
        chosen = table.cursor_key
        driver.app.dashboard.containers.remeasure()
        assert table.cursor_key == chosen, "where the user has put it, it stays"


async def test_an_order_by_readings_stands_still_while_the_list_is_used(
    dashboard: Open, engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
):
    for name in ("one", "two", "three"):
        await engine.run(sleeper(name))
    async with dashboard() as driver:
        await driver.shows("one", "two", "three")
        pane, table = driver.app.dashboard.containers, driver.app.dashboard.containers.table
        rank = {"one": 1.0, "two": 2.0, "three": 3.0}
        monkeypatch.setattr(ContainersPane, "_sort_value", lambda self, offer, item: rank[item.name])

        def order() -> list[str]:
            return [driver.world.containers[row.key].name for row in table.rows]

        pane.choose_columns(tuple(offer.column.key for offer in pane.offers))
        pane._sort("cpu", down=True)
        assert order() == ["three", "two", "one"]
        rank["one"] = 9.0
        await driver.pilot.hover(Table, offset=(6, 2))
        for again in (pane.remeasure, pane.reload):
            again()
            assert order() == ["three", "two", "one"], "the mouse is over it"
        monkeypatch.setattr("tui.widgets.table.USED", 0.0)
        pane.remeasure()
        assert order() == ["one", "three", "two"]
        monkeypatch.setattr("tui.widgets.table.USED", 60.0)
        table.release()
        await driver.press("j")
        rank["two"] = 10.0
        pane.remeasure()
        assert order() == ["one", "three", "two"], "a key acted on a row"
        await driver.press("S")  # the other way round: an order that is asked for is in force at once
        assert order() == ["three", "one", "two"]
        await driver.press("slash", *"two", "enter")
        assert order() == ["two"]
        await driver.press("escape")
        assert order() == ["three", "one", "two"], "what a filter had hidden comes to its own place"


async def test_any_column_can_be_sorted_by(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("idle"))
    busy = ("sh", "-c", "while :; do :; done")
    await engine.run(RunOptions(image="localhost/small:1", name="busy", command=busy, detach=True))
    await engine.run(sleeper("third"))
    async with dashboard(140, 40) as driver:
        pane = driver.app.dashboard.containers
        while pane.table.sort_column != "cpu":
            await driver.press("S")
        await driver.until(lambda: pane.table.rows[0].cells[0][0][0] == "busy", "the busiest first")
        for column in pane.sorts:
            pane._sort(column, down=True)
            assert len(pane.table.rows) == 3


async def test_errors_in_a_log_are_counted_beside_its_rate(dashboard: Open, engine: Engine, image: Image):
    script = "for i in 1 2 3; do echo ERROR no $i; done; echo fine; exit 1"
    await engine.run(RunOptions(image="localhost/small:1", name="job", command=("sh", "-c", script), detach=True))
    async with dashboard() as driver:
        await driver.shows("job", "✗ 3E")


async def test_a_container_is_renamed_and_undo_names_it_back(dashboard: Open, web: Container, engine: Engine):
    await engine.create(sleeper("taken"))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("N")
        await driver.shows("Rename web")
        await driver.type("taken")
        await driver.shows("another container is called taken")
        await driver.press("enter")  # does nothing
        await driver.press("escape", "N")
        await driver.type("front")
        await driver.shows("✓ free")
        await driver.press("enter")
        await driver.says("gave the name front to web")
        assert driver.world.log[-1].command == "pilothouse rename web front"
        await driver.press("u")
        await driver.until(lambda: driver.container("web"), "its old name")
        await driver.until(lambda: driver.world.log[-1].command == "pilothouse rename front web", "the way back told")


async def test_what_cannot_be_undone_is_said(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("r")
        await driver.says("restarted web")
        await driver.press("u")
        await driver.says("restarted web: that cannot be undone")
        assert driver.world.log[-1].state == "failed"


async def test_u_makes_what_was_removed_anew_and_runs_what_ran(dashboard: Open, engine: Engine, web: Container):
    await engine.create(sleeper("resting", env=("COLOUR=blue",)))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.select("resting")
        await driver.press("A", "d", "y")
        await driver.says("removed 2 containers")
        await driver.press("u")
        await driver.says("made anew, without its files: 2 containers")
        made = driver.container("web")
        assert made is not None and made.id != web.id
        assert (made.running, made.options) == (True, replace(web.options, name="web"))
        resting = driver.container("resting")
        assert resting is not None and resting.state is State.CREATED and resting.options.env == ("COLOUR=blue",)
        assert driver.world.log[-1].command.startswith("pilothouse run -d --name ")
        await driver.press("u")
        await driver.says("made anew, without its files: resting web: that cannot be undone")


async def test_a_report_is_copied_and_saved_without_secrets(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("web", env=("API_TOKEN=hunter2", "COLOUR=blue"), labels={"db": "pg://me:hunter2@host/x"}))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.until(lambda: driver.world.subject, "selected")
        await driver.press("C")
        await driver.says("copied a report of web")
        report = driver.app.clipboard
        assert "hunter2" not in report
        for words in ("# Container web", "COLOUR=blue", "API_TOKEN=(hidden)", "stdout ready", '"Id":', "pilothouse"):
            assert words in report
        path = Path(driver.last.rpartition(" ")[2])
        assert path.read_text() == report
        assert path.stat().st_mode & 0o077 == 0


async def test_the_card_of_an_end_says_why_and_what_did_not_answer(dashboard: Open, engine: Engine, image: Image):
    pg = await engine.run(sleeper("pg"))
    async with dashboard(140, 40) as driver:
        await driver.shows("pg")
        await engine.stop("pg")
        script = f"echo starting; echo 'Error: connect ECONNREFUSED {pg.endpoint.ip_address}:5432' >&2; exit 1"
        await engine.run(RunOptions(image="localhost/small:1", name="job", command=("sh", "-c", script), detach=True))
        await driver.select("job")
        await driver.shows("job exited", "exit 1", "last words", "ECONNREFUSED", "belonged to `pg`", "r run again")
        await driver.shows("(policy: no)", "s start pg", "started by you")
        driver.app.dashboard.go_to_tab("stats")
        await driver.until(lambda: driver.app.dashboard.active.id == "stats", "the card has the focus")
        await driver.press("s")
        await driver.says("started pg")
        await driver.shows("is `pg`, which runs")
        assert "s start pg" not in driver.text
        await driver.press("r")
        await driver.says("started job")


async def test_the_card_of_an_end_says_who_began_the_run_if_that_was_written_down(
    dashboard: Open, engine: Engine, settings: Settings, image: Image, monkeypatch: pytest.MonkeyPatch
):
    def ends(name: str, **options: object) -> RunOptions:
        return RunOptions("localhost/small:1", ("sh", "-c", "exit 3"), name=name, detach=True, **options)  # type: ignore[arg-type]

    monkeypatch.setenv("SUDO_USER", "alice")
    await engine.run(ends("hers"))
    monkeypatch.delenv("SUDO_USER")
    again = await engine.run(ends("again", restart=RestartPolicy("on-failure", 1)))
    old = await engine.run(ends("old"))
    path = settings.container_dir(old.id) / "monitor.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != KEY}))
    async with Engine.open(replace(settings, starter="the demo")) as other:
        await other.run(ends("demo-job"))
    await engine.wait(again.id)
    async with dashboard(140, 40) as driver:
        for name, words in (
            ("hers", "started by alice"),
            ("again", "started by its restart policy"),
            ("demo-job", "started by the demo"),
            ("old", "exit 3      ran"),
        ):
            await driver.select(name)
            await driver.shows(f"{name} exited", "exit 3", words)
        assert "started by" not in driver.text


async def test_an_address_of_before_the_dashboard_was_opened_is_known(dashboard: Open, engine: Engine, image: Image):
    pg = await engine.run(sleeper("pg"))
    await engine.stop("pg")
    script = f"echo 'connection to {pg.endpoint.ip_address} failed: No route to host' >&2; exit 2"
    await engine.run(RunOptions(image="localhost/small:1", name="job", command=("sh", "-c", script), detach=True))
    assert (await engine.last_addresses())[pg.endpoint.ip_address] == pg.id
    async with dashboard(140, 40) as driver:
        await driver.select("job")
        await driver.shows("belonged to `pg`, which is not running", "s start pg")


async def test_oom_and_signals_stand_on_the_row_in_words(dashboard: Open, engine: Engine, image: Image):
    for name, command in (("segv", "kill -SEGV $$"), ("lost", "exec nowhere"), ("fine", "exit 0")):
        await engine.run(RunOptions(image="localhost/small:1", name=name, command=("sh", "-c", command), detach=True))
    async with dashboard(140, 40) as driver:
        await driver.shows("exit 127", "exit 0")
        pane = driver.app.dashboard.containers
        words = {row.cells[0][0][0]: "".join(part for part, _ in row.cells[1]) for row in pane.table.rows}
        assert words["lost"] == "exit 127 not found"
        assert words["fine"] == "exit 0"


async def test_graphs_scroll_into_the_past_and_widen(dashboard: Open, web: Container):
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        await driver.press("greater_than_sign", "greater_than_sign")
        await driver.until(lambda: web.id in driver.world.stats and driver.world.stats[web.id].length > 2, "readings")
        await driver.shows("CPU", "MEM", "NET", "DISK", "1 s a column")
        driver.app.dashboard.go_to_tab("stats")
        await driver.until(lambda: driver.app.dashboard.active.id == "stats", "the graphs have the focus")
        await driver.press("minus")
        await driver.shows("5 s a column")
        await driver.press("left")
        await driver.shows("End: now")
        await driver.press("end", "plus")
        await driver.shows("1 s a column", "last ")
        await driver.press("s")  # the container that is shown, from here too
        await driver.says("stopped web")
        await driver.shows("web exited", "u:undo last stop")
        await driver.press("u")
        await driver.says("started web")
        await driver.until(lambda: "undo last" not in driver.text, "nothing is left to undo")


async def test_what_is_shown_in_the_graphs_can_be_copied_looked_into_run_again_and_removed(
    dashboard: Open, web: Container, engine: Engine
):
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        driver.app.dashboard.go_to_tab("stats")
        await driver.until(lambda: driver.app.dashboard.active.id == "stats", "the graphs have the focus")
        await driver.shows("DISK", "1 s a column")
        await driver.press("c")
        assert "DISK" in driver.app.clipboard
        await driver.press("left", "left", "right")
        await driver.press("R")
        await driver.shows("takes its place")
        await driver.press("escape")
        await driver.until(lambda: len(driver.app.screen_stack) == 1, "the form was closed")
        await driver.press("l")
        await driver.until(lambda: driver.app.dashboard.tab == "logs", "its log is shown")
        driver.app.dashboard.go_to_tab("stats")
        await driver.until(lambda: driver.app.dashboard.active.id == "stats", "the graphs have the focus")
        await driver.press("d")
        await driver.until(lambda: len(driver.app.screen_stack) == 2, "it asks")
        await driver.press("escape")
        await driver.until(lambda: len(driver.app.screen_stack) == 1, "it was let off")


async def test_the_text_of_a_tab_is_copied(dashboard: Open, web: Container):
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        driver.app.dashboard.go_to_tab("env")
        await driver.until(lambda: "PATH" in driver.text, "the environment is shown")
        await driver.press("c")
        assert "PATH" in driver.app.clipboard


async def test_a_page_is_turned_down_and_up(dashboard: Open, engine: Engine, image: object):
    for number in range(30):
        await engine.create(RunOptions("localhost/small:1", ("true",), name=f"c{number:02}"))
    async with dashboard() as driver:
        table = driver.app.dashboard.containers.table
        await driver.until(lambda: len(driver.world.containers) == 30, "thirty containers")
        await driver.press("pagedown")
        down = table.cursor
        assert down > 3
        await driver.press("pageup")
        assert table.cursor < down


async def test_events_of_before_the_dashboard_was_opened_are_told_newest_first(
    dashboard: Open, engine: Engine, web: Container
):
    await engine.stop("web")
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        driver.app.dashboard.go_to_tab("events")
        await driver.shows("create", "start", "stop", "exitCode=0")
        shown = [line for line in driver.text.splitlines() if "┃ " in line and ":" in line]
        actions = [line.split()[2] for line in shown if line.split()[2:] and line.split()[2].islower()]
        assert actions[0] == "stop"
        assert actions[-1] == "create"
        await driver.press("1", "s")
        await driver.says("started web")
        await driver.until(lambda: driver.text.count(" start ") >= 2, "the new one at once")
