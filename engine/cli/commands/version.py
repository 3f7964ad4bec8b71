"""`pilothouse version`: the version of the program and of what it runs on."""

from __future__ import annotations

import os
import sys

from engine import __version__
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.goeval import render
from engine.cli.gotemplate import TemplateError, parse
from engine.cli.terminal import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = Command(
    "version",
    "[OPTIONS]",
    "Show the version",
    (Flag("format", str, "Format output: 'json' or a Go template", short="f"),),
    maximum=0,
)


def run(args: Arguments) -> int:
    host = os.uname()
    part: dict[str, Any] = {
        "Version": __version__,
        "PythonVersion": ".".join(map(str, sys.version_info[:3])),
        "Os": host.sysname.lower(),
        "Arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(host.machine, host.machine),
        "KernelVersion": host.release,
    }
    # one program is both; scripts ask Docker for either
    document = {"Client": part, "Server": part}
    if args.format:
        nodes = parse("{{json .}}" if args.format == "json" else args.format)
        try:
            put(render(nodes, document) + "\n")
        except TemplateError as error:
            raise TemplateError(f"template parsing error: {error.message}") from error
        return 0
    put(
        "Pilothouse: one program, no daemon\n"
        f" Version:           {part['Version']}\n"
        f" Python version:    {part['PythonVersion']}\n"
        f" OS/Arch:           {part['Os']}/{part['Arch']}\n"
        f" Kernel version:    {part['KernelVersion']}\n"
    )
    return 0
