"""`pilothouse inspect`: everything about containers, images and volumes, as JSON or by a template."""

from __future__ import annotations

import json

from engine.cli.drive import drive, opened
from engine.cli.flags import CONTAINERS, IMAGES, VOLUMES, Arguments, Command, Flag
from engine.cli.goeval import render
from engine.cli.gotemplate import TemplateError, parse
from engine.cli.terminal import put, say
from engine.errors import InvalidInput, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.engine import Engine

KINDS = ("container", "image", "volume")
FORMAT = Flag("format", str, "Format output: 'json' or a Go template", short="f")
COMMAND = Command(
    "inspect",
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Show everything about containers, images or volumes",
    (
        FORMAT,
        Flag("size", bool, "Display total file sizes if the type is container", short="s"),
        Flag("type", str, f"Return JSON for a specified type: {', '.join(KINDS)}", complete=" ".join(KINDS)),
    ),
    minimum=1,
    arguments=f"{CONTAINERS} {IMAGES} {VOLUMES}",
)


def run(args: Arguments) -> int:
    if args.type not in ("", *KINDS):
        raise InvalidInput(f'unknown type: "{args.type}": must be one of {", ".join(KINDS)}')

    def document(engine: Engine, name: str) -> dict[str, Any]:
        try:
            return _document(engine, name, args.type, args.size)
        except NotFound as error:
            raise error if args.type else NotFound(f"No such object: {name}") from None

    return show_each(args, document)


def show_each(args: Arguments, find: Callable[[Engine, str], dict[str, Any]]) -> int:
    """Print the documents of the named by `--format`, then the sentences about those that are not there."""
    template = "{{json .}}" if args.format == "json" else args.format.replace("\\t", "\t").replace("\\n", "\n")
    nodes = parse(template) if template else None
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    with opened(args) as engine:
        for name in args.words:
            try:
                found.append(find(engine, name))
            except NotFound as error:
                missing.append(error.message)
    if nodes is None:
        # a terminal gets escapes for everything that is not ASCII or is a control character
        put(json.dumps(found, indent=4, ensure_ascii=False) + "\n")
    else:
        for document in found:
            try:
                put(render(nodes, document) + "\n")
            except TemplateError as error:
                raise TemplateError(f"template parsing error: {error.message}") from error
        if not found:
            put("\n")
    for sentence in missing:
        say(f"Error: {sentence}")
    return 1 if missing else 0


def _document(engine: Engine, name: str, kind: str, size: bool) -> dict[str, Any]:
    """A container if there is one of that name, else an image, else a volume. Raises NotFound."""
    if kind in ("", "container"):
        try:
            document = drive(engine.inspect_container(name))
            if size:
                document["SizeRw"], document["SizeRootFs"] = drive(engine.size(name))
            return document
        except NotFound:
            if kind:
                raise
    if kind in ("", "image"):
        try:
            return drive(engine.inspect_image(name))
        except NotFound:
            if kind:
                raise
    return drive(engine.inspect_volume(name))
