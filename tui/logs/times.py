"""Times as one types them to go to a place in a log."""

from __future__ import annotations

import re
import time

EXAMPLES = "14:03, 14:03:20, 2026-01-31 14:03, -10m"


def parse_time(text: str, now: float) -> float | None:
    """Local time of day, date and time, or `-10m` ago, in seconds since the epoch; None if it is none of these.

    A time of day that is yet to come today is yesterday's: a log has no future.
    """
    text = text.strip()
    ago = re.fullmatch(r"-\s*(\d{1,9})\s*([smhd])", text)
    if ago:
        return now - int(ago[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[ago[2]]
    day = _parsed(text, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
    if day is not None:
        return day
    today = time.strftime("%Y-%m-%d ", time.localtime(now))
    hour = _parsed(today + text, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    if hour is not None and hour > now:
        yesterday = time.strftime("%Y-%m-%d ", time.localtime(now - 86_400))
        hour = _parsed(yesterday + text, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    return hour


def _parsed(text: str, *patterns: str) -> float | None:
    for pattern in patterns:
        try:
            return time.mktime(time.strptime(text.replace("T", " "), pattern))
        except (ValueError, OverflowError):
            continue
    return None
