"""A container's network namespace, connected to the bridge or to nothing."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress

from engine.errors import EngineError, InvalidInput, NetworkError, PermissionNeeded
from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import Endpoint
from engine.network import addresses, bridge, links, ports_map, subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database


def connect(settings: Settings, database: Database, container_id: str, mode: str = "bridge") -> Endpoint:
    """Make the network namespace a container will live in, pinned at its run directory's `netns`.

    `bridge`: lo, and eth0 with an address of the bridge's subnet and a default route. `none`: lo alone.
    What is left of an earlier namespace of the container is taken away first.

    Raises NetworkError, PermissionNeeded, InvalidInput; nothing is left then.
    """
    if mode not in ("bridge", "none"):
        raise InvalidInput(f"network {mode} not found", hint="networks are bridge, none and host")
    run_dir = settings.run_dir(container_id)
    pin = str(run_dir / "netns")
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.lexists(pin):
            netns.unpin(pin)
        with ExitStack() as undo:
            undo.callback(netns.unpin, pin)
            endpoint = (_isolated if mode == "none" else _bridged)(settings, database, container_id, pin, undo)
            undo.pop_all()
    except OSError as error:
        raise _failure(f"cannot make the network of container {container_id[:12]}", error) from error
    return endpoint


def disconnect(settings: Settings, database: Database, container_id: str) -> None:
    """Undo `connect` and every publication of the container's ports. Nothing there: nothing done.

    The kernel removes an empty namespace, and with it the veth pair, a few milliseconds after this returns: waiting for
    that would cost every `run --rm` 25 ms. Only when sockets keep the namespace alive is the pair removed here.

    Raises NetworkError, PermissionNeeded.
    """
    from engine.network import ports

    ports.unpublish(settings, database, container_id)
    pin = str(settings.run_dir(container_id) / "netns")
    try:
        address = ports_map.address_of(database, container_id)
        if address and netns.pinned(pin) and netns.sockets(pin):
            with Netlink(netlink.ROUTE) as rtnl:
                links.delete_link(rtnl, link_name(container_id, subnet.number(address)))
        netns.unpin(pin)
    except OSError as error:
        raise _failure(f"cannot remove the network of container {container_id[:12]}", error) from error
    addresses.release(database, container_id)


def link_name(container_id: str, address: int) -> str:
    """The name of the host's end of the veth pair (15 characters at most).

    The address is in it because the last pair of a container that starts again may still be on its way out.
    """
    return f"ph{container_id[:8]}{address & 0xFFFF:04x}"


def _isolated(settings: Settings, database: Database, container_id: str, pin: str, undo: ExitStack) -> Endpoint:
    def inside() -> None:
        with Netlink(netlink.ROUTE) as rtnl:
            links.loopback_up(rtnl)

    netns.create(pin, inside)
    return Endpoint(pin)


def _bridged(settings: Settings, database: Database, container_id: str, pin: str, undo: ExitStack) -> Endpoint:
    with Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
        host = bridge.ensure(settings, database, rtnl, netfilter)
        if host.is_new:
            from engine.network.reconcile import mend_links  # which brings the rest of the room with it

            mend_links(settings, database, rtnl)  # of containers that ran on while somebody deleted the bridge
        address = addresses.claim(database, container_id, host.network, pin)
        undo.callback(addresses.release, database, container_id)
        mac = bridge.mac_of(address)

        def inside() -> tuple[Netlink, int]:
            with suppress(FileNotFoundError):  # a kernel without IPv6
                with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
                    file.write("1")  # eth0 has no IPv6 address to use; lo keeps ::1
            return Netlink(netlink.ROUTE), os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        within, namespace = netns.create(pin, inside)
        with within:
            try:
                _veth(rtnl, link_name(container_id, address), host, namespace, mac)
            finally:
                os.close(namespace)
            links.configure(within, "eth0", subnet.packed(address), subnet.PREFIX_LENGTH, subnet.packed(host.gateway))
        # asking for the link makes the kernel notice eth0's carrier now (linkwatch_sync_dev): until it does, the bridge
        # drops what comes and goes, and a container's first SYN is sent again only after a second
        links.link_index(rtnl, link_name(container_id, address))
    return Endpoint(pin, subnet.dotted(address), subnet.PREFIX_LENGTH, subnet.dotted(host.gateway), mac.hex(":"))


def _veth(rtnl: Netlink, name: str, host: bridge.Bridge, namespace: int, mac: bytes) -> None:
    try:
        links.create_veth(rtnl, name, host.index, namespace, mac, host.mtu)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        links.delete_link(rtnl, name)  # left by a crash
        links.create_veth(rtnl, name, host.index, namespace, mac, host.mtu)


def _failure(what: str, error: OSError) -> EngineError:
    if error.errno in (errno.EPERM, errno.EACCES):
        return PermissionNeeded(f"{what}: {error}", hint="run it as root")
    if error.errno in (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
        return NetworkError(
            f"{what}: the kernel lacks a feature: {error}",
            hint="load the modules bridge, veth, nft_chain_nat, nft_fib_ipv4 and nft_masq, or use --network host",
        )
    return NetworkError(f"{what}: {error}")
