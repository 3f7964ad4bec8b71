"""Making the host's network what the running containers need: after a crash, a reboot or a reloaded firewall."""

from __future__ import annotations

import os

from engine.errors import Conflict, EngineError, NetworkError
from engine.linux import netlink
from engine.linux.netlink import Netlink
from engine.network import bridge, endpoints, holding, links, nftables, ports, ports_map, subnet
from engine.runtime.status import status
from engine.state.alone import alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database


def reconcile(settings: Settings, database: Database, alive: set[str]) -> list[str]:
    """Remove what belongs to containers that are not in `alive`, and mend what is missing for those that are.

    Touches only what is this root's: its bridge and the links on it, its table, pins in its run directory, its rows.
    A container that another command is at work on, perhaps since `alive` was looked up, is left to that.

    Returns one sentence for each thing done, and for each that could not be done.
    """
    done: list[str] = []
    told = set(_link_names(database))
    for container_id in sorted(_known(settings, database) - alive):
        try:
            with alone(settings, container_id):
                if status(settings, container_id).live:
                    continue  # it was started meanwhile
                endpoints.disconnect(settings, database, container_id)
            done.append(f"removed the network of container {container_id[:12]}, which does not run")
        except Conflict:
            continue
        except EngineError as error:
            done.append(str(error))
    try:
        with Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
            done += _remove_links(settings, database, rtnl, told)
            if alive & _addressed(database):
                bridge.ensure(settings, database, rtnl, netfilter)
                done += mend_links(settings, database, rtnl)
            done += _mend_maps(settings, database, netfilter)
    except OSError as error:
        done.append(f"cannot mend the network: {error}")
    done += _mend_holders(settings, database, alive)
    holding.reap()
    return done


def remove_all(settings: Settings, database: Database) -> None:
    """Take away everything of the root's network: endpoints, ports, bridge and rules.

    Raises NetworkError, PermissionNeeded.
    """
    for container_id in sorted(_known(settings, database)):
        endpoints.disconnect(settings, database, container_id)
    try:
        bridge.remove(settings, database)
    except OSError as error:
        raise NetworkError(f"cannot remove the bridge {settings.bridge}: {error}") from error


def _known(settings: Settings, database: Database) -> set[str]:
    """Every container of which something of a network is left."""
    found = _addressed(database) | {row[0] for row in database.query("SELECT container_id FROM port_mappings")}
    if settings.run.is_dir():
        for entry in os.scandir(settings.run):
            if entry.is_dir(follow_symlinks=False) and any(
                os.path.lexists(f"{entry.path}/{name}") for name in ("netns", "holders")
            ):
                found.add(entry.name)
    return found


def _addressed(database: Database) -> set[str]:
    return {row[0] for row in database.query("SELECT container_id FROM addresses")}


def _remove_links(settings: Settings, database: Database, rtnl: Netlink, told: set[str]) -> list[str]:
    index = links.link_index(rtnl, settings.bridge)
    there = links.links(rtnl) if index else ()
    wanted = _link_names(database)  # after the look at the links: a link comes after its row
    done = []
    for _, name, master in there:
        if master == index and name not in wanted:
            links.delete_link(rtnl, name)
            if name not in told:
                done.append(f"removed the link {name}, whose container does not run")
    return done


def _link_names(database: Database) -> dict[str, str]:
    rows = database.query("SELECT container_id, address FROM addresses")
    return {endpoints.link_name(row[0], subnet.number(row[1])): row[0] for row in rows}


def mend_links(settings: Settings, database: Database, rtnl: Netlink) -> list[str]:
    """Put the links of running containers back onto a bridge that was deleted under them."""
    index = links.link_index(rtnl, settings.bridge)
    wanted = _link_names(database)
    done = []
    for place, name, master in links.links(rtnl):
        if name in wanted and master != index:
            links.set_master(rtnl, place, index)
            done.append(f"put the link of container {wanted[name][:12]} back onto {settings.bridge}")
    return done


def _mend_maps(settings: Settings, database: Database, netfilter: Netlink) -> list[str]:
    if nftables.table_comment(netfilter, settings.nft_table) is None:
        return []
    wrong = ports_map.mend(netfilter, settings.nft_table, database)
    return [f"mended {wrong} port mappings"] if wrong else []


def _mend_holders(settings: Settings, database: Database, alive: set[str]) -> list[str]:
    done = []
    for container_id in sorted(alive):
        try:
            with alone(settings, container_id):
                mappings = ports.mappings_of(database, container_id)
                address = ports_map.address_of(database, container_id)
                if not mappings or not address or holding.alive(settings, container_id):
                    continue
                holding.stop(settings, container_id)
                ports.hold(settings, database, container_id, address, mappings)
            done.append(f"started the port holder of container {container_id[:12]} again")
        except Conflict:
            continue
        except (EngineError, OSError) as error:
            done.append(f"container {container_id[:12]}: {error}")
    return done
