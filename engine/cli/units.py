"""Sizes, times and durations between people and numbers, in the spellings of Docker's command line."""

from __future__ import annotations

import re
import time

from engine.errors import InvalidInput

_BINARY = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
# Strings: `re` compiles them when they are first used, and most commands never do.
_SIZE = r"(?ai)(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?"
_DURATION = r"(?a)(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIMESTAMP = r"(?a)(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:?\d\d)?"


def memory_size(text: str) -> int:
    """Bytes of `512m`, `1.5g`, `64KiB`; a bare number is bytes. Raises InvalidInput in Docker's words."""
    found = re.fullmatch(_SIZE, text.strip())
    if found is None:
        raise InvalidInput(f"invalid size: '{text}'")
    return int(float(found[1]) * _BINARY[found[2].lower()])


def swap_size(text: str) -> int:
    """As `memory_size`; -1 means unlimited."""
    return -1 if text == "-1" else memory_size(text)


def spell_memory(size: int) -> str:
    """The shortest text `memory_size` reads back as `size`."""
    for letter in "tgmk":
        if size and size % _BINARY[letter] == 0:
            return f"{size // _BINARY[letter]}{letter}"
    return str(size)


def duration(text: str) -> float:
    """Seconds of Go's `1h30m`, `1.5s`; a bare number is seconds. Raises InvalidInput."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    if re.fullmatch(r"\d+(\.\d+)?", rest, re.ASCII):
        return sign * float(rest)
    parts = list(re.finditer(_DURATION, rest))
    if not parts or "".join(part[0] for part in parts) != rest:
        raise InvalidInput(f'time: invalid duration "{text}"')
    return sign * sum(float(part[1]) * _SECONDS[part[2]] for part in parts)


def nanoseconds(text: str) -> int:
    """Of Go's `1m30s`, `1.5s`, exactly; unlike `duration`, a bare number has no unit. Raises InvalidInput."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", rest, re.ASCII):
        raise InvalidInput(f'time: missing unit in duration "{text}"')
    parts = list(re.finditer(_DURATION, rest))
    total = 0
    for part in parts:
        whole, _, fraction = part[1].partition(".")
        unit = round(_SECONDS[part[2]] * 1e9)
        total += int(whole or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
    if not parts or "".join(part[0] for part in parts) != rest or total >= 1 << 63:
        raise InvalidInput(f'time: invalid duration "{text}"')
    return sign * total


def spell_nanoseconds(count: int) -> str:
    """The text `nanoseconds` reads back as `count`, largest units first: `1h30m`, `1s500ms`."""
    words = []
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        number, count = divmod(count, round(_SECONDS[unit] * 1e9))
        if number:
            words.append(f"{number}{unit}")
    return "".join(words) or "0"


def moment(text: str) -> float:
    """Seconds since the epoch of `--since`/`--until`: Unix, RFC 3339 (local without a zone), `10m` ago."""
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    found = re.fullmatch(_TIMESTAMP, text)
    if found is None:
        try:
            return time.time() - duration(text)
        except InvalidInput:
            raise InvalidInput(f'invalid value for a time: "{text}" is neither a timestamp nor a duration') from None
    from datetime import UTC, datetime

    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        whole = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError as error:
        raise InvalidInput(f'invalid value for a time: "{text}": {error}') from None
    if zone is None:
        seconds = time.mktime(whole.timetuple())
    else:
        digits = zone.replace(":", "")
        offset = 0 if zone == "Z" else (int(digits[1:3]) * 60 + int(digits[3:])) * (-60 if zone[0] == "-" else 60)
        seconds = whole.replace(tzinfo=UTC).timestamp() - offset
    return seconds + (float(f"0.{fraction}") if fraction else 0.0)


def human_size(size: float, digits: int = 3) -> str:
    """Decimal units with `digits` significant digits: `1.24MB` (Docker's own, go-units)."""
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    step = 0
    while size >= 1000 and step < len(units) - 1:
        size /= 1000
        step += 1
    return f"{size:.{digits}g}{units[step]}"


def binary_size(size: float) -> str:
    """Binary units with four significant digits: `7.629MiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    step = 0
    while size >= 1024 and step < len(units) - 1:
        size /= 1024
        step += 1
    return f"{size:.4g}{units[step]}"


def human_duration(seconds: float) -> str:
    """`Less than a second`, `3 minutes`, `About an hour`, `2 weeks` (go-units, HumanDuration)."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{whole // 3600 // 24 // 365} years"


def ago(moment: float, now: float | None = None) -> str:
    """`3 minutes ago`; a moment that is not known is `N/A`."""
    if moment <= 0:
        return "N/A"
    return f"{human_duration((time.time() if now is None else now) - moment)} ago"


def go_time(moment: float) -> str:
    """A local time as Go prints it: `2024-05-01 12:00:00 +0200 CEST`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))
