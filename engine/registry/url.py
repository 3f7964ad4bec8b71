"""URLs as this client needs them: taken apart once, without user and fragment, and put together from checked parts."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from engine.frozen import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_PORTS = {"http": 80, "https": 443}
_DELIMITERS = "!#$%&'()*+,/:;=?@[]~"  # ASCII that stays as it is; all else is escaped
_OF_NAMES = "abcdefghijklmnopqrstuvwxyz0123456789_-."
_OF_ADDRESSES = "0123456789abcdef:."


@dataclass(frozen=True, slots=True)
class URL:
    """An absolute URL. User, password and fragment are dropped: nobody but us decides what credentials are sent.

    What is sent and what was checked cannot differ: a library that is handed the text finds these very parts in it.
    """

    scheme: str
    host: str  # in lower case, an IPv6 address without its brackets
    port: int | None = None  # as it is written
    target: str = "/"  # path and query, escaped

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: ValueError for what is no absolute URL with a host."""
        if any(character < " " or character == "\x7f" for character in text):
            raise ValueError("a URL with control characters")
        parts = urlsplit(text)
        host = parts.hostname or ""
        if not host.isascii():
            host = host.encode("idna").decode()
        # Not by patterns: every pull would pay for compiling them.
        if "[" in parts.netloc:
            usable = ":" in host and not host.strip(_OF_ADDRESSES)
        else:
            usable = not host.strip(_OF_NAMES) and host[:1] not in (".", "-") and ".." not in host
        if not usable or "\\" in parts.netloc or not parts.scheme or (not host and parts.scheme in _PORTS):
            raise ValueError("a URL without a usable host")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, parts.port, quote(target, safe=_DELIMITERS, errors="surrogateescape"))

    def join(self, reference: str) -> Self:
        """What a relative or absolute reference means here (RFC 3986, 5.2). Raises: ValueError."""
        return self.parse(urljoin(str(self), reference))

    def adding(self, query: Mapping[str, str]) -> URL:
        """With these parameters, which replace those of the same name; empty ones are left out."""
        path, _, present = self.target.partition("?")
        pairs = [(name, value) for name, value in parse_qsl(present, keep_blank_values=True) if name not in query]
        pairs += [(name, value) for name, value in query.items() if value]
        found = urlencode(pairs, safe="/:")
        return URL(self.scheme, self.host, self.port, f"{path}?{found}" if found else path)

    @property
    def place(self) -> str:
        """`host[:port]` as a reference has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def effective_port(self) -> int:
        return _PORTS.get(self.scheme, 0) if self.port is None else self.port

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are good for: scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.effective_port

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def public(self) -> str:
        """Without its query: signed URLs of blob stores carry secrets there."""
        return f"{self.scheme}://{self.place}{self.path}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}{self.target}"
