"""Image references, read and written as Docker reads and writes them.

Grammar: github.com/distribution/reference, the comment at the head of reference.go; short names: normalize.go there.
"""

from __future__ import annotations

import re

from engine.errors import InvalidInput
from engine.frozen import dataclass

DEFAULT_REGISTRY = "docker.io"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
MAX_NAME = 255  # characters of registry and repository together

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_registry_form = re.compile(_REGISTRY)
_repository_form = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_rest_form = re.compile(rf"(?P<repository>[^:@]+)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")
_hexadecimal = re.compile(r"[a-f0-9]+")

# image-spec, descriptor.md, "Registered Algorithms": hexadecimal digits of each
DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Reference:
    """`registry/repository[:tag][@digest]` with nothing left out; made by `parse`.

    With a digest the digest decides and the tag is only a remark. At least one of the two is set.
    """

    registry: str  # host[:port]; "docker.io" for Docker Hub, whatever host its API has
    repository: str  # library/redis
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """`docker.io/library/redis`"""
        return f"{self.registry}/{self.repository}"

    @property
    def canonical(self) -> str:
        """`docker.io/library/redis:7`, with `@sha256:...` when there is a digest."""
        return self.name + self._suffix

    @property
    def familiar_name(self) -> str:
        """`redis`: the shortest name that `parse` reads as the same registry and repository."""
        if self.registry != DEFAULT_REGISTRY:
            return self.name
        namespace, _, rest = self.repository.partition("/")
        short = rest if namespace == DEFAULT_NAMESPACE and rest and "/" not in rest else self.repository
        # Docker shortens docker.io/localhost/x to localhost/x, which is another image; here the long name stays.
        if _split_registry(short) != (DEFAULT_REGISTRY, self.repository) or _is_image_id(short):
            return self.name
        return short

    @property
    def familiar(self) -> str:
        """`redis:7`, what a user would type."""
        return self.familiar_name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.canonical


def parse(text: str) -> Reference:
    """Read what a user typed: short names, default tag, ports, IPv6 hosts, digests.

    Raises: InvalidInput, in Docker's words.
    """
    if not text:
        raise _invalid("repository name must have at least one component", text)
    if _is_image_id(text):
        raise InvalidInput(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings",
            hint="this is an image ID; name the image by its repository",
        )
    registry, rest = _split_registry(text)
    match = _rest_form.fullmatch(rest)
    if match is None or not _registry_form.fullmatch(registry):
        raise _invalid("", text)
    repository, tag, digest = match["repository"], match["tag"] or "", match["digest"] or ""
    if not _repository_form.fullmatch(repository):
        if _repository_form.fullmatch(repository.lower()):
            raise _invalid("repository name must be lowercase", text)
        raise _invalid("", text)
    if len(registry) + 1 + len(repository) > MAX_NAME:
        raise _invalid(f"repository name must not be more than {MAX_NAME} characters", text)
    if digest and not is_digest(digest):
        raise _invalid("", text)
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(registry, repository, tag, digest)


def is_digest(text: str) -> bool:
    """Whether it is a digest of a registered algorithm, spelled as image-spec wants it: lower case, full length."""
    algorithm, _, encoded = text.partition(":")
    return len(encoded) == DIGEST_LENGTHS.get(algorithm, -1) and _hexadecimal.fullmatch(encoded) is not None


def _split_registry(text: str) -> tuple[str, str]:
    """The registry and the rest; the first component is a registry if it could not be a Docker Hub name."""
    first, slash, rest = text.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        registry, rest = DEFAULT_REGISTRY, text
    else:
        registry = DEFAULT_REGISTRY if first == "index.docker.io" else first
    if registry == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"{DEFAULT_NAMESPACE}/{rest}"
    return registry, rest


def _is_image_id(text: str) -> bool:
    return len(text) == 64 and _hexadecimal.fullmatch(text) is not None


def _invalid(reason: str, text: str) -> InvalidInput:
    # repr: what was typed or pasted may hold control sequences
    message = "invalid reference format" + (f": {reason}" if reason else "")
    return InvalidInput(message, hint=f"{text[:80]!r} is not of the form [REGISTRY/]NAME[:TAG][@DIGEST]")
