"""Containers as they are now: what was decided, joined with what the kernel and the network say."""

from __future__ import annotations

import os

from engine.containers import records
from engine.containers.records import Record
from engine.models import Container, Endpoint, PortMapping, State
from engine.runtime.status import Status, read_state, status
from engine.settings import Settings
from engine.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Row


def every(settings: Settings, database: Database) -> list[Container]:
    """All containers, newest first."""
    mappings: dict[str, list[PortMapping]] = {}
    for row in database.query("SELECT * FROM port_mappings ORDER BY container_port, protocol, host_port"):
        mappings.setdefault(row["container_id"], []).append(_mapping(row))
    attached = {row["container_id"]: _endpoint(row) for row in database.query("SELECT * FROM addresses")}
    return [
        _joined(record, status(settings, record.id), tuple(mappings.get(record.id, ())), attached.get(record.id))
        for record in records.every(database)
    ]


def due_at_boot(settings: Settings, database: Database) -> list[Container]:
    """See Engine.due_at_boot."""
    from engine.runtime import restart  # late, as all that lists of what does not run need not

    return [
        container
        for container in reversed(every(settings, database))
        if (container.state is State.EXITED or (container.state is State.CREATED and container.error))
        and restart.wanted_at_boot(
            container.options.restart.name, read_state(os.fspath(settings.container_dir(container.id)))
        )
    ]


def one(settings: Settings, database: Database, record: Record) -> Container:
    """One container."""
    rows = database.query(
        "SELECT * FROM port_mappings WHERE container_id = ? ORDER BY container_port, protocol, host_port", (record.id,)
    )
    return _joined(
        record,
        status(settings, record.id),
        tuple(_mapping(row) for row in rows),
        endpoint(database, record.id),
    )


def last_addresses(settings: Settings, database: Database) -> dict[str, str]:
    """By address, the id of the container that has it, or of the one that had it last."""
    from engine.network import resolver

    found: dict[str, str] = {}
    for container in sorted(every(settings, database), key=lambda each: (each.endpoint is not None, each.started)):
        own = container.endpoint.ip_address if container.endpoint else ""
        if address := own or resolver.own_address(settings.container_dir(container.id) / "etc" / "hosts"):
            found[address] = container.id
    return found


def endpoint(database: Database, container_id: str) -> Endpoint | None:
    """A container's place on the bridge, as long as it has one."""
    rows = database.query("SELECT * FROM addresses WHERE container_id = ?", (container_id,))
    return _endpoint(rows[0]) if rows else None


def is_live(settings: Settings, container_id: str) -> bool:
    """Runs, or will again by its restart policy."""
    return status(settings, container_id).live


def _joined(record: Record, now: Status, mappings: tuple[PortMapping, ...], endpoint: Endpoint | None) -> Container:
    live = now.live
    return Container(
        id=record.id,
        name=record.name,
        image=record.image,
        image_id=record.image_id,
        command=record.command,
        options=record.options,
        created=record.created,
        state=State.DEAD if record.removing else State(now.state),
        pid=now.pid,
        started=now.started,
        finished=now.finished,
        exit_code=now.exit_code,
        oom_killed=now.oom_killed,
        error=record.error or now.error,
        restart_count=now.restart_count,
        ports=mappings if live else record.options.ports,
        endpoint=endpoint if live else None,
        stop_signal=record.stop_signal,
        stop_timeout=record.stop_timeout,
        health=now.health,
        failing_streak=now.failing_streak,
    )


def _endpoint(row: Row) -> Endpoint:
    from engine.network import subnet

    gateway = (subnet.number(row["address"]) >> (32 - subnet.PREFIX_LENGTH) << (32 - subnet.PREFIX_LENGTH)) + 1
    return Endpoint(row["netns"], row["address"], subnet.PREFIX_LENGTH, subnet.dotted(gateway), row["mac_address"])


def _mapping(row: Row) -> PortMapping:
    return PortMapping(
        container_port=row["container_port"],
        host_port=row["host_port"],
        host_ip=row["host_ip"],
        protocol=row["protocol"],
    )
