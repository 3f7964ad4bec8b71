"""The image of a container about to be made: present, or pulled as `--pull` says."""

from __future__ import annotations

import sys

from engine.cli.drive import drive
from engine.cli.terminal import say
from engine.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Image, RunOptions


def image_for(engine: Engine, options: RunOptions, *, quiet: bool) -> Image:
    """The image `options` ask for. Raises NotFound with `--pull never`, and what a pull raises."""
    if options.pull != "always":
        try:
            image = drive(engine.image(options.image))
        except NotFound:
            if options.pull == "never":
                raise
            from engine.reference import parse

            reference = parse(options.image)  # InvalidInput for what can never be pulled
            if not quiet:
                say(f"Unable to find image '{reference.familiar}' locally")
        else:
            if not options.platform or _is_for(image, options.platform):
                return image
            if options.pull == "never":
                have = "/".join(part for part in (image.platform.os, image.platform.architecture) if part)
                raise NotFound(
                    f"image with reference {options.image} was found but its platform ({have}) does not match the"
                    f" specified platform ({options.platform})",
                    hint="leave out --pull never, or --platform",
                )
    from engine.cli.pulling import pull

    return pull(engine, options.image, platform=options.platform, quiet=quiet, to=sys.stderr)


def _is_for(image: Image, wanted: str) -> bool:
    """Whether an image is for `os/architecture[/variant]`, of which parts may be missing."""
    parts = wanted.lower().split("/")
    have = image.platform
    if len(parts) == 1:
        return parts[0] in (have.os, have.architecture)
    return parts[:3] == [have.os, have.architecture, have.variant][: len(parts)]
