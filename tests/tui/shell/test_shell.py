"""A shell and the main process inside the dashboard, on real containers."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import events
from textual.screen import Screen

from engine.engine import Engine
from engine.models import Container, Image, RunOptions
from tests.tui.conftest import Driver, Open, sleeper
from tui.shell.screen import ShellScreen
from tui.shell.session import FULL
from tui.shell.terminal import Terminal

SMALL = "localhost/small:1"


def grid_text(driver: Driver) -> str:
    return driver.app.screen.session.grid.text() if isinstance(driver.app.screen, ShellScreen) else ""


async def opened(driver: Driver, key: str = "e") -> None:
    await driver.press(key)
    await driver.until(lambda: isinstance(driver.app.screen, ShellScreen), "the terminal opened")
    await driver.pilot.pause()


async def enter(driver: Driver, line: str) -> None:
    """Type into the terminal, as fast as a machine can."""
    driver.app.screen.terminal._type(f"{line}\r".encode())


async def test_e_opens_a_shell_of_the_screens_size_and_exit_returns(dashboard: Open, web: Container):
    async with dashboard(80, 24) as driver:
        await driver.select("web")
        await opened(driver)
        await driver.shows("web · sh", "ctrl+] back to the dashboard")
        await driver.until(lambda: "#" in grid_text(driver), "a prompt")
        await driver.press("s", "t", "t", "y", "space", "s", "i", "z", "e", "enter")
        await driver.shows("23 80")
        await driver.pilot.resize_terminal(100, 30)
        await driver.pilot.pause()
        await enter(driver, "stty size; echo $TERM; tty >/dev/null && echo terminal")
        await driver.shows("29 100", "xterm-256color", "terminal")
        await driver.press("e", "x", "i", "t", "enter")
        await driver.says("sh in web ended with exit code 0")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the dashboard came back")
        assert any(entry.command == "pilothouse exec -it web sh" for entry in driver.world.log)


async def test_keys_of_the_dashboard_belong_to_the_shell_and_leaving_keeps_it(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await opened(driver)
        await enter(driver, "stty -echo; cat -v")
        await driver.until(lambda: "cat -v" in grid_text(driver), "cat runs")
        await driver.press("q", "ctrl+q", "ctrl+p", "escape", "question_mark", "up", "f5", "alt+x", "enter")
        await driver.shows("^P^[?^[[A^[[15~^[x")
        await driver.press("ctrl+right_square_bracket")
        await driver.says("the shell in web goes on")
        assert driver.app.screen is driver.app.dashboard
        await opened(driver)
        await driver.shows("^P^[?^[[A^[[15~^[x")
        assert len([process for process in await _processes(driver) if process == "cat"]) == 1
        await driver.press("f12")


async def test_closing_the_dashboard_ends_the_shells_it_left(dashboard: Open, engine: Engine, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await opened(driver)
        await enter(driver, "sleep 1234")
        await driver.until(lambda: "sleep 1234" in grid_text(driver), "it was typed")
        await driver.press("f12")
    async with asyncio.timeout(10):
        while any(process.command == ("sh",) for process in await engine.top("web")):
            continue


async def test_a_flood_is_drawn_without_holding_the_dashboard_and_is_cut_short(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await opened(driver)
        loop = asyncio.get_running_loop()
        await enter(driver, "seq 1000000000")
        await driver.until(lambda: driver.app.screen.session._waiting_bytes > FULL // 2, "the flood")
        longest = 0.0
        for _ in range(40):
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)
            await driver.pilot.pause(0.01)
        assert longest < 0.25, longest  # a few frames on a busy machine, never seconds
        await driver.press("ctrl+c")
        await enter(driver, "echo still here")
        interrupted = loop.time()
        await driver.shows("^C", "still here")
        assert loop.time() - interrupted < 3.0  # to draw what was on its way takes much longer
        await driver.press("f12")


async def test_colours_the_alternate_screen_and_scrolling_back(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await opened(driver)
        await enter(
            driver, "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; done; printf '\\033[31mred\\033[m\\n'"
        )
        await driver.shows("line 60", "red")
        cells = [cell for y in range(23) for text, cell in driver.app.screen.session.grid.row(y) if text == "red"]
        assert cells[0].fg == "red"
        await driver.press("shift+pageup")
        await driver.until(lambda: "line 30" in driver.text and "line 60" not in driver.text, "older lines")
        await driver.press("shift+pagedown")
        await driver.shows("line 60")
        await enter(driver, "printf '\\033[?1049h\\033[2J\\033[Hfull'; read x; printf '\\033[?1049l'")
        await driver.until(lambda: "full" in driver.text and "line 60" not in driver.text, "the alternate screen")
        await driver.press("enter")
        await driver.shows("line 60")
        await driver.press("f12")


async def test_one_without_a_shell_says_so(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("bare"))
    await _run(engine, "bare", "for shell in bash sh ash; do mv /bin/$shell /bin/was-$shell; done; :")
    async with dashboard() as driver:
        await driver.select("bare")
        await driver.press("e")
        await driver.says("bare has neither bash nor sh")
        assert driver.app.screen is driver.app.dashboard


def type_at_once(driver: Driver, *keys: str) -> None:
    """All before the first has been handled, as a terminal sends what was pasted."""
    for key in keys:
        driver.app.post_message(events.Key(key, "\r" if key == "enter" else key if len(key) == 1 else None))


async def test_what_is_typed_before_the_shell_is_open_goes_to_the_shell(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        type_at_once(driver, "e", *"pwd", "enter")
        await driver.shows("# pwd", "\n/\n")
        await driver.press("f12")
        await driver.says("the shell in web goes on")
        assert driver.container("web").running
        assert driver.app.screen is driver.app.dashboard


async def test_what_is_typed_for_a_shell_that_does_not_open_does_nothing(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("bare"))
    await _run(engine, "bare", "for shell in bash sh ash; do mv /bin/$shell /bin/was-$shell; done; :")
    async with dashboard() as driver:
        await driver.select("bare")
        type_at_once(driver, "e", *"pwd", "enter")
        await driver.says("bare has neither bash nor sh")
        await driver.press("question_mark")
        await driver.shows("Open a shell in it")
        assert not any("paus" in entry.sentence for entry in driver.world.log)
        assert driver.app.screen.is_modal


async def test_keys_reach_a_screen_that_opens_at_once(dashboard: Open):
    class Heard(Screen[None]):
        keys: ClassVar[list[str]] = []

        def on_key(self, event: events.Key) -> None:
            self.keys.append(event.key)

    async def at_once(driver: Driver) -> None:
        await driver.app.push_screen(Heard())

    async with dashboard() as driver:
        driver.app.opening(driver.app.dashboard, "opening", at_once, driver)
        await driver.press("x", "f12")
        await driver.until(lambda: Heard.keys == ["x", "f12"], "both keys are heard")


async def test_escape_gives_up_a_shell_that_is_opening(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        type_at_once(driver, "e", "escape")
        await driver.until(lambda: not driver.app._type_ahead._busy(), "keys are handled again")
        assert driver.app.screen is driver.app.dashboard
        assert not driver.app.shells


async def test_attaching_to_a_process_without_a_terminal_types_lines(dashboard: Open, engine: Engine, image: Image):
    command = ("sh", "-c", "echo before; while read line; do echo got $line; done")
    await engine.run(RunOptions(SMALL, command, name="reader", interactive=True, detach=True))
    async with dashboard() as driver:
        await driver.select("reader")
        await driver.shows("before")
        await opened(driver, "E")
        await driver.shows("reader · main process", "before")
        await driver.press("h", "x", "backspace", "i", "enter")
        await driver.shows("got hi")
        await driver.press("ctrl+right_square_bracket")
        await driver.says("left reader, which runs on")
        assert driver.container("reader").running
        await opened(driver, "E")
        await driver.press("ctrl+d")  # the end of its input is the end of it
        await driver.says("reader ended with exit code 0")


async def test_attaching_to_a_terminal_and_to_one_that_reads_nothing(dashboard: Open, engine: Engine, image: Image):
    await engine.run(RunOptions(SMALL, ("sh",), name="term", tty=True, interactive=True, detach=True))
    await engine.run(sleeper("quiet"))
    async with dashboard() as driver:
        await driver.select("term")
        await opened(driver, "E")
        await enter(driver, "stty size")
        await driver.shows("23 80")
        await driver.press("f12")
        await driver.select("quiet")
        await opened(driver, "E")
        await driver.shows("it reads no input", "ready")
        await driver.press("x", "f12")
        await driver.says("left quiet, which runs on")


async def _processes(driver: Driver) -> list[str]:
    engine = await driver.app.engine_ready()
    return [process.name for process in await engine.top("web")]


async def _run(engine: Engine, name: str, script: str) -> None:
    attachment = await engine.exec(name, ("sh", "-c", script))
    while attachment.exit_code is None:
        attachment.receive()
        await asyncio.sleep(0.01)
    attachment.close()


async def test_mouse_and_pasted_text_reach_a_program_that_asks_for_them(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        await opened(driver)
        await enter(driver, "stty -echo -icanon; printf '\\033[?1000h\\033[?1006h\\033[?2004hready'; cat -v")
        await driver.shows("ready")
        await driver.pilot.click(Terminal, offset=(4, 2))
        await driver.shows("^[[<0;5;3M^[[<0;5;3m")
        terminal = driver.app.screen.terminal
        terminal.post_message(events.MouseScrollUp(terminal, 1, 1, 0, 0, 0, False, False, False))
        await driver.shows("^[[<64;2;2M")
        driver.app.screen.terminal.post_message(events.Paste("a\nb\x1b[201~c"))
        await driver.shows("^[[200~a", "b[201~c^[[201~")
        await driver.press("f12")


async def test_a_flood_from_a_container_that_is_only_watched_does_not_hold_it_up(
    dashboard: Open, engine: Engine, image: Image
):
    script = "read go; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line $i of many; done; echo over; sleep 100"
    await engine.run(RunOptions(SMALL, ("sh", "-c", script), name="loud", interactive=True, detach=True))
    async with dashboard() as driver:
        await driver.select("loud")
        await opened(driver, "E")
        await driver.press("enter")
        await driver.shows("over")
        session = driver.app.screen.session
        assert session._waiting_bytes <= FULL
        await driver.press("f12")


async def test_an_impatient_finger_opens_one_shell(dashboard: Open, engine: Engine, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        for _ in range(3):
            driver.app.dashboard.containers.action_shell()
            await asyncio.sleep(0.03)  # while the shell is being started
        await driver.until(lambda: isinstance(driver.app.screen, ShellScreen), "the terminal opened")
        async with asyncio.timeout(10):
            while len([process for process in await engine.top("web") if process.command == ("sh",)]) != 1:
                continue
        assert len(driver.app.screen_stack) == 2
        await driver.press("f12")
