"""The hierarchies of control groups that a machine has: where they are mounted, and access to what is in them.

Each controller is used where it is found: under its own v1 mount or in the v2 tree, so pure v1, pure v2 and hybrids are
one case.
"""

from __future__ import annotations

import errno
import os

from engine.errors import InvalidInput, RuntimeFailure

ASIDE = "init"  # where engines in a container put, on v2, the processes that they find at the top
PATIENCE = 10.0  # seconds until a cgroup that does not empty or freeze is an error


class Mounts:
    """Where the hierarchies are. `v1`: controller (or `name=systemd`) -> directory; `v2`: directory or empty."""

    __slots__ = ("v1", "v2", "v2_controllers")

    def __init__(self, v1: dict[str, str], v2: str) -> None:
        self.v1, self.v2 = v1, v2
        self.v2_controllers: tuple[str, ...] = tuple(read_file(f"{v2}/cgroup.controllers").split()) if v2 else ()

    @classmethod
    def of_host(cls) -> Mounts:
        """Reads /proc/self/mountinfo (proc(5)): optional fields end with a lone hyphen."""
        v1: dict[str, str] = {}
        v2 = ""
        for line in read_file("/proc/self/mountinfo").splitlines():
            left, found, right = line.partition(" - ")
            if not found:
                continue
            kind, _, rest = right.partition(" ")
            directory = left.split(" ")[4].replace("\\040", " ")
            if kind == "cgroup2":
                v2 = v2 or directory
            elif kind == "cgroup":
                for option in rest.rpartition(" ")[2].split(","):
                    if option not in ("rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods"):
                        v1.setdefault(option, directory)
        return cls(v1, v2)

    @property
    def version(self) -> str:
        """Docker's word for the host: "2" only if no resource controller is on v1."""
        return "2" if self.v2 and "memory" not in self.v1 and "cpu" not in self.v1 else "1"

    @property
    def uses_v2(self) -> bool:
        """A v2 tree without controllers beside v1 is joined only where systemd tracks its units in it."""
        return bool(self.v2) and (self.version == "2" or os.path.isdir("/run/systemd/system"))

    def directories(self, path: str) -> list[str]:
        """The cgroup's directory in every hierarchy, each once (v1 controllers may share a mount)."""
        roots = dict.fromkeys(self.v1.values())
        if self.uses_v2:
            roots[self.v2] = None
        return [f"{root}/{path}" for root in roots]

    @property
    def of_systemd(self) -> list[str]:
        """The roots of the hierarchies in which systemd keeps its units, and kills the processes of a session."""
        found = [directory for name, directory in self.v1.items() if name.startswith("name=")]
        return [*found, self.v2] if self.uses_v2 else found

    def directory(self, controller: str, path: str) -> str | None:
        """Where one controller of the cgroup is, or None if the kernel or this host lacks the controller."""
        if controller in self.v1:
            return f"{self.v1[controller]}/{path}"
        if self.uses_v2 and (controller in self.v2_controllers or controller == "cgroup"):
            return f"{self.v2}/{path}"
        return None


_host: Mounts | None = None


def host_mounts() -> Mounts:
    """The machine's hierarchies, looked up once per process."""
    global _host
    if _host is None:
        _host = Mounts.of_host()
    return _host


def checked(path: str) -> str:
    """The path of a cgroup, as it is. Raises: InvalidInput if it could lead out of the tree."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"{path!r} is not a cgroup path: it must be relative, without empty parts or dots")
    return path


def make_directory(directory: str) -> None:
    """With those above it; one that is there is left as it is. Raises: RuntimeFailure (stage "cgroup")."""
    for _ in range(100):
        try:
            os.makedirs(directory, exist_ok=True)
            return
        except FileNotFoundError:
            continue  # another engine removed the empty parent between the two steps
        except OSError as error:
            raise failure("create", directory, error) from error
    raise RuntimeFailure(f"cannot create cgroup {directory}: its parent keeps vanishing", stage="cgroup")


def read_file(path: str) -> str:
    """The file's text; empty if it is not there or vanishes (a cgroup that is being removed gives ENODEV)."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def write_file(path: str, value: str) -> None:
    """In one write(2), as the kernel takes it. Raises OSError: what it means depends on who asks."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def failure(verb: str, directory: str, error: OSError) -> RuntimeFailure:
    """The kernel's refusal as an error of ours, to be raised."""
    hint = "run as root" if error.errno in (errno.EACCES, errno.EPERM) else ""
    if error.errno == errno.EROFS:
        hint = "the cgroup tree is mounted read-only here"
    return RuntimeFailure(f"cannot {verb} cgroup {directory}: {error.strerror}", stage="cgroup", hint=hint)
