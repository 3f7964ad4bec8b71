"""Which health check a container has: the user's options over the image's config, by Docker's rules."""

from __future__ import annotations

from engine.errors import InvalidInput
from engine.frozen import replace
from engine.models import HealthCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.models import ImageConfig, RunOptions

SECOND = 10**9  # nanoseconds
SHORTEST = 10**6  # nanoseconds; what is shorter cannot be meant (Docker)
DEFAULT = HealthCheck(interval=30 * SECOND, timeout=30 * SECOND, start_interval=5 * SECOND, retries=3)
SHELL = ("/bin/sh", "-c")

_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}


def check(wanted: HealthCheck) -> None:
    """Refuse, in Docker's words, a check that cannot be meant. Raises InvalidInput."""
    for name, word in _TIMES.items():
        if getattr(wanted, name) and getattr(wanted, name) < SHORTEST:
            raise InvalidInput(f"{word} in Healthcheck cannot be less than 1ms")
    if wanted.retries < 0:
        raise InvalidInput("Retries in Healthcheck cannot be negative")


def effective(options: RunOptions, image: ImageConfig) -> HealthCheck:
    """The user's check, with what it leaves open from the image's."""
    return _filled(options.health, image.health)


def probe(options: RunOptions, image: ImageConfig) -> dict[str, Any] | None:
    """What the monitor is told: the words to execute, how often to fail, and times in seconds; None for no check.

    A kind of test that nobody knows is no check, as with Docker.
    """
    wanted = _filled(effective(options, image), DEFAULT)
    kind, *words = wanted.test or ("NONE",)
    if kind == "CMD-SHELL":
        words = [*(image.shell or SHELL), *words[:1]]
    elif kind != "CMD":
        return None
    if not words:
        return None
    times = {name: getattr(wanted, name) / SECOND for name in _TIMES}
    return {"args": words, "retries": wanted.retries, **times}


def document(wanted: HealthCheck) -> dict[str, Any] | None:
    """The check as image configs and `docker inspect` write it; None for none."""
    values = {"Test": list(wanted.test), **{word: getattr(wanted, name) for name, word in _TIMES.items()}}
    values["Retries"] = wanted.retries
    return {name: value for name, value in values.items() if value} or None


def _filled(wanted: HealthCheck, others: HealthCheck) -> HealthCheck:
    open_ = [name for name in HealthCheck.__match_args__ if not getattr(wanted, name)]
    return replace(wanted, **{name: getattr(others, name) for name in open_}) if open_ else wanted
