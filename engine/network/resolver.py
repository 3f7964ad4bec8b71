"""What a container's /etc/resolv.conf and /etc/hosts say."""

from __future__ import annotations

import _socket
from collections.abc import Sequence
from pathlib import Path

from engine.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings

HOST_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
"""The host's configuration; where systemd-resolved writes its own servers when the first names its stub, 127.0.0.53."""

_FALLBACK = ("8.8.8.8", "8.8.4.4")  # Docker's, for hosts that resolve on loopback only
_HOST_GATEWAY = "host-gateway"
_LARGEST_HOSTS = 64 << 10  # bytes
_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def resolv_conf(settings: Settings, dns: Sequence[str] = (), host_files: Sequence[str] = HOST_FILES) -> str:
    """The host's resolvers as a container can reach them; `dns` instead of them if given (docker-run(1), --dns).

    Left out are resolvers on loopback, which in the container is another loopback, and on IPv6, which it has not.
    Search list and options are the host's. `--network host` takes the host's file as it is, not this.

    Raises InvalidInput for a `dns` that is no IP address.
    """
    for server in dns:
        if not _is_address(server):
            raise InvalidInput(f"{server} is not an ip address", hint="--dns takes an address, such as 1.1.1.1")
    own: list[str] = []
    servers: list[str] = []
    for name in host_files:
        found, others = _read(Path(name))
        own = own or others
        servers = [server for server in found if _reachable(server)]
        if servers or not found:
            break
    chosen = list(dns) or servers or list(_FALLBACK)
    return "".join(f"{line}\n" for line in [*(f"nameserver {server}" for server in chosen), *own])


def hosts_file(hostname: str, ip: str, extra_hosts: Sequence[str] = (), gateway: str = "") -> str:
    """localhost, the extra hosts ("name:ip" or "name=ip"; the ip may be `host-gateway`), and the container's own name.

    Raises InvalidInput in Docker's words.
    """
    lines = [_LOCAL]
    for extra in extra_hosts:
        name, separator, address = extra.partition("=") if "=" in extra else extra.partition(":")
        address = address.removeprefix("[").removesuffix("]")
        if not separator or not name or any(letter.isspace() for letter in name):
            raise InvalidInput(f'bad format for add-host: "{extra}"', hint="write it as name:ip")
        if address == _HOST_GATEWAY:
            if not gateway:
                raise InvalidInput(f'unable to derive the IP value for host-gateway: "{extra}"')
            address = gateway
        if not _is_address(address):
            raise InvalidInput(f'invalid IP address in add-host: "{address}"')
        lines.append(f"{address}\t{name}\n")
    if ip:
        short = hostname.partition(".")[0]
        lines.append(f"{ip}\t{hostname}{f' {short}' if short != hostname else ''}\n")
    return "".join(lines)


def own_address(path: Path) -> str:
    """The container's own address in a hosts file of ours, its last line; "" if there is none.

    The container may have written there since: for telling, not for deciding.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read(_LARGEST_HOSTS).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    address = lines[-1].partition("\t")[0] if lines else ""
    return address if _is_address(address) and ":" not in address else ""


def _read(path: Path) -> tuple[list[str], list[str]]:
    """Name servers, and the lines that are neither those nor comments. A file that is not there has none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, PermissionError):
        return [], []
    servers, others = [], []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver":
            servers += words[1:2]
        elif words[0] in ("search", "domain", "options"):
            others.append(" ".join(words))
    return servers, others


def _reachable(server: str) -> bool:
    return ":" not in server and not server.startswith("127.")


def _is_address(text: str) -> bool:
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
