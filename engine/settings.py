"""Where an engine keeps its things, and the names it gives to what it makes on the host."""

from __future__ import annotations

import os
from pathlib import Path

from engine.frozen import dataclass

DEFAULT_ROOT = "/var/lib/pilothouse"
DEFAULT_RUN = "/run/pilothouse"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every path, name and number range that depends on which root the engine works in.

    Two roots never share a bridge, subnet, nft table or cgroup, so engines with different roots run side by side.
    """

    root: Path = Path(DEFAULT_ROOT)
    run: Path = Path(DEFAULT_RUN)
    starter: str = ""  # on whose behalf containers are started; empty: of the user that runs the command

    @classmethod
    def load(cls, root: str | None = None, run: str | None = None) -> Settings:
        """From arguments, then PILOTHOUSE_ROOT and PILOTHOUSE_RUN, then the defaults.

        A root that is not the default brings a run directory of its own unless one is named.
        """
        chosen_root = Path(os.path.abspath(root or os.environ.get("PILOTHOUSE_ROOT") or DEFAULT_ROOT))
        named_run = run or os.environ.get("PILOTHOUSE_RUN")
        if named_run:
            chosen_run = Path(os.path.abspath(named_run))
        elif str(chosen_root) == DEFAULT_ROOT:
            chosen_run = Path(DEFAULT_RUN)
        else:
            chosen_run = Path(f"{DEFAULT_RUN}-{_tag(chosen_root)}")
        return cls(chosen_root, chosen_run)

    @property
    def tag(self) -> str:
        """Eight hex digits that stand for this root in names on the host; empty for the default root."""
        return "" if str(self.root) == DEFAULT_ROOT else _tag(self.root)

    @property
    def database(self) -> Path:
        return self.root / "state.db"

    @property
    def journal(self) -> Path:
        """Directory of the event stream."""
        return self.root / "events"

    @property
    def images(self) -> Path:
        """Content store in OCI image-layout form (`blobs/sha256/...`), with `staging/` beside it."""
        return self.root / "images"

    @property
    def snapshots(self) -> Path:
        """Unpacked layers, one directory per chain ID or diff ID."""
        return self.root / "snapshots"

    @property
    def containers(self) -> Path:
        """One directory per container: see `container_dir`."""
        return self.root / "containers"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def bridge(self) -> str:
        return f"ph-{self.tag}" if self.tag else "pilothouse0"

    @property
    def nft_table(self) -> str:
        return f"pilothouse_{self.tag}" if self.tag else "pilothouse"

    @property
    def cgroup_parent(self) -> str:
        return f"pilothouse-{self.tag}" if self.tag else "pilothouse"

    def container_dir(self, container_id: str) -> Path:
        """Survives a reboot: `config.json` (runtime-spec), `state.json` (kept by the monitor), `upper/`, `work/`,
        `log/`, `etc/` (hosts, hostname, resolv.conf)."""
        return self.containers / container_id

    def run_dir(self, container_id: str) -> Path:
        """Gone with a reboot: `netns`, `control.sock`, the stdio FIFOs."""
        return self.run / container_id


def _tag(root: Path) -> str:
    try:
        from _sha256 import sha256  # what hashlib has without OpenSSL, which takes 3 ms of every command to import
    except ImportError:
        from hashlib import sha256
    return sha256(os.fsencode(root)).hexdigest()[:8]
