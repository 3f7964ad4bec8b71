"""WWW-Authenticate, taken apart (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re

from engine.frozen import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_parameter = re.compile(rf'\s*({_TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)\s*(?:,|$)')
_scheme = re.compile(rf"\s*,?\s*({_TOKEN})(?:\s+|\s*,|\s*$)")
_escaped = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """`scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of all the headers; what cannot be read ends its header."""
    return [challenge for header in headers for challenge in _parse_one(header)]


def _parse_one(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    place = 0
    while match := _scheme.match(header, place):
        place = match.end()
        parameters: dict[str, str] = {}
        while pair := _parameter.match(header, place):
            value = pair[2]
            if value.startswith('"'):
                value = _escaped.sub(r"\1", value[1:-1])
            parameters.setdefault(pair[1].lower(), value)
            place = pair.end()
        found.append(Challenge(match[1].lower(), parameters))
    return found
