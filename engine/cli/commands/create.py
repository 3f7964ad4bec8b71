"""`pilothouse create`: make a container and leave it for `start`."""

from __future__ import annotations

from engine.cli.acquire import image_for
from engine.cli.cidfile import CidFile
from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments
from engine.cli.options import CREATE, run_options

COMMAND = CREATE


def run(args: Arguments) -> int:
    options = run_options(args)
    with CidFile(args.cidfile) as cid_file, opened(args) as engine:
        if any("-" in port for port in args.publish):
            options = run_options(args, is_free=lambda *port: not drive(engine.port_holder(*port)))
        image_for(engine, options, quiet=args.quiet)
        container = drive(engine.create(options))
        cid_file.write(container.id)
        print(container.id)
    return 0
