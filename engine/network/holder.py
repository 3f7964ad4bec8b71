"""The port holder: a small process beside a container that keeps its host ports bound, so that nobody else can.

IPv4 packets to the ports are rewritten by nftables and never come here. What does come, it carries to the container:
connections and datagrams over IPv6, and over IPv4 while the rules are missing (a firewall was reloaded).

Runs under `python -I -S` and imports nothing beyond built-in modules, to stay small. Its command line is
ROOT CONTAINER-ID CONTAINER-ADDRESS PROTOCOL:PORT..., one PROTOCOL:PORT for each bound socket from descriptor 3 on; the
descriptor after them gives one byte when the holder is on record.
"""

import _socket
import posix
import resource
import select
import sys
import time

_FIRST_SOCKET = 3
_NOBODY = 65534
_CHUNK = 1 << 16
_BACKLOG_LIMIT = 1 << 18  # bytes waiting for a slow reader before the other side is no longer read
_UDP_IDLE_SECONDS = 90.0  # Docker's
_CONNECT_AGAIN = (11, 115)  # EAGAIN, EINPROGRESS
_IN, _OUT, _BROKEN = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR


class Stream:
    """One direction's reading end of a proxied connection; `peer` is the other."""

    __slots__ = ("ended", "finished", "mask", "peer", "pending", "socket")

    def __init__(self, socket: _socket.socket) -> None:
        self.socket, self.peer = socket, self
        self.pending = bytearray()  # to be written to this socket
        self.ended = False  # nothing more will be read from it
        self.finished = False  # its peer ended and everything was written
        self.mask = 0


class Flow:
    """The datagrams of one client: a socket connected to the container."""

    __slots__ = ("client", "listener", "socket", "used")

    def __init__(self, listener: _socket.socket, client: tuple, socket: _socket.socket) -> None:
        self.listener, self.client, self.socket, self.used = listener, client, socket, 0.0


class Holder:
    """Every socket of the process and one epoll over them."""

    def __init__(self, address: str, ports: list[tuple[str, int]]) -> None:
        self.address = address
        self.epoll = select.epoll()
        self.entries: dict[int, object] = {}
        self.listeners: dict[int, tuple[_socket.socket, str, int]] = {}
        self.flows: dict[tuple, Flow] = {}
        self.paused = False
        for place, (protocol, port) in enumerate(ports):
            socket = _socket.socket(fileno=_FIRST_SOCKET + place)
            socket.setblocking(False)
            self.listeners[socket.fileno()] = (socket, protocol, port)
            self.epoll.register(socket.fileno(), _IN)

    def run(self) -> None:
        """For ever: the engine ends the process."""
        while True:
            for descriptor, events in self.epoll.poll(_UDP_IDLE_SECONDS if self.flows else -1):
                if descriptor in self.listeners:
                    socket, protocol, port = self.listeners[descriptor]
                    if protocol == "tcp":
                        self.accept(socket, port)
                    else:
                        self.receive(socket, port)
                    continue
                entry = self.entries.get(descriptor)
                if isinstance(entry, Stream):
                    self.carry(entry, events)
                elif isinstance(entry, Flow):
                    self.answer(entry)
            if self.flows:
                self.forget_idle()

    def accept(self, listener: _socket.socket, port: int) -> None:
        try:
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in (23, 24):  # ENFILE, EMFILE: no new connections until one ends
                self.pause(True)
            return
        client = Stream(_socket.socket(fileno=descriptor))
        try:
            client.socket.setblocking(False)
            server = Stream(_socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK, 0))
        except OSError:
            client.socket.close()
            self.pause(True)
            return
        client.peer, server.peer = server, client
        code = server.socket.connect_ex((self.address, port))
        if code and code not in _CONNECT_AGAIN:
            client.socket.close()
            server.socket.close()
            return
        for stream in (client, server):
            stream.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            self.entries[stream.socket.fileno()] = stream
            stream.mask = _IN if stream is client else _IN | _OUT
            self.epoll.register(stream.socket.fileno(), stream.mask)

    def carry(self, stream: Stream, events: int) -> None:
        peer = stream.peer
        try:
            if events & _OUT or stream.pending:
                self.write(stream)
            if events & (_IN | _BROKEN) and not stream.ended:
                data = stream.socket.recv(_CHUNK)
                if data:
                    peer.pending += data
                else:
                    stream.ended = True
                self.write(peer)
        except BlockingIOError:
            pass
        except OSError:
            self.end(stream)
            return
        if stream.ended and peer.ended and not stream.pending and not peer.pending:
            self.end(stream)
            return
        self.watch(stream)
        self.watch(peer)

    def write(self, stream: Stream) -> None:
        if stream.pending:
            try:
                sent = stream.socket.send(stream.pending)
            except BlockingIOError:
                return
            del stream.pending[:sent]
        if stream.peer.ended and not stream.pending and not stream.finished:
            stream.finished = True
            stream.socket.shutdown(_socket.SHUT_WR)

    def watch(self, stream: Stream) -> None:
        mask = 0 if stream.ended or len(stream.peer.pending) > _BACKLOG_LIMIT else _IN
        if stream.pending:
            mask |= _OUT
        if mask != stream.mask:
            stream.mask = mask
            self.epoll.modify(stream.socket.fileno(), mask)

    def end(self, stream: Stream) -> None:
        for one in (stream, stream.peer):
            self.drop(one.socket)

    def drop(self, socket: _socket.socket) -> None:
        self.entries.pop(socket.fileno(), None)
        socket.close()  # also leaves the epoll
        if self.paused:
            self.pause(False)

    def pause(self, paused: bool) -> None:
        self.paused = paused
        for descriptor, (_, protocol, _) in self.listeners.items():
            if protocol == "tcp":
                self.epoll.modify(descriptor, 0 if paused else _IN)

    def receive(self, listener: _socket.socket, port: int) -> None:
        try:
            data, client = listener.recvfrom(_CHUNK)
        except OSError:
            return  # an ICMP error of an earlier answer
        key = (listener.fileno(), client)
        flow = self.flows.get(key)
        if flow is None:
            try:
                socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK, 0)
                socket.connect((self.address, port))
            except OSError:
                return  # too many clients or no route: a datagram may be lost
            flow = self.flows[key] = Flow(listener, client, socket)
            self.entries[socket.fileno()] = flow
            self.epoll.register(socket.fileno(), _IN)
        flow.used = time.monotonic()
        try:
            flow.socket.send(data)
        except OSError:
            return  # refused or full: a datagram may be lost

    def answer(self, flow: Flow) -> None:
        try:
            data = flow.socket.recv(_CHUNK)
            flow.listener.sendto(data, flow.client)
        except OSError:
            return  # the container's port is closed, or the client's
        flow.used = time.monotonic()

    def forget_idle(self) -> None:
        oldest = time.monotonic() - _UDP_IDLE_SECONDS
        for key in [key for key, flow in self.flows.items() if flow.used < oldest]:
            self.drop(self.flows.pop(key).socket)


def main(arguments: list[str]) -> None:
    """Hold and carry until killed. Needs none of root's rights once it has its sockets."""
    _, _, address, *wanted = arguments
    ports = [(word.partition(":")[0], int(word.partition(":")[2])) for word in wanted]
    if not posix.read(_FIRST_SOCKET + len(ports), 1):
        return  # whoever started us was killed before it could write down that we exist
    posix.close(_FIRST_SOCKET + len(ports))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _leave_session(posix.environ.get(b"BESIDE", b"").decode())
    posix.chdir("/")
    posix.setgroups([])
    posix.setresgid(_NOBODY, _NOBODY, _NOBODY)
    posix.setresuid(_NOBODY, _NOBODY, _NOBODY)
    Holder(address, ports).run()


def _leave_session(files: str) -> None:
    """Go where a logout does not kill us: engine.runtime.cgroup_beside. Where that is not allowed: stay."""
    for file in files.split(":") if files else ():
        for _ in range(10):  # the last to leave it removes it
            try:
                posix.mkdir(file.rpartition("/")[0])
            except OSError:
                pass  # it is there, or opening tells
            try:
                descriptor = posix.open(file, posix.O_WRONLY | posix.O_CLOEXEC)
                posix.write(descriptor, b"0")
                posix.close(descriptor)
                break
            except OSError:
                continue


if __name__ == "__main__":
    main(sys.argv[1:])
