"""Actions on the engine: shown as pending at once, run in the background, told in one sentence at the end."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from engine.errors import EngineError
from engine.models import Container
from tui import phrases
from tui.format import plural, took
from tui.reports import write_report
from tui.sanitize import plain
from tui.short_lived import ShortLived
from tui.state.world import Entry

if TYPE_CHECKING:
    from textual.worker import Worker

    from engine.engine import Engine
    from tui.app import Pilothouse
    from tui.state.world import World

Work = Callable[["Engine"], Awaitable[object]]

LONG = 3.0  # seconds: who began something that takes longer looks elsewhere when it ends
TOGETHER = 4  # targets of one bulk action that are worked on at the same time


@dataclass(frozen=True, slots=True)
class Action:
    """A verb of the engine for one container.

    `doing` stands in the row while it lasts ("stopping"), `done` begins the sentence at the end ("stopped").
    """

    command: str
    doing: str
    done: str
    work: Callable[[Engine, str], Awaitable[object]]
    starts: bool = False  # the container runs afterwards, or has


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target; `problem` is empty if it went well."""

    name: str
    problem: str = ""
    hint: str = ""


class Cancelled(EngineError):
    """The user has ended it: nothing has failed."""


class Operations:
    """Runs actions and keeps the command log. `engine` waits until the engine has been opened."""

    def __init__(self, app: Pilothouse, world: World, engine: Callable[[], Awaitable[Engine]]) -> None:
        self._app = app
        self._world = world
        self._engine = engine
        self._undo: Callable[[], object] | None = None
        self.undoable = ""  # the verb that `undo` would take back; empty if there is none
        self._last = ""  # what was done last to containers

    def run(
        self,
        line: str,
        work: Callable[[Engine], Awaitable[object]],
        *,
        done: str | Callable[[object], str],
        then: Callable[[object], None] | None = None,
        undo: Callable[[object], object] | None = None,
        told: Callable[[], bool] = lambda: False,
    ) -> Worker[None]:
        """One action that is not about a container of the list. `then` gets the result if it went well.

        A container that it returns is one that it started; one that is left of its failure is named,
        and the cursor goes there unless the user has gone on to something else.

        `undo` begins what goes back; it gets the result too. `told`: whether a failure stands in a panel already.
        """

        async def body() -> None:
            entry, begun = self._begin(line), time.monotonic()
            try:
                result = await work(await self._engine())
            except asyncio.CancelledError:
                self._finish(entry, "cancelled", "cancelled")
                raise
            except Cancelled as error:
                self._finish(entry, "cancelled", error.message)
                return
            except Exception as error:  # the border of the user interface: everything becomes a sentence
                problem, hint = explain(error, line)
                entry.told = told()
                left = None
                try:
                    left = await self._left_by(error)
                finally:
                    named = f"; {plain(left.name)} was created and not started" if left is not None else ""
                    self._finish(entry, "failed", problem + named, hint)
                if left is not None and not self.has_gone_on(begun):
                    self._app.dashboard.action_pane("containers")
                    self._app.dashboard.containers.table.select(left.id)
                return
            sentence = done if isinstance(done, str) else done(result)
            if undo is not None:
                self._can_undo(partial(undo, result), line, sentence)
            self._finish(entry, "ok", sentence)
            if isinstance(result, Container):
                self.put(result)
            if then is not None:
                then(result)
            if isinstance(result, Container):
                self._look_after([result], entry)

        return self._work(body())

    def on_each(self, targets: Sequence[tuple[str, Work]], *, line: str, done: str, noun: str) -> Worker[None]:
        """The same for each of several things that are no containers: their names, and what is to be done."""

        async def body() -> None:
            entry, gate = self._begin(line), asyncio.Semaphore(TOGETHER)
            outcomes = await asyncio.gather(*(self._outcome(name, work, gate, line) for name, work in targets))
            self._sum_up(entry, done, outcomes, noun)

        return self._work(body())

    async def _outcome(self, name: str, work: Work, gate: asyncio.Semaphore, line: str) -> Outcome:
        try:
            async with gate:
                await work(await self._engine())
        except Exception as error:  # as in `run`
            return Outcome(plain(name), *explain(error, line))
        return Outcome(plain(name))

    def _sum_up(self, entry: Entry, done: str, outcomes: Sequence[Outcome], noun: str) -> None:
        """One sentence for all; if several were wanted and not all went well, a panel with a line for each."""
        failed = [outcome for outcome in outcomes if outcome.problem]
        hint = failed[0].hint if len(outcomes) == 1 and failed else ""
        self._finish(entry, "failed" if failed else "ok", summary(done, outcomes, noun), hint)
        if failed and len(outcomes) > 1 and len(self._app.screen_stack) == 1:
            from tui.dialogs.problems import Problems

            self._app.push_screen(Problems(f"{done} {len(outcomes) - len(failed)} of {len(outcomes)}", failed))

    def on_containers(
        self,
        action: Action,
        targets: Sequence[Container],
        *,
        line: str,
        undo: Action | None = None,
        undo_line: str = "",
    ) -> Worker[None] | None:
        """The same verb for one container or many, with one summary.

        A verb that is under way is not begun again; another may be: kill cuts a slow stop short. `undo` is the verb
        that goes back; None: there is no way back. Its command line is `undo_line`, or that verb and the names.
        """
        free = [container for container in targets if self._world.pending.get(container.id) != action.doing]
        if not free:
            self.say(f"{plain(targets[0].name)} is {action.doing} already")
            return None
        for container in free:
            self._world.pending[container.id] = action.doing
        self._world.tell("containers")
        return self._work(self._each(action, free, line, undo, undo_line))

    async def _each(
        self, action: Action, targets: Sequence[Container], line: str, undo: Action | None, undo_line: str
    ) -> None:
        entry = self._begin(line)
        gate = asyncio.Semaphore(TOGETHER)

        async def one(container: Container) -> Outcome:
            async def work(engine: Engine) -> None:
                result = await action.work(engine, container.id)
                if isinstance(result, Container):
                    self.put(result)

            try:
                return await self._outcome(container.name, work, gate, line)
            finally:
                if self._world.pending.get(container.id) == action.doing:
                    del self._world.pending[container.id]
                self._world.tell("containers")

        outcomes = await asyncio.gather(*(one(container) for container in targets))
        went = [c for c, outcome in zip(targets, outcomes, strict=True) if not outcome.problem]
        if went:
            done = f"{action.done} {' '.join(plain(container.name) for container in went)}"
            if undo is None:
                self._can_undo(None, "", done)
            else:
                back = undo_line or command(undo.command, *(container.name for container in went))
                self._can_undo(lambda: self.on_containers(undo, went, line=back), line, done)
        self._sum_up(entry, action.done, outcomes, "container")
        if action.starts:
            self._look_after(went, entry)

    def has_gone_on(self, begun: float) -> bool:
        """Whether the user does something else while an action takes long, since `begun` (CLOCK_MONOTONIC)."""
        return time.monotonic() - begun > LONG and self._app.was_used_since(begun)

    async def _left_by(self, error: Exception) -> Container | None:
        """The container that an action created before it failed, with a row of its own from now on."""
        if not isinstance(error, EngineError) or not error.container_id:
            return None
        try:
            left = await (await self._engine()).container(error.container_id)
        except EngineError:
            return None  # removed meanwhile
        self.put(left)
        return left

    def put(self, result: Container) -> None:
        """Show what an action returned, unless the events have told meanwhile of what came after."""
        world, known = self._world, self._world.containers.get(result.id)
        if known is not None:
            outdated = max(known.started, known.finished) > max(result.started, result.finished)
        else:
            outdated = any(event.id == result.id and event.action == "destroy" for event in world.events)
        if not outdated:
            world.put(result)

    def _look_after(self, started: Sequence[Container], entry: Entry) -> None:
        alarm = partial(self._app.notify, severity="warning", markup=False) if entry.took > LONG else None
        ShortLived(self._world, (container.id for container in started), entry.started, alarm)

    def _can_undo(self, back: Callable[[], object] | None, line: str, done: str) -> None:
        """From now on `undo` goes back by `back`, or says that `done` cannot be undone."""
        self._undo, self._last = back, done
        self.undoable = line.split()[1].replace("rm", "remove") if back is not None else ""

    def undo(self) -> str:
        """Undo the last action on containers; a sentence if that cannot be done."""
        if self._undo is None:
            return f"{self._last}: that cannot be undone" if self._last else "nothing to undo"
        back = self._undo
        self._can_undo(None, "", "")
        back()
        return ""

    def words(self, template: str) -> str:
        """A sentence that names keys by their ids, with those in force."""
        return phrases.words(template, self._app.preferences.keys)

    def say(self, sentence: str, *, failed: bool = False, hint: str = "") -> None:
        """A sentence for the status row without a command line."""
        self._world.log.append(Entry("", time.time(), state="failed" if failed else "ok", sentence=sentence, hint=hint))
        self._world.tell("log")

    def _work(self, body: Awaitable[None]) -> Worker[None]:
        # the app owns the worker: a dialog that is closed must not cancel what it started
        return self._app.run_worker(body, group="operations", exit_on_error=False)

    def _begin(self, command: str) -> Entry:
        entry = Entry(command, time.time())
        self._world.log.append(entry)
        self._world.tell("log")
        return entry

    def _finish(self, entry: Entry, state: Literal["ok", "failed", "cancelled"], sentence: str, hint: str = "") -> None:
        entry.took = time.time() - entry.started
        entry.state = state
        entry.sentence, entry.hint = sentence, hint
        self._world.tell("log")
        if state == "ok" and entry.took > LONG:
            self._app.notify(plain(sentence), timeout=3, markup=False)


def command(*words: str) -> str:
    """`pilothouse stop web`, quoted for a shell and safe to show."""
    return plain(shlex.join(("pilothouse", *words)))


def summary(done: str, outcomes: Sequence[Outcome], noun: str = "container") -> str:
    """`stopped web`; `stopped 3 containers`; `stopped 2 of 4; redis: no such container; 1 more failed`."""
    failed = [outcome for outcome in outcomes if outcome.problem]
    if len(outcomes) == 1:
        return failed[0].problem if failed else f"{done} {outcomes[0].name}"
    if not failed:
        return f"{done} {plural(len(outcomes), noun)}"
    rest = f"; {len(failed) - 1} more failed" if len(failed) > 1 else ""
    return f"{done} {len(outcomes) - len(failed)} of {len(outcomes)}; {failed[0].name}: {failed[0].problem}{rest}"


def explain(error: BaseException, doing: str) -> tuple[str, str]:
    """A failure as a sentence and a hint. What nobody foresaw is written to a report file, which the hint names."""
    if isinstance(error, EngineError):
        return plain(str(error)), plain(error.hint)
    path = write_report(error, doing)
    name = type(error).__name__
    return f"something went wrong that should not have ({name}: {plain(str(error))})", f"report: {path}" if path else ""


def finished(entry: Entry) -> str:
    """The entry's sentence for the status row, with how long it took when that was long enough to notice."""
    length = f" ({took(entry.took)})" if entry.took >= 0.5 and entry.state == "ok" else ""
    return f"{entry.sentence}{length}" + (f" ({entry.hint})" if entry.hint else "")
