"""Roots of their own, containers that are only a namespace, a second host, and proof that all of it is gone."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import Endpoint, PortMapping
from engine.network import bridge, endpoints, links, nftables, ports
from engine.settings import Settings
from engine.state.database import Database


class Root:
    """A root with its database; `run` gives containers that answer on their ports from inside their namespace."""

    def __init__(self, path: Path) -> None:
        self.settings = Settings(path / "root", path / "run")
        self.database = Database(self.settings.database)
        self.containers: list[str] = []

    def new_id(self) -> str:
        container_id = secrets.token_hex(32)
        self.containers.append(container_id)
        return container_id

    def run(self, *wanted: PortMapping) -> Served:
        container_id = self.new_id()
        mappings = ports.reserve(self.settings, self.database, container_id, wanted)
        endpoint = endpoints.connect(self.settings, self.database, container_id, "bridge")
        server = Served(container_id, endpoint, mappings)
        ports.publish(self.settings, self.database, container_id, endpoint, mappings)
        return server

    def stop(self, container_id: str) -> None:
        stop_serving(str(self.settings.run_dir(container_id) / "netns"))
        endpoints.disconnect(self.settings, self.database, container_id)

    def close(self) -> None:
        for container_id in self.containers:
            self.stop(container_id)
        bridge.remove(self.settings, self.database)
        self.database.close()


class Served:
    """A container with a server on each mapped port that answers with the address of who asks."""

    def __init__(self, container_id: str, endpoint: Endpoint, mappings: Sequence[PortMapping]) -> None:
        self.id, self.endpoint, self.mappings = container_id, endpoint, mappings
        for protocol, port in {(one.protocol, one.container_port) for one in mappings}:
            serve(endpoint.netns, port, protocol)


_servers: dict[str, list[tuple[socket.socket, threading.Thread]]] = {}


def stop_serving(namespace: str) -> None:
    """End the servers inside a namespace, whose sockets would keep it alive."""
    for server, thread in _servers.pop(namespace, []):
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread
        thread.join()


def serve(namespace: str, port: int, protocol: str) -> None:
    """Answer inside a namespace until `stop_serving`."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM

    def listening() -> socket.socket:
        server = socket.socket(socket.AF_INET, kind)
        server.bind(("0.0.0.0", port))
        if protocol == "tcp":
            server.listen()
        return server

    server = netns.within(namespace, listening)

    def answer() -> None:
        with suppress(OSError), server:
            while True:
                if protocol == "tcp":
                    client, address = server.accept()
                    with client:
                        client.sendall(address[0].encode())
                else:
                    data, address = server.recvfrom(100)
                    if not data:
                        break
                    server.sendto(address[0].encode(), address)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    _servers.setdefault(namespace, []).append((server, thread))


def ask(host: str, port: int, protocol: str = "tcp", namespace: str = "", seconds: float = 3.0) -> str:
    """What the server at host:port answers: the address it sees. Raises OSError."""

    def asked() -> str:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as client:
            client.settimeout(seconds)
            client.connect((host, port))
            if protocol == "udp":
                client.send(b"who am I?")
            answer = client.recv(100).decode()
            if not answer:
                raise ConnectionResetError("closed without an answer")
            return answer

    return netns.within(namespace, asked) if namespace else asked()


class Neighbour:
    """A second host: a namespace joined to this one by a cable of its own."""

    def __init__(self, path: Path) -> None:
        self.netns = str(path / "neighbour")
        self.link = f"phn{secrets.token_hex(4)}"
        third = secrets.randbelow(250) + 1
        self.address, self.host = f"198.18.{third}.2", f"198.18.{third}.1"

        def inside() -> Netlink:
            return Netlink(netlink.ROUTE)

        with netns.create(self.netns, inside) as within, IPRoute() as host:
            host.link("add", ifname=self.link, kind="veth", peer={"ifname": "eth0", "net_ns_fd": self.netns})
            index = host.link_lookup(ifname=self.link)[0]
            host.addr("add", index=index, address=self.host, prefixlen=24)
            host.link("set", index=index, state="up")
            links.configure(within, "eth0", socket.inet_aton(self.address), 24, socket.inet_aton(self.host))

    def close(self) -> None:
        with Netlink(netlink.ROUTE) as rtnl:
            links.delete_link(rtnl, self.link)
        stop_serving(self.netns)
        netns.unpin(self.netns)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    yield from _root(tmp_path / "one")


@pytest.fixture
def other_root(tmp_path: Path) -> Iterator[Root]:
    yield from _root(tmp_path / "other")


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Neighbour]:
    host = Neighbour(tmp_path)
    yield host
    host.close()


def _root(path: Path) -> Iterator[Root]:
    """A root, and proof that nothing of it is left on the host. Other roots may be at work on this machine."""
    one = Root(path)
    names = set()
    try:
        yield one
        names = {name for name, _ in _links_of(one)}
    finally:
        one.close()
    eventually(lambda: not traces(one, names), lambda: f"left behind: {traces(one, names)}")


def _links_of(root: Root) -> list[tuple[str, int]]:
    with Netlink(netlink.ROUTE) as rtnl:
        bridge_index = links.link_index(rtnl, root.settings.bridge)
        return [(name, master) for _, name, master in links.links(rtnl) if bridge_index and master == bridge_index]


def traces(root: Root, names: set[str]) -> set[str]:
    """Links, tables, rules, pins and port holders of a root that are there now."""
    settings = root.settings
    with Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
        ours = {settings.bridge, *names}
        found = {f"link {name}" for _, name, _ in links.links(rtnl) if name in ours}
        if nftables.table_comment(netfilter, settings.nft_table) is not None:
            found.add(f"table {settings.nft_table}")
        for family, table, chain, _ in nftables.forward_chains(netfilter):
            for handle in nftables.rules_naming(netfilter, family, table, chain, settings.bridge):
                found.add(f"rule {handle.hex()} in {table} {chain}")
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if line.split()[4].startswith(f"{settings.run}/"):
            found.add(f"mount {line.split()[4]}")
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(settings.root).encode() in process.read_bytes():
                found.add(f"process {process.parent.name}")
    return found


def eventually(holds: Callable[[], bool], complaint: Callable[[], str] = lambda: "did not happen") -> None:
    """The kernel takes namespaces down in the background."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.01)
