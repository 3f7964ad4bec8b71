"""When to try again, and how long to wait before."""

from __future__ import annotations

import time

from engine.errors import RegistryError
from engine.registry.failures import Unreachable
from engine.registry.text import printable, registry_message, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.errors import EngineError
    from engine.registry.configuration import Patience
    from engine.registry.transport import Response

_PASSING = (408, 429, 500, 502, 503, 504)
_MAX_ERROR = 64 << 10  # bytes of an error body that are read


class Retry:
    """Counts the attempts of one piece of work. `sleep` waits for so many seconds."""

    def __init__(self, patience: Patience, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._patience = patience
        self._sleep = sleep
        self._failures = 0

    def progress(self) -> None:
        """The last attempt brought something: the count starts again."""
        self._failures = 0

    async def wait(self, error: EngineError, pause: float | None = None) -> None:
        """Sleep before the next attempt, or raise `error` if there is none left. `pause` is what the registry asks."""
        self._failures += 1
        if self._failures >= self._patience.attempts or (isinstance(error, Unreachable) and error.is_final):
            raise error
        from random import uniform

        delay = min(self._patience.first_delay * 2 ** (self._failures - 1), self._patience.longest_delay)
        delay *= uniform(0.75, 1.25)  # many clients must not come back all at once
        if pause is not None:
            if pause > self._patience.longest_retry_after:
                raise RegistryError(error.message, hint=f"it asks to wait {pause:.0f} s; try again then") from error
            delay = max(delay if pause == 0 else 0.0, pause)
        await self._sleep(delay)

    async def wait_for(self, response: Response, error: EngineError) -> None:
        """Sleep if the response is of a kind that passes, else raise `error`."""
        if response.status not in _PASSING:
            raise error
        await self.wait(error, retry_after(response.headers.get("Retry-After")))


def retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); None if it holds neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, when - time.time())


async def read(response: Response, limit: int, what: str) -> bytes:
    """The whole body, if it is not longer than `limit` bytes.

    Raises: RegistryError if it is longer; Unreachable if the connection breaks.
    """
    parts, size = [], 0
    async for part in response.parts():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise RegistryError(
                f"{what} from {printable(response.host)} is larger than the limit of {limit} bytes",
                hint="it is no ordinary image",
            )
    return b"".join(parts)


async def read_error(response: Response) -> bytes:
    """The beginning of an error's body.

    Raises: Unreachable if the connection breaks.
    """
    found = b""
    async for part in response.parts():
        found += part
        if len(found) >= _MAX_ERROR:
            break
    return found[:_MAX_ERROR]


def failed(response: Response, body: bytes, what: str) -> RegistryError:
    """An error status as a sentence with the host, the object and what the registry said."""
    from http import HTTPStatus

    code, words = registry_message(body)
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "unknown status"
    reason = said(printable(code.lower().replace("_", " "), 60), words) or phrase.lower()
    message = f"registry {printable(response.host)} answered {response.status} ({reason}) for {what}"
    hint = "try again later"
    if response.status == 429:
        hint = "it limits how often you may pull; try again later, or log in for a higher limit"
    elif response.status < 500:
        hint = "check the name"
    return (Unreachable if response.status in _PASSING else RegistryError)(message, hint=hint)
