"""After a crash or a reboot: what is written is compared with what the kernel says, and mended.

Whoever works on a container, a volume or the images holds a lock meanwhile, and the file of a lock goes with the end of
the work. So a lock file that nobody holds says where a command was killed, and nothing else has to be looked at.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from engine.containers import records
from engine.containers.records import Record
from engine.errors import Conflict, EngineError
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.alone import alone
from engine.state.database import Database
from engine.state.locks import discard, left_behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ID_LENGTH = 64


def reconcile(settings: Settings, database: Database, *, thorough: bool = False) -> tuple[list[str], list[str]]:
    """Finish what was begun and adopt what was orphaned; cheap when all is well.

    Returns sentences about what was found, and those of them about what is lost, which the user has to be told.

    - a removal, or a creation, that was broken off is finished by removing the container;
    - a container whose monitor was killed gets a new one, and goes on logging;
    - what a container that has ended, or a start that was broken off, has left is taken down: network, ports, cgroup;
    - what belongs to containers that were never entered in the database is deleted;
    - staged layers and volumes of commands that were killed are deleted;
    - images that had not reached the disk when the machine went down are given up;
    - after a reboot, where a change to the ports of a running container was broken off, and where a firewall that was
      reloaded has taken rules away, the network room sweeps and mends what is its own.

    What cannot be mended now (a disk that is full) is told and left to the next command. `thorough`: everything is
    looked at, as after a reboot.
    """
    mending = _Mending(settings, database, thorough=thorough)
    mending.containers()
    mending.strays()
    mending.network()
    mending.volumes()
    mending.images()
    mending.locks()
    return mending.found, mending.lost


def remove_if_empty(settings: Settings, database: Database) -> bool:
    """Delete the root, the run directory, the bridge and the rules, unless a container or an image is left."""
    if database.query("SELECT 1 FROM containers UNION ALL SELECT 1 FROM images LIMIT 1"):
        return False
    from engine.network import reconcile as network

    network.remove_all(settings, database)
    database.close()
    for directory in (settings.root, settings.run):
        _remove_all(directory)
    return True


def _remove_all(directory: Path) -> None:
    import shutil

    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:  # a file system of its own is mounted here: that is the user's
            raise


class _Mending:
    """One reconciliation: what it sees at its beginning, and what it has done."""

    def __init__(self, settings: Settings, database: Database, *, thorough: bool) -> None:
        self.settings, self.database = settings, database
        self.found: list[str] = []
        self.lost: list[str] = []
        sound, self.damaged = records.sound_and_damaged(database)
        self.known = {record.id: record for record in sound}
        self.locked = left_behind(settings)
        self.running_cut = set(self.locked.get("run", ()))  # a `run` was killed, or is at work
        self.cut = self.running_cut | set(self.locked.get("container", ()))
        self.with_ports = {row[0] for row in database.query("SELECT container_id FROM port_mappings")}
        self.addressed = {row[0] for row in database.query("SELECT container_id FROM addresses")}
        self.attached = self.with_ports | self.addressed
        self.run_dirs = {name for name in _listed(settings.run) if len(name) == ID_LENGTH}
        for container_id in self.run_dirs:
            if os.path.lexists(settings.run_dir(container_id) / "netns"):
                self.attached.add(container_id)
        self.alive: set[str] = set()
        self.network_is_wrong = False
        # with a reboot the run directory goes, the files of locks and all: then everything is looked at, once
        self.marker, self.boot = self.settings.run / "boot", _read("/proc/sys/kernel/random/boot_id")
        self.is_first = thorough or _read(self.marker) != self.boot

    def containers(self) -> None:
        """One that is damaged is left as it is, and running if it runs; the others can be used meanwhile."""
        self.found += self.damaged.values()
        self.lost += self.damaged.values()
        self.alive |= {container_id for container_id in self.damaged if status(self.settings, container_id).live}
        for record in self.known.values():
            try:
                self._container(record)
            except Conflict:
                self.alive.add(record.id)  # another process is at work on it right now
            except EngineError as error:
                self.found.append(f"container {record.name}: {error.message}")

    def strays(self) -> None:
        """What belongs to IDs without a row: a creation that died before it was entered, or a removal at its end."""
        there = self.attached | self.cut | self.run_dirs
        if self.is_first:
            there |= {name for name in _listed(self.settings.containers) if self._is_unfinished(name)}
        for container_id in there - self.known.keys() - self.damaged.keys():
            try:
                with self._alone(container_id):
                    if records.entered(self.database, container_id) is not None:
                        continue
                    # Were the database lost, everything would be a stray. What runs, or holds data, is left then.
                    if status(self.settings, container_id).live:
                        self.alive.add(container_id)
                        self.found.append(f"container {container_id[:12]} runs, and the database does not know it")
                        continue
                    import shutil

                    self._clear(container_id)
                    shutil.rmtree(self.settings.run_dir(container_id), ignore_errors=True)
                    if self._is_unfinished(container_id):
                        _lifecycle().remove_directories(self.settings, container_id)
                        self.found.append(
                            f"deleted the files of a container that was never finished ({container_id[:12]})"
                        )
            except Conflict:
                self.alive.add(container_id)  # it is being created right now
            except EngineError as error:
                self.found.append(error.message)

    def network(self) -> None:
        """Mend the host's links, rules and port holders where something is known to be wrong, and once per boot."""
        try:
            if not self.is_first and not self.network_is_wrong and not self._lacks_rules():
                return
            from engine.network import reconcile as network

            self.found += network.reconcile(self.settings, self.database, self.alive)
        except (EngineError, OSError) as error:
            self.found.append(f"cannot mend the network: {error}")
            self.is_first = False  # and so it is tried again

    def _lacks_rules(self) -> bool:
        """Somebody flushed them, or deleted the bridge, under containers that run. Looking costs a few messages."""
        if not self.alive & self.addressed:
            return False
        from engine.network import bridge

        return not bridge.is_intact(self.settings, self.database)

    def volumes(self) -> None:
        names = self.locked.get("volume", ())
        if names or (self.is_first and _listed(self.settings.volumes)):
            from engine.containers import volumes

            if self.is_first:
                volumes.sweep(self.settings)
        for name in names:
            try:
                volumes.clear_up(self.settings, self.database, name)
            except Conflict:
                continue
            except EngineError as error:
                self.found.append(error.message)

    def images(self) -> None:
        """Give up what a crash of the machine has damaged; delete what a pull or a removal that was killed has left."""
        if self.is_first:
            from engine.images import durability

            lost = durability.mend(self.settings, self.database)
            self.lost += lost
            self.found += lost
        if not self.locked.get("images") and not (self.is_first and _listed(self.settings.images)):
            return
        from engine.images import gc

        try:
            gc.collect(self.settings, self.database, wait=False)
        except EngineError as error:
            self.found.append(error.message)

    def locks(self) -> None:
        """The files themselves, of locks that nobody holds and that are mended by now; and that this boot is known."""
        for kind, names in self.locked.items():
            for name in names if kind not in ("run", "container", "images") else ():
                discard(self.settings, kind, name)
        if self.is_first:
            try:
                with open(self.marker, "w", encoding="ascii") as file:
                    file.write(self.boot)
            except OSError as error:
                self.found.append(f"cannot write {self.marker}: {error.strerror}")

    def _container(self, record: Record) -> None:
        if record.removing:
            with self._alone(record.id):
                entered = records.entered(self.database, record.id)
                if entered is not None and entered.removing:
                    self._clear(record.id)
                    _lifecycle().finish_removal(
                        self.settings, self.database, entered, with_volumes=entered.removing_volumes
                    )
                    self.found.append(f"finished the removal of container {record.name}")
            return
        now = status(self.settings, record.id)
        if now.orphaned:
            from engine.runtime import launch

            with self._alone(record.id):
                launch.adopt(self.settings, record.id)
            self.found.append(f"container {record.name} had lost its monitor")
            now = status(self.settings, record.id)
        if now.live:
            self._live(record)
        elif not now.has_monitor and (
            record.id in self.cut or record.id in self.attached or (record.options.remove and now.finished)
        ):
            self._ended(record)

    def _live(self, record: Record) -> None:
        self.alive.add(record.id)
        if record.id in self.cut:  # perhaps in the middle of a change to its ports
            with self._alone(record.id):
                if record.id in self.with_ports:
                    from engine.network import holding

                    holding.stop(self.settings, record.id)
                    self.network_is_wrong = True
        elif record.id in self.with_ports:
            from engine.network import holding

            if not holding.alive(self.settings, record.id):
                self.network_is_wrong = True

    def _ended(self, record: Record) -> None:
        """Take down what it has left; with `--rm`, or when its `run --rm` came to nothing, the container too."""
        with self._alone(record.id):
            now = status(self.settings, record.id)
            entered = records.entered(self.database, record.id)
            if now.live or entered is None:
                return  # somebody was faster
            self._clear(record.id)
            told = f"took down what container {record.name} had left"
            if record.options.remove and (now.finished or record.id in self.running_cut):
                _lifecycle().remove_held(self.settings, self.database, entered, with_volumes=True)
                told = f"removed container {record.name} (--rm)"
        self.found.append(told)

    def _is_unfinished(self, container_id: str) -> bool:
        """Its directory is that of a creation which was broken off: nothing was ever written to it."""
        directory = self.settings.container_dir(container_id)
        return not (_listed(directory / "upper") or os.path.lexists(directory / "state.json"))

    def _clear(self, container_id: str) -> None:
        from engine.runtime import launch

        launch.clear(self.settings, container_id)
        _lifecycle().disconnect(self.settings, self.database, container_id)

    @contextmanager
    def _alone(self, container_id: str) -> Iterator[None]:
        """Nobody else is at work on the container. Raises Conflict."""
        with alone(self.settings, container_id) as locks:
            try:
                yield
            except EngineError:  # to be tried again by the next command
                for held in locks:
                    held.keep()
                raise


def _lifecycle():  # type: ignore[no-untyped-def]
    """Only where there is something to mend is it imported: every command comes by here."""
    from engine.containers import lifecycle

    return lifecycle


def _listed(directory: str | os.PathLike[str]) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _read(path: str | os.PathLike[str]) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
