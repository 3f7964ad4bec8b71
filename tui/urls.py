"""From a port mapping to a page in the user's browser."""

from __future__ import annotations

import os
from collections.abc import Mapping

from engine.models import Container, PortMapping, Probe

_TLS_PORTS = frozenset((443, 8443))
# container ports that speak something else than HTTP by convention (services(5))
_OTHER_PORTS = {
    22: "ssh", 25: "smtp", 53: "dns", 1433: "mssql", 1883: "mqtt", 3306: "mysql", 5432: "postgres", 5672: "amqp",
    6379: "redis", 9042: "cassandra", 9092: "kafka", 11211: "memcached", 27017: "mongodb",
}  # fmt: skip
_ANY_ADDRESS = frozenset(("", "0.0.0.0", "::", "[::]"))


def host(mapping: PortMapping) -> str:
    """`localhost` for a mapping on all addresses, the given address otherwise, IPv6 in brackets."""
    name = "localhost" if mapping.host_ip in _ANY_ADDRESS else mapping.host_ip
    return f"[{name.strip('[]')}]" if ":" in name else name


def url(mapping: PortMapping, scheme: str = "") -> str:
    """http://localhost:8080; the port is left out where it is the scheme's own.

    `scheme` is what the port is known to speak; by default its number says.
    """
    scheme = scheme or ("https" if mapping.container_port in _TLS_PORTS else "http")
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host(mapping)}" + ("" if mapping.host_port == default else f":{mapping.host_port}")


def other_service(mapping: PortMapping) -> str:
    """The service a port is known for, if it is one no browser can show; "udp" for UDP; else ""."""
    return "udp" if mapping.protocol != "tcp" else _OTHER_PORTS.get(mapping.container_port, "")


def address(mapping: PortMapping) -> str:
    """What one would copy: the URL of a page, or host:port for what is none."""
    return f"{host(mapping)}:{mapping.host_port}" if other_service(mapping) else url(mapping)


def found_address(mapping: PortMapping, probe: Probe | None) -> str:
    """As `address`, but by what has answered, if anything has: a database on port 8080 is no page."""
    if probe is None or not probe.answers:
        return address(mapping)
    if probe.kind == "tcp":
        return f"{host(mapping)}:{mapping.host_port}"
    return url(mapping, "https" if probe.kind == "tls" else "http")


def is_page(mapping: PortMapping, probe: Probe | None) -> bool:
    """Something for a browser."""
    return "//" in found_address(mapping, probe)


def web_mapping(
    container: Container, probes: Mapping[tuple[str, PortMapping], Probe] | None = None
) -> PortMapping | None:
    """The mapping most likely to be a web page: one that answered like it, a known web port, the first over TCP.

    `probes` is what has answered, by the container's id and the mapping.
    """
    found = {mapping: (probes or {}).get((container.id, mapping)) for mapping in container.ports}
    candidates = [mapping for mapping in container.ports if mapping.host_port and is_page(mapping, found[mapping])]
    known = (80, 443, 8080, 8000, 3000, 5000, 8443, 8888)

    def likely(mapping: PortMapping) -> tuple[bool, int]:
        probe = found[mapping]
        answers = probe is not None and probe.answers
        return not answers, known.index(mapping.container_port) if mapping.container_port in known else 99

    candidates.sort(key=likely)
    return candidates[0] if candidates else None


def is_loopback(mapping: PortMapping) -> bool:
    """Published for this machine alone."""
    return mapping.host_ip == "::1" or mapping.host_ip.startswith("127.")


def over_ssh() -> bool:
    return bool(os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))


def tunnel(mapping: PortMapping) -> str:
    """The `ssh -L` line that brings the port to the machine the user sits at."""
    import socket

    fields = os.environ.get("SSH_CONNECTION", "").split()
    host = fields[2] if len(fields) == 4 else socket.gethostname()
    target = "localhost" if mapping.host_ip in _ANY_ADDRESS else mapping.host_ip
    return f"ssh -L {mapping.host_port}:{target}:{mapping.host_port} {host}"


def browser() -> list[str]:
    """The command that opens a page in a window of its own, or nothing where there is none.

    A browser that runs in the terminal would fight with the dashboard for it, so `$BROWSER` is only used in a graphical
    session.
    """
    import shutil

    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return []
    for name in (*os.environ.get("BROWSER", "").split(os.pathsep), "xdg-open"):
        found = shutil.which(name) if name and "%" not in name else None
        if found:
            return [found]
    return []


def open_in_browser(address: str) -> bool:
    """Hand `address` to the user's browser; False where there is none. The browser outlives the dashboard."""
    command = browser()
    if not command:
        return False
    import subprocess

    subprocess.Popen(
        [*command, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True
