"""The flags of a health check, between a typed line and HealthCheck."""

from __future__ import annotations

from engine.cli.flags import Arguments, Flag
from engine.cli.units import nanoseconds, spell_nanoseconds
from engine.errors import InvalidInput
from engine.models import HealthCheck

FLAGS = (
    Flag("health-cmd", str, "Command to run to check health"),
    Flag("health-interval", nanoseconds, "Time between running the check (ms|s|m|h)", value="duration"),
    Flag("health-retries", int, "Consecutive failures needed to report unhealthy"),
    Flag(
        "health-start-interval",
        nanoseconds,
        "Time between running the check during the start period (ms|s|m|h)",
        value="duration",
    ),
    Flag(
        "health-start-period",
        nanoseconds,
        "Time to get ready in which failures do not count (ms|s|m|h)",
        value="duration",
    ),
    Flag("health-timeout", nanoseconds, "Maximum time to allow one check to run (ms|s|m|h)", value="duration"),
)
OFF = Flag("no-healthcheck", bool, "Disable the health check of the image")
_TIMES = ("interval", "timeout", "start_period", "start_interval")


def health_check(args: Arguments) -> HealthCheck:
    """What the flags ask for. Raises InvalidInput in Docker's words."""
    found = {name: getattr(args, f"health_{name}") or 0 for name in (*_TIMES, "retries")}
    if args.no_healthcheck:
        if args.health_cmd or any(found.values()):
            raise InvalidInput("--no-healthcheck conflicts with --health-* options")
        return HealthCheck(("NONE",))
    for name, number in found.items():
        if number < 0:
            raise InvalidInput(f"{_flag(name)} cannot be negative")
    return HealthCheck(("CMD-SHELL", args.health_cmd) if args.health_cmd else (), **found)


def words(health: HealthCheck) -> list[tuple[str, str]]:
    """The flags that ask for it, each with its value; "" for those that are not needed. Raises InvalidInput."""
    kind = health.test[0] if health.test else ""
    if kind not in ("", "NONE", "CMD-SHELL"):
        raise InvalidInput("a health check in words of its own has no form on the command line")
    times = {name: getattr(health, name) for name in _TIMES}
    return [
        ("--health-cmd", health.test[1] if kind == "CMD-SHELL" else ""),
        *((_flag(name), spell_nanoseconds(time) if time else "") for name, time in times.items()),
        ("--health-retries", str(health.retries or "")),
    ]


def _flag(name: str) -> str:
    return f"--health-{name.replace('_', '-')}"
