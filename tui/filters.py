"""The filter line of a list: words for what its rows show, and terms such as `status:exited`, all of which must fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.models import Container, Image, State, Volume
from tui.format import familiar, port, state

_FIELDS = ("label", "status", "image", "name", "id", "command")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{6,64}")  # a shorter word, such as `bad` or `db`, is never meant for an ID


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter line. An empty one fits everything; case never matters."""

    words: tuple[str, ...] = ()
    terms: tuple[tuple[str, str], ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.words or self.terms)

    @property
    def asks_for_state(self) -> bool:
        """Names a state itself: then what does not run is meant too."""
        return any(name == "status" for name, _ in self.terms)

    def fits_container(self, container: Container) -> bool:
        """Words look at name, image, state and ports, as the list shows them."""
        words = (container.name, container.image, str(container.state), state(container))
        shown = " ".join((*words, *map(port, container.ports)))
        return self._words_fit(shown, container.id) and all(
            _term_fits(container, name, value) for name, value in self.terms
        )

    def fits_image(self, image: Image) -> bool:
        """Words look at the names of an image."""
        names = " ".join(image.references).lower()
        labels = _label_text(image.config.labels)
        return self._words_fit(" ".join(map(familiar, image.references)), image.id) and all(
            (value in labels) if name == "label" else _is_start(value, image.id) if name == "id" else (value in names)
            for name, value in self.terms
        )

    def fits_volume(self, volume: Volume, users: Iterable[str]) -> bool:
        """Words look at its name and at those of its users; `status:` is used or unused."""
        name, users = volume.name.lower(), [user.lower() for user in users]
        shown = " ".join((name, *users, "anonymous" if volume.anonymous else ""))
        state = "used" if users else "unused"
        labels = _label_text(volume.labels)
        return all(word in shown for word in self.words) and all(
            (value in labels) if term == "label" else state.startswith(value) if term == "status" else value in name
            for term, value in self.terms
        )

    def _words_fit(self, shown: str, id: str) -> bool:
        shown = shown.lower()
        return all(word in shown or (_ID.fullmatch(word) and _is_start(word, id)) for word in self.words)


def parse(line: str) -> Filter:
    """`web status:running label:tier=front` -> words and terms; an unknown `x:` stays a word."""
    words: list[str] = []
    terms: list[tuple[str, str]] = []
    for part in line.lower().split():
        name, colon, value = part.partition(":")
        if colon and name in _FIELDS:
            if value:
                terms.append((name, value))
        else:
            words.append(part)
    return Filter(tuple(words), tuple(terms))


def _label_text(labels: dict[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in labels.items()).lower()


def _term_fits(container: Container, name: str, value: str) -> bool:
    if name == "label":
        return value in _label_text(container.options.labels)
    if name == "status":
        word = "up" if container.state is State.RUNNING else ""
        return value in f"{container.state} {state(container)} {word}".lower()
    if name == "id":
        return _is_start(value, container.id)
    if name == "command":
        return value in " ".join(container.command).lower()
    return value in (container.image if name == "image" else container.name).lower()


def _is_start(word: str, id: str) -> bool:
    return id.removeprefix("sha256:").startswith(word.removeprefix("sha256:"))
