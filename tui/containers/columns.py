"""The columns that the list of containers can have: what each shows, how it is sorted, which are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from engine.models import Container, State
from tui import format as short
from tui.containers.ended import word, words
from tui.ports.cells import ports_cell
from tui.sanitize import plain
from tui.state import memory
from tui.state.history import History, Sample
from tui.state.world import World
from tui.widgets.table import Cell, Column, cell

TREND = 8  # cells of a small history
DASH: Cell = cell("-", "muted")


@dataclass(frozen=True, slots=True)
class Seen:
    """A container with what is known of it beside the engine's word."""

    container: Container
    world: World
    now: float
    width: int  # cells of the list

    @property
    def history(self) -> History | None:
        return self.world.stats.get(self.container.id) if self.container.state is State.RUNNING else None

    @property
    def sample(self) -> Sample | None:
        history = self.history
        return history.latest if history else None

    @property
    def resting(self) -> str:
        return "" if self.container.running else "muted"


@dataclass(frozen=True, slots=True)
class Offer:
    """A column that can be chosen. `live`: it changes by itself, so that a list sorted by it must be sorted anew."""

    column: Column
    help: str
    show: Callable[[Seen], Cell]
    sort: Callable[[Seen], Any]
    falling: bool = False
    live: bool = False
    chosen: bool = True  # to begin with
    fixed: bool = False
    like: str = ""  # the column whose order is the same


def _state(seen: Seen) -> Cell:
    pending = seen.world.pending.get(seen.container.id)
    if pending:
        return cell(f"{pending}…", "accent")
    tone = short.tone(seen.container)
    return tuple((part, tone) for part in words(seen.container))


def _since(seen: Seen) -> str:
    text = short.since(seen.container, seen.now)
    return text if seen.width >= 74 else text.removesuffix(" ago")


def _log(seen: Seen) -> Cell:
    pulse = seen.world.log_pulses.get(seen.container.id)
    if pulse is None:
        return cell("")
    errors = f"{'>' if pulse.partial else ''}{short.count(pulse.errors)}E" if pulse.errors else ""
    if not seen.container.running:
        return cell(f"✗ {errors}", "bad") if errors else DASH
    trend = (short.sparkline(pulse.rates, 4, 10.0).rjust(4), "good")
    return (trend, (f" {errors}", "bad")) if errors else (trend,)


def _rate(seen: Seen) -> float:
    pulse = seen.world.log_pulses.get(seen.container.id)
    return pulse.rates[-1] if pulse and pulse.rates and seen.container.running else -1.0


def _trend(series: str, ceiling: float) -> Callable[[Seen], Cell]:
    def show(seen: Seen) -> Cell:
        history = seen.history
        if history is None:
            return cell("")
        return cell(short.sparkline(history.window(series, TREND), TREND, ceiling), "good")

    return show


def _measured(show: Callable[[Sample], str]) -> Callable[[Seen], Cell]:
    return lambda seen: cell(show(seen.sample)) if seen.sample else DASH


def _by(number: Callable[[Sample], float]) -> Callable[[Seen], float]:
    return lambda seen: number(seen.sample) if seen.sample else -1.0


def _address(seen: Seen) -> str:
    endpoint = seen.container.endpoint
    return endpoint.ip_address if endpoint else ""


def _pids(seen: Seen) -> int:
    history = seen.history
    return history.last.pids if history and history.last else -1


def _text(of: Callable[[Container], str], tone: str = "muted") -> Callable[[Seen], Cell]:
    return lambda seen: cell(plain(of(seen.container)) or "-", tone)


OFFERS: tuple[Offer, ...] = (
    Offer(
        Column("name", "NAME", least=8, fair=16, most=28),
        "its name",
        lambda seen: cell(plain(seen.container.name), seen.resting),
        lambda seen: seen.container.name,
        fixed=True,
    ),
    Offer(
        Column("state", "STATE", least=7, fair=12, most=18),
        "what it does, or how it ended",
        _state,
        lambda seen: (not seen.container.running, word(seen.container)),
        fixed=True,
    ),
    Offer(
        Column("ports", "PORTS", least=5, fair=16, most=32),
        "host port → its own port, and what answered there",
        lambda seen: ports_cell(seen.container, seen.world.ports, 2 if seen.width > 100 else 1, seen.resting),
        lambda seen: min((mapping.host_port for mapping in seen.container.ports), default=1 << 17),
    ),
    Offer(
        Column("cpu", "CPU", right=True, drop=1, least=5),
        "percent of one core",
        _measured(lambda sample: short.percent(sample.cpu)),
        _by(lambda sample: sample.cpu),
        falling=True,
        live=True,
    ),
    Offer(
        Column("cpu_trend", "CPU 8 s", drop=7, least=TREND),
        "the last seconds of CPU",
        _trend("cpu", 10.0),
        _by(lambda sample: sample.cpu),
        falling=True,
        live=True,
        like="cpu",
    ),
    Offer(
        Column("memory", "MEM", right=True, drop=2, least=5),
        "memory in use, without what can be dropped",
        _measured(lambda sample: short.size(sample.memory)),
        _by(lambda sample: sample.memory),
        falling=True,
        live=True,
    ),
    Offer(
        Column("memory_trend", "MEM 8 s", drop=8, least=TREND),
        "the last seconds of memory",
        _trend("memory", 0.0),
        _by(lambda sample: sample.memory),
        falling=True,
        live=True,
        chosen=False,
        like="memory",
    ),
    Offer(
        Column("up", "UP", drop=3, least=3),
        "how long it runs, or when it ended",
        lambda seen: cell(_since(seen), seen.resting),
        lambda seen: seen.container.started or seen.container.created,
        falling=True,
    ),
    Offer(
        Column("log", "LOG/s", drop=4, least=7, most=10),
        "lines it logs a second, and lines that say error",
        _log,
        _rate,
        falling=True,
        live=True,
    ),
    Offer(
        Column("net", "NET ↓↑", right=True, drop=9, least=11),
        "bytes it gets and sends a second",
        _measured(lambda sample: f"{short.size(sample.received)} {short.size(sample.sent)}"),
        _by(lambda sample: sample.received + sample.sent),
        falling=True,
        live=True,
        chosen=False,
    ),
    Offer(
        Column("pids", "PIDS", right=True, drop=10, least=4),
        "its processes and threads",
        lambda seen: cell(str(_pids(seen))) if _pids(seen) >= 0 else DASH,
        _pids,
        falling=True,
        live=True,
        chosen=False,
    ),
    Offer(
        Column("image", "IMAGE", drop=6, least=6, fair=12, most=24, end=True),
        "the image it was made of",
        _text(lambda container: container.image),
        lambda seen: seen.container.image,
    ),
    Offer(
        Column("restarts", "RESTARTS", right=True, drop=11),
        "how often its policy started it again",
        lambda seen: cell(str(seen.container.restart_count), "" if seen.container.restart_count else "muted"),
        lambda seen: seen.container.restart_count,
        falling=True,
        chosen=False,
    ),
    Offer(
        Column("ip", "IP", drop=12, least=7),
        "its address on the bridge",
        lambda seen: cell(_address(seen) or "-", "muted"),
        lambda seen: tuple(int(part) for part in _address(seen).split(".") if part.isdigit()),
        chosen=False,
    ),
    Offer(
        Column("id", "ID", drop=13, most=12),
        "the first 12 digits of its ID",
        _text(lambda container: container.short_id),
        lambda seen: seen.container.id,
        chosen=False,
    ),
    Offer(
        Column("command", "COMMAND", drop=14, least=8, fair=16, most=40),
        "what it executes",
        _text(lambda container: " ".join(container.command)),
        lambda seen: seen.container.command,
        chosen=False,
    ),
)
BY_KEY: dict[str, Offer] = {offer.column.key: offer for offer in OFFERS}
DEFAULT: tuple[str, ...] = tuple(offer.column.key for offer in OFFERS if offer.chosen)


def chosen(keys: Iterable[str]) -> tuple[Offer, ...]:
    """The offers called `keys`, in that order; those that are fixed are always there, unknown names never."""
    wanted = [key for key in dict.fromkeys(keys) if key in BY_KEY]
    place = 0  # after the fixed one before it: the name, then the state
    for key in (offer.column.key for offer in OFFERS if offer.fixed):
        if key not in wanted:
            wanted.insert(place, key)
        place = wanted.index(key) + 1
    return tuple(BY_KEY[key] for key in wanted)


def placed(offers: tuple[Offer, ...]) -> list[Column]:
    """The columns. Of an order of the user's own, the rightmost drop first where the room is short."""
    if tuple(offer.column.key for offer in offers) == DEFAULT:
        return [offer.column for offer in offers]
    return [replace(offer.column, drop=0 if offer.fixed else place) for place, offer in enumerate(offers, 1)]


def remembered(configured: tuple[str, ...]) -> tuple[str, ...]:
    """What was chosen last, unless config.toml has come to say something else since; then what that says."""
    found = memory.recall()
    keys = found.get("columns")
    if isinstance(keys, list) and keys and found.get("columns_over", []) == list(configured):
        return tuple(key for key in keys if isinstance(key, str))
    return configured or DEFAULT


def remember(keys: Iterable[str], configured: tuple[str, ...]) -> bool:
    return memory.remember(columns=list(keys), columns_over=list(configured))
