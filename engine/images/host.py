"""An image made of what this machine surely has: the running Python, a shell and a few tools, with their libraries."""

from __future__ import annotations

import io
import os
import shutil
import sys
import sysconfig
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from engine.images.elf import libraries

if TYPE_CHECKING:
    from engine.models import Image
    from engine.settings import Settings
    from engine.state.database import Database

TOOLS = (
    "sh cat chmod cp date dd df echo env expr false grep head hostname id kill ln ls mkdir mktemp mv nproc printenv ps"
    " pwd rm rmdir sed seq sleep sort stat stty tail test touch tr true tty uname uniq wc whoami"
).split()
UNWANTED = {
    "__phello__", "config", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "site-packages", "test", "tests", "tkinter", "turtledemo", "unittest",
}  # fmt: skip
ACCOUNTS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUPS = b"root:x:0:\nnogroup:x:65534:\n"


def add_host_image(
    settings: Settings,
    database: Database,
    reference: str,
    *,
    files: Mapping[str, bytes] | None = None,
    config: Mapping[str, Any] | None = None,
    python: bool = True,
) -> Image:
    """Make an image of this machine's Python, shell and tools, and put it in the store under `reference`.

    `files` are added by their absolute path; `config` is laid over the execution part of the image config
    (image-spec, "config"). Without `python` it is a tenth of the size. Nothing is downloaded and no program is run.
    """
    from engine.images.layout import add_image

    with _spool() as stream:
        write_layer(stream, files or {}, python=python)
        stream.seek(0)
        document = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"], "Cmd": ["sh"], **(config or {})},
            "history": [{"created_by": "pilothouse: this machine's Python, shell and tools"}],
        }
        return add_image(settings, database, document, [stream], reference)


def write_layer(stream: IO[bytes], files: Mapping[str, bytes], *, python: bool = True) -> None:
    """Write the layer as an uncompressed tar: the same paths as on this machine, so that nothing needs to be set up."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        tree = _Tree(archive)
        for directory, mode in (
            ("/tmp", 0o1777),
            ("/var/tmp", 0o1777),
            ("/root", 0o755),
            ("/etc", 0o755),
            ("/dev", 0o755),
            ("/proc", 0o755),
            ("/sys", 0o755),
        ):
            tree.directory(directory, mode)
        for alias in ("/bin", "/sbin", "/lib", "/lib64"):  # links into /usr on a machine with a merged /usr
            tree.file(Path(alias))
        if python:
            interpreter = Path(os.path.realpath(sys.executable))
            tree.program(interpreter)
            tree.standard_library(Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("platstdlib")))
            tree.link("/usr/local/bin/python3", str(interpreter))
            tree.link("/usr/local/bin/python", str(interpreter))
        for tool in TOOLS:
            if path := shutil.which(tool, path="/usr/bin:/bin:/usr/sbin:/sbin"):
                tree.program(Path(path))
        for path, content in {"/etc/passwd": ACCOUNTS, "/etc/group": GROUPS, **files}.items():
            tree.content(path, content)


class _Tree:
    """Files of the machine on their way into a tar, each once, with every directory and symbolic link on their path."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive
        self.done: set[str] = set()

    def program(self, path: Path) -> None:
        self.file(path)
        for library in libraries(path):
            self.file(library)

    def standard_library(self, *roots: Path) -> None:
        for root in dict.fromkeys(roots):
            for directory, names, files in os.walk(root):
                names[:] = sorted(name for name in names if name not in UNWANTED and not name.startswith("config-"))
                for name in sorted(files):
                    path = Path(directory, name)
                    if name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a")):
                        continue
                    if name.endswith(".so") and "_tkinter" not in name:
                        self.program(path)
                    elif not name.endswith(".so"):
                        self.file(path)

    def file(self, path: Path) -> None:
        """Add what `path` names, and the links that lead to it, under the same names."""
        walked = Path("/")
        for part in path.parts[1:]:
            walked = walked / part
            if walked.is_symlink():
                target = str(walked.readlink())
                self.link(str(walked), target)
                self.file(Path(os.path.normpath(walked.parent / target), *path.relative_to(walked).parts))
                return
            if walked.is_dir():
                self.directory(str(walked), 0o755)
        if str(path) in self.done or not path.is_file():
            return
        self.done.add(str(path))
        status = path.stat()
        with path.open("rb") as content:
            self._add(
                str(path),
                tarfile.REGTYPE,
                status.st_mode & 0o755,
                size=status.st_size,
                mtime=int(status.st_mtime),
                content=content,
            )

    def directory(self, path: str, mode: int) -> None:
        if path not in self.done:
            self.done.add(path)
            self._add(path, tarfile.DIRTYPE, mode)

    def link(self, path: str, target: str) -> None:
        if path not in self.done:
            self._parents(path)
            self.done.add(path)
            self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def content(self, path: str, data: bytes) -> None:
        if path not in self.done:
            self._parents(path)
            self.done.add(path)
            self._add(path, tarfile.REGTYPE, 0o644, size=len(data), content=io.BytesIO(data))

    def _parents(self, path: str) -> None:
        for parent in reversed(Path(path).parents[:-1]):
            self.directory(str(parent), 0o755)

    def _add(
        self,
        path: str,
        kind: bytes,
        mode: int,
        *,
        size: int = 0,
        mtime: int = 0,
        target: str = "",
        content: IO[bytes] | None = None,
    ) -> None:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.type, entry.mode, entry.size, entry.mtime, entry.linkname = kind, mode, size, mtime, target
        self.archive.addfile(entry, content)


def _spool() -> IO[bytes]:
    import tempfile

    return tempfile.TemporaryFile()
