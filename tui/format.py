"""Numbers and times in the few cells a column has."""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine.models import Container, PortMapping, State

BLOCKS = "▁▂▃▄▅▆▇█"
_UNITS = ("B", "K", "M", "G", "T", "P")


def size(count: float) -> str:
    """Bytes in at most five cells: 0B, 812B, 4.1K, 38M, 1.2G (powers of 1024)."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1024
    if unit == "B" or value >= 9.95:
        return f"{value:.0f}{unit}"
    return f"{value:.1f}{unit}"


def count(number: int) -> str:
    """A number in at most four cells: 7, 812, 1.2k, 38k, 2M."""
    if number < 1000:
        return str(number)
    if number < 9_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1e6:.0f}M"


def percent(value: float) -> str:
    """A share in percent of one core: 0.3%, 9.4%, 38%, 212%."""
    return f"{value:.1f}%" if value < 9.95 else f"{value:.0f}%"


def span(seconds: float) -> str:
    """A length of time by its largest unit: 4s, 12m, 2h, 5d, 3w, 7mo, 2y."""
    seconds = max(0.0, seconds)
    for limit, length, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (14 * 86400, 86400, "d")):
        if seconds < limit:
            return f"{int(seconds // length)}{unit}"
    days = seconds / 86400
    if days < 60:
        return f"{int(days // 7)}w"
    return f"{int(days // 30)}mo" if days < 730 else f"{int(days // 365)}y"


def took(seconds: float) -> str:
    """How long something took, by its two largest units: 40 ms, 1.2 s, 3 m 5 s, 1 h 46 m, 2 d 3 h."""
    if seconds < 0.995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clock(when: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(when))


def sparkline(values: Iterable[float | None], width: int, ceiling: float = 0.0) -> str:
    """The last `width` values as block characters, scaled to `ceiling` or to the largest of them; None is a hole."""
    shown = list(values)[-width:]
    top = max(ceiling, max((value for value in shown if value is not None), default=0.0), 1e-9)
    return "".join(" " if value is None else BLOCKS[min(7, max(0, round(value / top * 7)))] for value in shown)


def bar(fraction: float, width: int) -> str:
    filled = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * filled + "░" * (width - filled)


def glyph(container: Container) -> str:
    """One sign per state, so that colour is never needed to tell them apart."""
    if container.state is State.RUNNING:
        return {"unhealthy": "!", "starting": "◔"}.get(container.health, "●")
    if container.state is State.PAUSED:
        return "‖"
    if container.state is State.RESTARTING:
        return "↻"
    if container.state is State.EXITED and (container.exit_code or container.error):
        return "✗"
    return "○"


def state(container: Container) -> str:
    """The state in a word or two: running, exit 0, exit 137 oom, failed; of one with a health check what came of it."""
    if container.state is State.RUNNING and container.health:
        return container.health
    if container.state is State.EXITED:
        return f"exit {container.exit_code}" + (" oom" if container.oom_killed else "")
    if container.state is State.CREATED and container.error:
        return "failed"
    return str(container.state)


def tone(container: Container) -> str:
    """The name of the colour that goes with the state (see widgets.table)."""
    if container.state is State.RUNNING:
        return {"unhealthy": "bad", "starting": "warn"}.get(container.health, "good")
    if container.state in (State.PAUSED, State.RESTARTING):
        return "warn"
    if container.error or container.state is State.DEAD or (container.state is State.EXITED and container.exit_code):
        return "bad"
    return "muted"


def since(container: Container, now: float) -> str:
    """`2h` for a running container, `14m ago` for one that ended, `-` for one never started."""
    if container.running or container.state is State.RESTARTING:
        return span(now - container.started) if container.started else "-"
    if container.finished:
        return f"{span(now - container.finished)} ago"
    return "-"


def ran(container: Container) -> str:
    """How long the run that ended went on: `2.3 s`; empty if that is not known."""
    return took(container.finished - container.started) if container.finished > container.started > 0 else ""


def port(mapping: PortMapping) -> str:
    """8080→80, 53→53/udp; 80 alone for a host port not chosen yet."""
    suffix = "" if mapping.protocol == "tcp" else f"/{mapping.protocol}"
    host = f"{mapping.host_port}→" if mapping.host_port else "?→"
    return f"{host}{mapping.container_port}{suffix}"


def familiar(reference: str) -> str:
    """docker.io/library/redis:7 -> redis:7, as Docker shows it."""
    for prefix in ("docker.io/library/", "docker.io/"):
        if reference.startswith(prefix):
            return reference[len(prefix) :]
    return reference


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
