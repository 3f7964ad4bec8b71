"""Ports that a running container gets or loses: in force at once, and in its record, by which it is started later."""

from __future__ import annotations

from engine.containers import records, view
from engine.containers.lifecycle import emit, wanted_ports
from engine.containers.records import Record
from engine.errors import Conflict, NotFound
from engine.frozen import replace
from engine.models import PortMapping
from engine.network import ports
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.database import Database
from engine.state.locks import lock


def publish(settings: Settings, database: Database, record: Record, mapping: PortMapping) -> PortMapping:
    """Add a port mapping to a running container, for its later starts too with the host port that is chosen now.

    Raises PortTaken, Conflict (not running, not on the bridge).
    """
    with lock(settings, "container", record.id):
        record = records.again(database, record)
        endpoint = view.endpoint(database, record.id)
        if not status(settings, record.id).live or endpoint is None or not endpoint.ip_address:
            raise Conflict(
                f"container {record.name} has no network to publish a port of",
                hint="start it; it must have been created with --network bridge",
            )
        chosen = ports.reserve(settings, database, record.id, (mapping,))
        ports.publish(settings, database, record.id, endpoint, chosen)
        try:  # last: of a command that is killed before this, nothing outlasts the container's run
            records.set_options(database, record.id, replace(record.options, ports=(*record.options.ports, *chosen)))
        except BaseException:
            ports.unpublish(settings, database, record.id, chosen)
            raise
    emit(settings, record, "publish", port=str(chosen[0].host_port))
    return chosen[0]


def unpublish(settings: Settings, database: Database, record: Record, mapping: PortMapping) -> None:
    """Take a port mapping from a running container and from its record. Raises NotFound if it has no such mapping."""
    with lock(settings, "container", record.id):
        record = records.again(database, record)
        if mapping not in ports.mappings_of(database, record.id):
            raise NotFound(f"port {mapping.host_port} is not published for container {record.name}")
        wanted = list(wanted_ports(settings, database, record.options))
        asked = [one for one in wanted if ports.is_made_of(mapping, one)]
        if asked:
            wanted.remove(max(asked, key=lambda one: one.host_port))  # 0, any port, only where none named this one
            # of `-P` what stays is named one by one
            records.set_options(database, record.id, replace(record.options, ports=tuple(wanted), publish_all=False))
        # last: whoever finds it still in force can take it away again
        ports.unpublish(settings, database, record.id, (mapping,))
    emit(settings, record, "unpublish", port=str(mapping.host_port))
