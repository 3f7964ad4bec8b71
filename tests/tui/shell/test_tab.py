"""A shell in the area of the details, and from there over the whole screen and back."""

from __future__ import annotations

from engine.engine import Engine
from engine.models import Container
from tests.tui.conftest import Driver, Open, sleeper
from tui.shell.pane import ShellPane
from tui.shell.screen import ShellScreen


def tab(driver: Driver) -> ShellPane:
    pane = driver.app.dashboard.pane("shell")
    assert isinstance(pane, ShellPane)
    return pane


async def go_to_tab(driver: Driver) -> None:
    driver.app.dashboard.go_to_tab("shell")
    await driver.until(lambda: driver.app.dashboard.active.id == "shell", "the tab has the focus")


async def enter(driver: Driver, line: str) -> None:
    terminal = tab(driver).terminal
    assert terminal is not None
    terminal._type(f"{line}\r".encode())


async def test_a_shell_in_the_details_has_their_size_takes_every_key_and_is_left(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await go_to_tab(driver)
        await driver.shows("Enter opens a shell here, e over the whole screen")
        await driver.press("enter")
        await driver.until(lambda: tab(driver).terminal is not None and tab(driver).terminal.has_focus, "a terminal")
        terminal = tab(driver).terminal
        assert terminal is not None
        await enter(driver, "stty size")
        await driver.shows(f"{terminal.size.height} {terminal.size.width}")
        width = terminal.size.width
        await driver.pilot.resize_terminal(160, 44)
        await driver.until(lambda: terminal.size.width > width, "it was resized")
        await enter(driver, "stty size")
        await driver.shows(f"{terminal.size.height} {terminal.size.width}")
        await driver.shows("ctrl+] Back")
        assert "q Quit" not in driver.text.splitlines()[-1]
        await enter(driver, "stty -echo; cat -v")
        await driver.press("q", "1", "tab", "escape", "ctrl+q", "ctrl+p", "right_square_bracket", "enter")
        await driver.shows("q1", "^[^P]")
        await driver.press("ctrl+right_square_bracket")
        await driver.until(lambda: driver.app.dashboard.active.id == "containers", "back in the list")
        await driver.shows("^[^P]")  # it goes on, and is seen


async def test_a_shell_moves_between_the_tab_and_the_whole_screen(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await go_to_tab(driver)
        await driver.press("enter")
        await driver.until(lambda: tab(driver).terminal is not None, "a terminal")
        await enter(driver, "echo first")
        await driver.shows("first")
        await driver.press("f12", "e")
        await driver.until(lambda: isinstance(driver.app.screen, ShellScreen), "over the whole screen")
        assert tab(driver).terminal is None
        await driver.shows("first")
        driver.app.screen.terminal._type(b"stty size\r")  # type: ignore[attr-defined]
        await driver.shows("39 140")
        await driver.press("f12")
        await driver.until(lambda: tab(driver).terminal is not None, "in the tab again")
        terminal = tab(driver).terminal
        assert terminal is not None
        await driver.until(lambda: terminal.size.width > 0, "laid out")
        await enter(driver, "stty size")
        await driver.shows(f"{terminal.size.height} {terminal.size.width}")
        await enter(driver, "exit")
        await driver.says("sh in web ended with exit code 0")
        await driver.until(lambda: tab(driver).terminal is None, "no terminal is left")
        await driver.shows("Enter opens a shell here")


async def test_every_container_has_a_shell_of_its_own_in_the_tab(dashboard: Open, engine: Engine, web: Container):
    await engine.run(sleeper("api"))
    await engine.create(sleeper("later"))
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await go_to_tab(driver)
        await driver.press("enter")
        await driver.until(lambda: tab(driver).terminal is not None, "a terminal")
        await enter(driver, "echo in-web")
        await driver.shows("in-web")
        await driver.select("api")
        await driver.until(lambda: tab(driver).terminal is None, "none is open in the other")
        await driver.shows("Enter opens a shell here")
        await driver.select("later")
        await driver.shows("later does not run")
        await driver.select("web")
        await driver.shows("in-web")


async def test_a_shell_and_the_main_process_are_entered_from_any_tab_of_the_details(dashboard: Open, web: Container):
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        for name in ("ports", "stats", "env", "inspect", "processes", "files"):
            driver.app.dashboard.go_to_tab(name)
            await driver.until(lambda: driver.app.dashboard.active.id in (name, "text"), f"{name} has the focus")  # noqa: B023
            await driver.shows("e Shell")
            await driver.press("e")
            await driver.until(lambda: isinstance(driver.app.screen, ShellScreen), f"a shell from {name}")
            await driver.press("f12")
            await driver.until(lambda: driver.app.screen is driver.app.dashboard, "back")
        await driver.press("E")
        await driver.until(lambda: isinstance(driver.app.screen, ShellScreen), "the main process")
        await driver.shows("web · main process")
        await driver.press("f12")
