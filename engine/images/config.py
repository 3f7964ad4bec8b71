"""The config blob of an image, read with distrust: what to execute, and which layers make the root file system."""

from __future__ import annotations

import json

from engine.errors import BadImage
from engine.models import HealthCheck, HistoryEntry, ImageConfig, Platform
from engine.reference import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_LAYERS = 500  # overlayfs's own limit (OVL_MAX_STACK)
LONGEST = (1 << 63) - 1  # nanoseconds, and retries: Go's int64, which Docker reads them into
_HEALTH_NUMBERS = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")


def parse(content: bytes | str) -> dict[str, Any]:
    """The document, with everything checked that the readers below rely on. Raises BadImage."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadImage("the image's config is no JSON") from error
    if not isinstance(document, dict):
        raise BadImage("the image's config is no JSON object")
    for key in ("os", "architecture", "variant", "created"):
        _expect(document, key, str)
    for key in ("config", "rootfs"):
        _expect(document, key, dict)
    execution = document.get("config") or {}
    for key in ("User", "WorkingDir", "StopSignal"):
        _expect(execution, key, str)
    for key in ("ExposedPorts", "Volumes", "Labels"):
        _expect(execution, key, dict)
    for key in ("Env", "Entrypoint", "Cmd"):
        if not isinstance(execution.get(key), str):  # very old images: one word
            _expect_strings(execution, key)
    _expect_strings(execution, "Shell")
    _expect(execution, "Healthcheck", dict)
    _check_health(execution.get("Healthcheck") or {})
    if not all(isinstance(value, str) for value in (execution.get("Labels") or {}).values()):
        raise BadImage("the image's config is malformed: Labels must be strings")
    _expect(document, "history", list)
    if not all(isinstance(entry, dict) for entry in document.get("history") or ()):
        raise BadImage("the image's config is malformed: history must be a list of objects")
    identifiers = (document.get("rootfs") or {}).get("diff_ids")
    if not isinstance(identifiers, list | None) or not all(
        isinstance(item, str) and item.startswith("sha256:") and is_digest(item) for item in identifiers or ()
    ):
        raise BadImage("the image's config is malformed: rootfs.diff_ids must be a list of sha256 digests")
    if len(identifiers or ()) > MAX_LAYERS:
        raise BadImage(f"the image has {len(identifiers or ())} layers; overlayfs can stack {MAX_LAYERS}")
    return document


def diff_ids(document: dict[str, Any]) -> tuple[str, ...]:
    """From lowest to topmost."""
    return tuple((document.get("rootfs") or {}).get("diff_ids") or ())


def chain_ids(identifiers: tuple[str, ...]) -> tuple[str, ...]:
    """image-spec, config.md, "Layer ChainID": names a layer together with all layers below it."""
    import hashlib  # late: OpenSSL behind it takes 3 ms, and most readers of a config need no chain

    chain: list[str] = []
    for identifier in identifiers:
        if chain:
            identifier = "sha256:" + hashlib.sha256(f"{chain[-1]} {identifier}".encode()).hexdigest()
        chain.append(identifier)
    return tuple(chain)


def execution(document: dict[str, Any]) -> ImageConfig:
    """The part that says what to run."""
    found = document.get("config") or {}
    return ImageConfig(
        user=found.get("User") or "",
        env=_words(found.get("Env")) or (),
        entrypoint=_words(found.get("Entrypoint")),
        cmd=_words(found.get("Cmd")),
        working_dir=found.get("WorkingDir") or "",
        exposed_ports=tuple(port for port in found.get("ExposedPorts") or () if _is_port(port)),
        volumes=tuple(found.get("Volumes") or ()),
        labels=dict(found.get("Labels") or {}),
        stop_signal=found.get("StopSignal") or "",
        health=_health(found.get("Healthcheck") or {}),
        shell=_words(found.get("Shell")) or (),
    )


def _health(found: dict[str, Any]) -> HealthCheck:
    return HealthCheck(_words(found.get("Test")) or (), *(found.get(key) or 0 for key in _HEALTH_NUMBERS))


def _check_health(found: dict[str, Any]) -> None:
    """Raises BadImage. A kind of test that nobody knows is none, as with Docker."""
    _expect_strings(found, "Test")
    for key in _HEALTH_NUMBERS:
        number = found.get(key) or 0
        if type(number) is not int or not 0 <= number <= LONGEST:  # a bool is an int too
            raise BadImage(f"the image's config is malformed: Healthcheck.{key} must be a whole number, not negative")


def _is_port(text: str) -> bool:
    """As image-spec has it: `80`, `80/tcp`. What is no port is left out: it could be neither shown nor published."""
    number, slash, protocol = text.partition("/")
    known = protocol in ("tcp", "udp", "sctp") if slash else True
    return known and number.isascii() and number.isdigit() and len(number) <= 5 and 0 < int(number) <= 65535


def platform(document: dict[str, Any]) -> Platform:
    return Platform(document.get("os") or "", document.get("architecture") or "", document.get("variant") or "")


def created(document: dict[str, Any]) -> float:
    """Seconds since the epoch; 0 if the image does not say."""
    return _seconds(document.get("created"))


def history(document: dict[str, Any]) -> tuple[HistoryEntry, ...]:
    return tuple(
        HistoryEntry(
            created=_seconds(entry.get("created")),
            created_by=_string(entry.get("created_by")),
            comment=_string(entry.get("comment")),
            empty_layer=entry.get("empty_layer") is True,
        )
        for entry in document.get("history") or ()
    )


def _expect(mapping: dict[str, Any], key: str, kind: type) -> None:
    if not isinstance(mapping.get(key), kind | None):
        raise BadImage(f"the image's config is malformed: {key} must be a {kind.__name__}")


def _expect_strings(mapping: dict[str, Any], key: str) -> None:
    _expect(mapping, key, list)
    if not all(isinstance(word, str) for word in mapping.get(key) or ()):
        raise BadImage(f"the image's config is malformed: {key} must be a list of strings")


def _words(value: list[str] | str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(value)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(text: object) -> float:
    # the module around it takes a millisecond of every `images`
    from _datetime import UTC, datetime

    if not isinstance(text, str):
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return max(seconds, 0.0)  # Go's zero time, year 1, is how Docker writes "unknown"
