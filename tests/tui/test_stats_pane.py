"""The graphs of the selected container, in the dashboard."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.engine import Engine
from engine.models import Container, Resources, Stats
from tests.tui.conftest import Driver, Open, sleeper
from tui.containers import graphs, pictures
from tui.containers.graphs import Window
from tui.panes.stats import StatsPane
from tui.state.history import History


async def open_stats(driver: Driver, container: Container, readings: int = 2) -> StatsPane:
    await driver.select(container.name)
    driver.app.dashboard.go_to_tab("stats")
    await driver.until(lambda: driver.app.dashboard.active.id == "stats", "the graphs have the focus")
    stats = driver.world.stats
    await driver.until(lambda: container.id in stats and stats[container.id].length > readings, "readings")
    return driver.app.dashboard.query_one(StatsPane)


def past(container: Container, seconds: int, **counters: float) -> History:
    """A history of that many seconds, ending now, in which the counters grow by so much a second."""
    history = History()
    now = time.monotonic()
    for second in range(seconds + 1):
        grown = {name: int(value * second) for name, value in counters.items() if name != "cpu_seconds"}
        fixed = {"memory": 32 << 20, "memory_limit": 64 << 20, "pids": 3, "received": 0, "sent": 0, "read": 0}
        fixed |= {"written": 0, "throttled_periods": 0, "oom_kills": 0}
        cpu = counters.get("cpu_seconds", 0.0) * second
        history.add(Stats(container.id, now - seconds + second, cpu_seconds=cpu, **(fixed | grown)))  # type: ignore[arg-type]
    return history


@contextmanager
def with_past(driver: Driver, container: Container, history: History) -> Iterator[None]:
    """A container that has this past at every look, instead of being measured."""
    driver.world.stats[container.id] = history
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(driver.world), "measure", lambda self, readings, load: self.tell("stats"))
        yield


async def test_another_container_is_met_in_the_present_with_the_width_of_a_column_kept(
    dashboard: Open, web: Container, engine: Engine
):
    await engine.run(sleeper("api"))
    async with dashboard(100, 30) as driver:
        await open_stats(driver, web)
        await driver.press("minus", "left")
        await driver.shows("5 s a column", "End: now")
        await driver.press("1")
        await driver.select("api")
        await driver.shows("5 s a column", "api · Stats", "last ")


async def test_where_there_is_room_the_graphs_are_plotted_with_a_value_axis_and_a_time_axis(
    dashboard: Open, web: Container
):
    async with dashboard(80, 24) as driver:
        pane = await open_stats(driver, web)
        assert not pane.has_class("-plotted")
        await driver.press("z")
        await driver.shows("CPU", "MEM", "NET", "DISK", "0% ┤", "0B/s ┤", "└──", "-30s", "now", "PIDS")
        await driver.press("left")
        await driver.shows("End: now", time.strftime("%H:"))
        assert "-30s" not in driver.text
        await driver.press("end", "minus")
        await driver.shows("5 s a column", "-2m")
        await driver.press("z")
        await driver.until(lambda: not pane.has_class("-plotted"), "bars again where there is less room")
        await driver.shows("CPU")
        assert "┤" not in driver.text


async def test_a_plot_shows_the_limit_and_marks_where_it_was_throttled_and_where_memory_ran_out(
    dashboard: Open, engine: Engine, image: object
):
    limited = await engine.run(sleeper("limited", resources=Resources(cpus=0.5, memory=64 << 20)))
    async with dashboard(100, 30) as driver:
        pane = await open_stats(driver, limited)
        history = past(limited, 60, cpu_seconds=0.4, throttled_periods=7, oom_kills=1)
        with with_past(driver, limited, history):
            await driver.press("z")
            await driver.shows(
                "50% ├", "of 0.5 CPUs", "64M ├", "of 64M 50%", "t throttled 420 periods", "✗ killed, OOM 60"
            )
            lines = driver.text.splitlines()
            assert next(line for line in lines if "50% ├" in line).count("t") > 40
            assert next(line for line in lines if "64M ├" in line).count("✗") > 40
            await driver.press("c")
        assert "t throttled 420 periods" in driver.app.clipboard and "PIDS" in driver.app.clipboard
        assert pane.has_class("-plotted")


async def test_a_container_that_ends_gives_its_plots_up_for_the_card_of_its_end(
    dashboard: Open, web: Container, engine: Engine
):
    async with dashboard(100, 30) as driver:
        await open_stats(driver, web)
        await driver.press("z")
        await driver.shows("0% ┤")
        await engine.stop(web.id)
        await driver.shows("started by", "last words")
        assert "┤" not in driver.text


async def test_a_plot_is_drawn_in_a_thread_and_only_when_it_would_look_different(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch
):
    async with dashboard(100, 30) as driver:
        pane = await open_stats(driver, web)
        await driver.press("z")
        await driver.shows("0% ┤", "now")
        from tui.widgets.plot import HistoryPlot

        drawn: list[str] = []
        draw = HistoryPlot.drawn

        def watched(self: HistoryPlot, picture: pictures.Picture, *rest: object) -> object:
            with pytest.raises(RuntimeError):  # which is to say: not on the event loop
                asyncio.get_running_loop()
            drawn.append(picture.values[0][1])
            return draw(self, picture, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(HistoryPlot, "drawn", watched)
        with with_past(driver, web, past(web, 600, cpu_seconds=0.05)):
            plots = pane._plots
            assert plots is not None
            await driver.until(lambda: any("0%" in each for each in drawn), "a history that looks different is drawn")
            await driver.until(lambda: not plots._drawing, "it is drawn")
            looks = plots._wanted
            drawn.clear()
            await driver.until(lambda: plots._wanted is not looks and not plots._drawing, "they are looked at again")
            assert drawn == []


def test_the_plotting_library_is_not_imported_before_there_is_a_plot():
    code = "import sys, tui.app; print([name for name in sys.modules if 'plotext' in name])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_what_was_not_seen_is_a_gap_in_a_plot_and_not_a_line_across_it(web: Container):
    from tui.widgets.plot import _runs

    assert _runs([None, 1.0, 2.0, None, None, 3.0]) == [([1, 2], [1.0, 2.0]), ([5], [3.0])]
    history = past(web, 30, cpu_seconds=0.1)
    found = graphs.graphs(web, history, Window(), 60)
    shown = pictures.picture(found[0], history, Window(), 68, 8, lowest=True)
    assert shown.lines[0][:20] == (None,) * 20 and None not in shown.lines[0][-20:]


async def test_the_ticks_of_the_past_stand_at_whole_minutes_of_the_clock(web: Container):
    history = past(web, 1200, cpu_seconds=0.1)
    window = Window(step=5, back=300)
    shown = pictures.picture(graphs.graphs(web, history, window, 92)[0], history, window, 100, 12, lowest=False)
    assert len(shown.times) > 3
    assert all(label.endswith(":00") for _, label in shown.times)
    assert [place for place, _ in shown.times] == sorted({place for place, _ in shown.times})
