"""A check of everything a root keeps: what is damaged or left over is found, named, and mended or put aside."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

from engine.containers import lifecycle, records, volumes
from engine.containers.reconcile import reconcile
from engine.containers.traces import Trace, traces
from engine.errors import EngineError, StoreError
from engine.images import gc, verify
from engine.images import records as images
from engine.images.verify import Damage
from engine.models import Finding
from engine.reference import is_digest
from engine.runtime.status import status
from engine.state import salvage
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from engine.settings import Settings
    from engine.state.database import Database

ASIDE = "aside"  # under the root: rows that could not be read, as they were


class Check:
    """One check. `look` does all that needs no registry; `to_pull` is what only a registry can make good."""

    def __init__(self, settings: Settings, database: Database, *, dry_run: bool) -> None:
        self.settings, self.database, self.mend = settings, database, not dry_run
        self.findings: list[Finding] = []
        self.to_pull: list[Damage] = []

    def look(self) -> None:
        """Raises StoreError if the database can be neither read nor salvaged, Conflict if another check is at work."""
        with lock(self.settings, "system", "check", blocking=False):
            self.findings += self._modes()
            if not self._database_is_whole():
                return
            self.findings += self._rows()
            self.findings += self._containers()
            self.findings += self._volumes()
            self.findings += verify.rows(self.settings, self.database, mend=self.mend)
            for damage in verify.damages(self.settings, self.database, mend=self.mend):
                self._damage(damage)
            self._leftovers()

    def pulled(self, damage: Damage) -> None:
        """The image of a damage is whole again."""
        self._tell(damage, "pulled again", True)

    def failed(self, damage: Damage, error: EngineError) -> None:
        """It could not be pulled: it is kept as it is."""
        verify.trust_again(self.settings, self.database, damage)
        self._tell(damage, f"it could not be pulled again: {error.message}", False)

    # the steps ------------------------------------------------------------------------------------

    def _modes(self) -> Iterator[Finding]:
        for path in (self.settings.root, self.settings.run):
            mode = path.stat().st_mode & 0o777 if path.is_dir() else 0o700
            if mode & 0o077:
                if self.mend:
                    path.chmod(0o700)
                yield Finding(f"directory {path}", f"others than root can enter it (mode {mode:o})", "closed", True)

    def _database_is_whole(self) -> bool:
        path = self.settings.database
        complaints = salvage.complaints(path)
        if not complaints:
            return True
        problem = f"it is damaged: {complaints[0]}" + (f" and {len(complaints) - 1} more" if complaints[1:] else "")
        if not self.mend:
            remedy = "what can be read would be carried over into a new one"
            self.findings.append(Finding(f"database {path}", problem, remedy, True))
            return False
        self.database.close()
        aside, count = salvage.salvage(path)
        remedy = f"carried {count} rows over into a new one; the damaged one is {aside.name}"
        self.findings.append(Finding(f"database {path}", problem, remedy, True))
        return True

    def _rows(self) -> Iterator[Finding]:
        """Rows that cannot be read as what they should be, or refer to nothing: out of the way, but not lost."""
        yield from verify.identifiers(self.database, mend=self.mend)
        for table, rowid, parent in salvage.dangling(self.settings.database):
            rows = self.database.query(f"SELECT * FROM {table} WHERE rowid = ?", (rowid,))
            for row in rows:
                yield self._put_aside(table, row, rowid, f"it refers to one of {parent} that is not there")
        for row in self.database.query("SELECT rowid, * FROM containers"):
            try:
                records.read(row)
            except StoreError:
                yield self._put_aside("containers", row, row["rowid"], "its entry in the database is damaged")
        for row in self.database.query("SELECT rowid, * FROM images"):
            if not isinstance(row["id"], str) or not is_digest(row["id"]):
                yield self._put_aside("images", row, row["rowid"], "its ID in the database is damaged")
        for table in ("image_tags", "image_digests"):
            for row in self.database.query(f"SELECT rowid, * FROM {table}"):
                if not images.is_name(row["reference"]):
                    yield self._put_aside(table, row, row["rowid"], f"{row['reference']!r} cannot be read as a name")

    def _put_aside(self, table: str, row: sqlite3.Row, rowid: int, problem: str) -> Finding:
        values = {key: row[key] for key in list(row.keys())}
        named = values.get("name", rowid)
        path = self.settings.root / ASIDE / f"{table}-{rowid}-{int(time.time())}.json"
        if self.mend:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(json.dumps(values, default=repr))
            path.chmod(0o600)
            with self.database.transaction() as connection:
                connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        subject = f"container {named}" if table == "containers" else f"row {named} of {table}"
        return Finding(subject, problem, f"put aside as {ASIDE}/{path.name}", True)

    def _containers(self) -> Iterator[Finding]:
        for row in self.database.query("SELECT id, name FROM containers WHERE removing = 0"):
            directory = self.settings.container_dir(row["id"])
            missing = [name for name in lifecycle.DIRECTORIES if not (directory / name).is_dir()]
            if not missing or status(self.settings, row["id"]).live:
                continue
            if self.mend:
                lifecycle.make_directories(self.settings, row["id"])
            lost = " with what it had written" if "upper" in missing else ""
            yield Finding(
                f"container {row['name']}", f"its {', '.join(missing)} is gone{lost}", "made anew, empty", True
            )

    def _volumes(self) -> Iterator[Finding]:
        entered = set(volumes.names(self.database))
        there = {name for name in _names(self.settings.volumes) if not name.startswith(".")}
        for name in sorted(entered - there):
            if self.mend:
                volumes.data_directory(self.settings, name).mkdir(mode=0o755, parents=True, exist_ok=True)
            yield Finding(f"volume {name}", "its files are gone", "made anew, empty", True)
        for name in sorted(there - entered):
            if self.mend:
                volumes.enter(self.database, name)
            yield Finding(f"volume {name}", "the database does not know it", "entered again", True)

    def _damage(self, damage: Damage) -> None:
        users = self.database.query("SELECT id, name FROM containers WHERE image_id = ?", (damage.image_id,))
        running = [row["name"] for row in users if status(self.settings, row["id"]).live]
        if not damage.reference:
            self._tell(damage, "it is in no registry: make it again, or remove it with `pilothouse rmi`", False)
        elif running:
            self._tell(damage, f"stop {', '.join(running)}, then check again", False)
        elif self.mend:
            verify.set_aside(self.settings, self.database, damage)
            self.to_pull.append(damage)
        else:
            self._tell(damage, "to be pulled again", True)

    def _tell(self, damage: Damage, remedy: str, mended: bool) -> None:
        self.findings.append(Finding(f"image {damage.shown}", "; ".join(damage.problems), remedy, mended))

    def _leftovers(self) -> None:
        before = traces(self.settings, self.database)
        if not self.mend:
            self.findings += [_found(trace, mended=not trace.holds_data, looking=True) for trace in before]
            return
        told, _ = reconcile(self.settings, self.database, thorough=True)
        if self.settings.images.is_dir():
            gc.collect(self.settings, self.database, wait=False)
        for trace in traces(self.settings, self.database):
            if trace.remove:
                try:
                    trace.remove()
                except (EngineError, OSError) as error:
                    told.append(f"{trace.subject} cannot be removed: {error}")
        left = {trace.subject for trace in traces(self.settings, self.database)}
        self.findings += [_found(trace, mended=trace.subject not in left) for trace in before]
        self.findings += [Finding("after a crash", sentence, "", True) for sentence in told]


def _found(trace: Trace, *, mended: bool, looking: bool = False) -> Finding:
    if mended:
        return Finding(trace.subject, trace.problem, "to be removed" if looking else "removed", True)
    remedy = "it may hold data: look, and remove it yourself" if trace.holds_data else "it is still there"
    return Finding(trace.subject, trace.problem, remedy, False)


def _names(directory: os.PathLike[str]) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
