"""Why a pull failed, in the words of its reader: what was said, the likely cause, what can be done about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import (
    BadImage,
    EngineError,
    InvalidInput,
    NotFound,
    RegistryError,
    StoreError,
    Unauthorized,
    Unsupported,
    VerificationFailed,
)
from engine.reference import parse

DETAIL = 10  # cells of the label of each detail
_OBJECT = re.compile(r"\s*\S*<\S+ object at 0x\w+>")  # what a library's words hold of Python, such as `ssl:<…>`

# key, what it does
Remedy = tuple[str, str]

EDIT: Remedy = ("E", "edit the name")
RETRY: Remedy = ("r", "retry")
COPY: Remedy = ("y", "copy the full error")
PRUNE: Remedy = ("X", "make room: see what could go")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`who` said it: the registry, this machine…"""

    who: str
    said: str
    cause: str
    remedies: tuple[Remedy, ...]


def diagnose(error: EngineError, reference: str) -> Diagnosis:
    """What is known of a failure, from its kind and its words."""
    said = str(error)
    registry = registry_of(reference)
    log_in: Remedy = ("L", f"log in to {registry}")
    if isinstance(error, Unauthorized):
        return Diagnosis(
            "The registry", said, "the image is private, or the name is wrong.", (log_in, EDIT, RETRY, COPY)
        )
    if re.search(r"answered 429\b|too many requests", said, re.IGNORECASE):
        return Diagnosis("The registry", said, "it limits how often may be pulled.", (log_in, RETRY, COPY))
    if isinstance(error, VerificationFailed):
        cause = "what came is damaged or forged: a broken proxy, a bad disk at the registry, or worse."
        return Diagnosis("Pilothouse", said, cause, (RETRY, EDIT, COPY))
    if isinstance(error, RegistryError):
        return Diagnosis(*_network(said), (RETRY, EDIT, COPY))
    if isinstance(error, NotFound):
        if "platform" in said or "no match" in said:
            cause = "the image was not built for this machine."
        else:
            cause = "the name or its tag is misspelled, or the tag has been deleted."
        return Diagnosis("The registry", said, cause, (EDIT, RETRY, COPY))
    if isinstance(error, StoreError):
        return Diagnosis("This machine", said, "the disk is full, or cannot be written.", (PRUNE, RETRY, COPY))
    if isinstance(error, BadImage | Unsupported):
        return Diagnosis("Pilothouse", said, "the image itself: another tag may do.", (EDIT, RETRY, COPY))
    if isinstance(error, InvalidInput):
        return Diagnosis("Pilothouse", said, "the name cannot be read as one.", (EDIT, COPY))
    return Diagnosis("The engine", said, "not known; the details may say more.", (RETRY, EDIT, COPY))


def registry_of(reference: str) -> str:
    """The registry a reference names; "" if it cannot be read."""
    try:
        return parse(reference).registry
    except InvalidInput:
        return ""


def _network(said: str) -> tuple[str, str, str]:
    if "certificate" in said:
        return "This machine", said, "the registry's certificate is its own, or the clock is wrong."
    if "plain HTTP" in said or "speak TLS" in said:
        return "This machine", said, "the registry has no TLS, and is not listed as insecure."
    if "no such host" in said:
        return "This machine", said, "the registry's name is misspelled, or there is no network."
    if "proxy" in said:
        return "This machine", said, "the proxy in HTTPS_PROXY is down or refuses."
    if "cannot reach" in said or "does not answer" in said or "broke off" in said:
        return "This machine", said, "the registry is down, or the network to it is."
    return "The registry", said, "it has trouble of its own, or is no registry."


def details(error: EngineError, reference: str, seconds: float) -> list[str]:
    """What helps whoever is asked for help: names, times, and what each error came from."""
    lines = [f"image     {reference}", f"failed    after {seconds:.1f} s"]
    if error.hint:
        lines.append(f"advice    {error.hint}")
    cause: BaseException | None = error
    seen = 0
    while cause is not None and seen < 6:
        lines.append(f"{'error' if not seen else 'from':<9} {type(cause).__name__}: {_OBJECT.sub('', str(cause))}")
        cause, seen = cause.__cause__, seen + 1
    return lines
