"""Opening a terminal: which shell there is, what is seen first, what is said at the end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from engine.errors import CommandNotExecutable, CommandNotFound
from engine.models import LogQuery
from tui import phrases
from tui.operations import command
from tui.sanitize import plain
from tui.shell.screen import BAR, ShellScreen
from tui.shell.session import Session, hang_up
from tui.state.world import Entry

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container
    from engine.runtime.attachment import Attachment
    from tui.app import Pilothouse

SHELLS = ("bash", "sh")
ENVIRONMENT = ("TERM=xterm-256color", "COLORTERM=truecolor")


async def open_shell(app: Pilothouse, container: Container) -> None:
    """A shell over the whole screen, the one that was left there if it still runs. Raises as Engine.exec."""
    session = await shell_of(app, container)
    if session is None or is_full_screen(app, session):  # the key was pressed twice
        return

    def left(_: None) -> None:
        _tell_tab(app)
        _left(app, session, f"the shell in {plain(container.name)}")

    app.push_screen(ShellScreen(session), left)
    _tell_tab(app)


async def shell_of(app: Pilothouse, container: Container) -> Session | None:
    """The shell that runs there for this dashboard, else a new one; None, and said, where there is none to be had.

    Raises as Engine.exec.
    """
    session = app.shells.get(container.id)
    if session is not None and not session.over:
        return session
    engine, asked = await app.engine_ready(), time.time()
    found = await _first_shell(engine, container.id)
    name = plain(container.name)
    if found is None:
        app.operations.say(
            f"{name} has neither {' nor '.join(SHELLS)}: there is no shell to open",
            failed=True,
            hint="its files are under the tab Files",
        )
        return None
    shell, attachment = found
    line = command("exec", "-it", container.name, shell)
    session = _begun(app, attachment, f"{name} · {shell}", line, f"{shell} in {name}", owned=True, asked=asked)
    app.shells[container.id] = session
    over = session.ended

    def ended() -> None:
        app.shells.pop(container.id, None)
        over()
        _tell_tab(app)

    session.ended = ended
    return session


def is_full_screen(app: Pilothouse, session: Session) -> bool:
    """Whether the session is shown over the whole screen, or under a dialog that is."""
    return any(isinstance(screen, ShellScreen) and screen.session is session for screen in app.screen_stack)


def _tell_tab(app: Pilothouse) -> None:
    """Let the tab Shell show the session, or leave it to the whole screen."""
    for pane in app.dashboard.query("#shell"):
        pane.update_if_shown()  # type: ignore[attr-defined]


async def open_main(app: Pilothouse, container: Container) -> None:
    """The main process's own input and output, the end of its log first. Raises as Engine.attach."""
    engine, asked = await app.engine_ready(), time.time()
    attachment = await engine.attach(container.id)
    rows = max(2, app.size.height - BAR)
    before = [line async for line in engine.logs(container.id, LogQuery(tail=rows))]
    name = plain(container.name)
    # a row less than it will have: the change of size makes a program on a terminal paint itself
    line = command("attach", container.name)
    session = _begun(app, attachment, f"{name} · main process", line, f"{name}", owned=False, asked=asked, less=1)
    newline = b"\r\n" if attachment.tty else b"\n"
    session.output(b"".join(line.text + (newline if line.complete else b"") for line in before))
    writable = container.options.interactive
    note = "" if writable else "it reads no input"

    def left(_: None) -> None:
        if not session.over:
            session.close()
            app.operations.say(f"left {name}, which runs on")

    app.push_screen(ShellScreen(session, note=note, writable=writable), left)


async def _first_shell(engine: Engine, container_id: str) -> tuple[str, Attachment] | None:
    for shell in SHELLS:
        work = engine.exec(container_id, (shell,), tty=True, interactive=True, env=ENVIRONMENT)
        starting = asyncio.ensure_future(work)
        try:
            return shell, await asyncio.shield(starting)
        except (CommandNotFound, CommandNotExecutable):
            continue
        except asyncio.CancelledError:  # the key was pressed again: nobody will see this one
            starting.add_done_callback(_unwanted)
            raise
    return None


def _unwanted(starting: asyncio.Future[Attachment]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        hang_up(starting.result())


def _begun(
    app: Pilothouse,
    attachment: Attachment,
    title: str,
    line: str,
    what: str,
    *,
    owned: bool,
    asked: float,
    less: int = 0,
) -> Session:
    """A session of the dashboard's size; its line in the command log says how it ended."""
    rows = max(2, app.size.height - BAR - less)
    session = Session(attachment, title, columns=max(2, app.size.width), rows=rows, owned=owned)
    entry = Entry(line, asked, took=time.time() - asked, state="ok", sentence=f"opened {what}")
    app.world.log.append(entry)
    app.world.tell("log")

    def ended() -> None:
        if isinstance(app.screen, ShellScreen) and app.screen.session is session:
            app.screen.leave()
        if session.trouble:
            app.operations.say(plain(session.trouble), failed=True)
        else:
            app.operations.say(f"{what} ended with exit code {session.exit_code}")

    session.ended = ended
    return session


def _left(app: Pilothouse, session: Session, what: str) -> None:
    if not session.over:
        words = phrases.words("{containers.shell} returns to it, quitting the dashboard ends it", app.preferences.keys)
        app.operations.say(f"{what} goes on: {words}")
