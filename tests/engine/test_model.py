"""Random operations on the real engine against a model of it: states as predicted, nothing lost, nothing leaked.

Twenty seconds here; `PILOTHOUSE_SOAK_SECONDS=3600` makes it an hour.
"""

from __future__ import annotations

import gc
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from engine.cli.drive import drive
from engine.engine import Engine
from engine.errors import Conflict, EngineError, NotFound
from engine.linux import processes
from engine.models import Mount, PortMapping, RunOptions
from engine.runtime.status import read_state, status
from engine.settings import Settings
from tests.conftest import SMALL
from tests.engine.faults.leftovers import settled_leftovers

SECONDS = float(os.environ.get("PILOTHOUSE_SOAK_SECONDS", "20"))
ROUNDS = 10  # at the least, however slow the machine
STEPS = 40
NAMES = st.sampled_from(["web", "api", "queue", "store"])  # none could be the beginning of an ID
GROWTH = 3  # descriptors more than after the first rounds
MEMORY_GROWTH = 24 << 20  # bytes more than after the first rounds
FOREVER = ("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")


class Model(RuleBasedStateMachine):
    """`expected`: name -> state of every container there should be."""

    root: Settings
    seen: ClassVar[set[str]] = set()  # states, in any round

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine.open(self.root, threads=False)
        drive(self.engine.__aenter__())
        self.expected: dict[str, str] = {}

    def teardown(self) -> None:
        try:
            for name in self.expected:
                drive(self.engine.remove(name, force=True, volumes=True))
            assert drive(self.engine.containers()) == []
            assert settled_leftovers(self.root) == []
        finally:
            drive(self.engine.__aexit__(None, None, None))

    def tried(self, act: Any, *, allowed: bool, error: type[EngineError] = Conflict) -> None:
        """Do it: it works if the model allows it, and is refused with a sentence if not."""
        if allowed:
            drive(act)
            return
        with pytest.raises(error) as refused:
            drive(act)
        assert refused.value.message

    def state(self, name: str) -> str:
        return self.expected.get(name, "")

    # operations -----------------------------------------------------------------------------------

    @rule(
        name=NAMES,
        port=st.booleans(),
        volume=st.booleans(),
        restart=st.sampled_from(["no", "always"]),
        go=st.booleans(),
    )
    def make(self, name: str, port: bool, volume: bool, restart: str, go: bool) -> None:
        from engine.models import RestartPolicy

        options = RunOptions(
            SMALL,
            FOREVER,
            name=name,
            network="bridge" if port else "none",
            ports=(PortMapping(80),) if port else (),
            mounts=(Mount("volume", "/data"),) if volume else (),
            restart=RestartPolicy(restart),
            detach=True,
        )
        is_new = name not in self.expected
        self.tried(self.engine.run(options) if go else self.engine.create(options), allowed=is_new)
        if is_new:
            self.expected[name] = "running" if go else "created"

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        self.tried(self.engine.start(name), allowed=bool(self.state(name)), error=NotFound)
        if self.state(name) in ("created", "exited"):
            self.expected[name] = "running"

    @rule(name=NAMES, grace=st.sampled_from([0, 5]))
    def stop(self, name: str, grace: float) -> None:
        self.tried(self.engine.stop(name, grace=grace), allowed=bool(self.state(name)), error=NotFound)
        if self.state(name) in ("running", "paused"):
            self.expected[name] = "exited"

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.expected)))
        drive(self.engine.restart(name, grace=0))
        self.expected[name] = "running"

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.expected)))
        runs = self.state(name) in ("running", "paused")
        self.tried(self.engine.kill(name), allowed=runs)
        if runs:
            drive(self.engine.wait(name))
            self.expected[name] = "exited"

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def pause_or_unpause(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.expected)))
        if data.draw(st.booleans()):
            self.tried(self.engine.pause(name), allowed=self.state(name) == "running")
            if self.state(name) == "running":
                self.expected[name] = "paused"
        else:
            self.tried(self.engine.unpause(name), allowed=self.state(name) == "paused")
            if self.state(name) == "paused":
                self.expected[name] = "running"

    @rule(name=NAMES, force=st.booleans())
    def remove(self, name: str, force: bool) -> None:
        if not self.state(name):
            self.tried(self.engine.remove(name, force=force), allowed=False, error=NotFound)
            return
        allowed = force or self.state(name) in ("created", "exited")
        self.tried(self.engine.remove(name, force=force, volumes=True), allowed=allowed)
        if allowed:
            del self.expected[name]

    @precondition(lambda self: self.expected)
    @rule(data=st.data(), to=NAMES)
    def rename(self, data: st.DataObject, to: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.expected)))
        if name == to:
            return
        self.tried(self.engine.rename(name, to), allowed=to not in self.expected)
        if to not in self.expected:
            self.expected[to] = self.expected.pop(name)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.expected)))
        if self.state(name) != "running":
            self.tried(self.engine.exec(name, ("true",)), allowed=False)
            return
        attachment = drive(self.engine.exec(name, ("sh", "-c", "exit 5")))
        while attachment.exit_code is None:
            select.select([attachment], [], [], 10)
            attachment.receive()
        assert attachment.exit_code == 5
        attachment.close()

    @precondition(lambda self: "running" in self.expected.values() or "paused" in self.expected.values())
    @rule(data=st.data())
    def kill_the_monitor(self, data: st.DataObject) -> None:
        names = [name for name, state in self.expected.items() if state in ("running", "paused")]
        container = drive(self.engine.container(data.draw(st.sampled_from(sorted(names)))))
        told = read_state(os.fspath(self.root.container_dir(container.id)))
        pidfd = processes.open_process(told["monitor_pid"], told["monitor_start_time"])
        processes.send_signal(pidfd, 9)
        select.select([pidfd], [], [])
        os.close(pidfd)
        deadline = time.monotonic() + 60
        while not status(self.root, container.id).has_monitor:
            # the clean-up command of a run before may be at work on it just now: then the next command adopts it
            assert time.monotonic() < deadline
            drive(self.engine.reconcile())

    @rule()
    def remove_the_image(self) -> None:
        if self.expected:
            self.tried(self.engine.remove_image(SMALL), allowed=False)

    # what always holds ----------------------------------------------------------------------------

    @invariant()
    def states_are_as_predicted(self) -> None:
        found = {container.name: container.state.value for container in drive(self.engine.containers())}
        assert found == self.expected
        self.seen.update(found.values())


@pytest.fixture
def rounds() -> Iterator[int]:
    """Counts up until the time is over."""
    deadline = time.monotonic() + SECONDS

    def count() -> Iterator[int]:
        number = 0
        while number < ROUNDS or time.monotonic() < deadline:
            yield number
            number += 1

    return count()


@pytest.mark.usefixtures("image")
def test_the_engine_does_what_the_model_says(settings: Settings, rounds: Iterator[int]) -> None:
    Model.root = settings
    once = hypothesis.settings(
        max_examples=2,  # the first is always the simplest there is: one rule, again and again
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    descriptors = memory = 0
    for number in rounds:
        # a seed of its own for each: where CI is set, hypothesis' default profile would play one round again and again
        run_state_machine_as_test(hypothesis.seed(number)(Model), settings=once)
        gc.collect()
        if number == 1:  # by now everything is imported and every cache warm
            descriptors, memory = used()
    assert len(Model.seen) >= 3, f"the rounds were all the same: {Model.seen}"
    now = used()
    assert now[0] <= descriptors + GROWTH
    assert now[1] <= memory + MEMORY_GROWTH


def used() -> tuple[int, int]:
    """Descriptors that this process has open, and its bytes in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), pages * os.sysconf("SC_PAGE_SIZE")
