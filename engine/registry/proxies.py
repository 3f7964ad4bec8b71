"""Which proxy a URL is asked through, as the environment says.

HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case, with the rules of Go's golang.org/x/net/http/httpproxy, which
Docker and podman follow: networks in CIDR form, ports, leading dots, `*`; loopback is never proxied.
"""

from __future__ import annotations

import ipaddress
import os

from engine.errors import InvalidInput, RegistryError
from engine.registry.configuration import is_loopback
from engine.registry.failures import Unreachable
from engine.registry.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    import yarl

    from engine.registry.url import URL


def proxy_for(url: URL, environment: Mapping[str, str] | None = None) -> yarl.URL | None:
    """None means: go there directly.

    Raises: InvalidInput for a proxy that is not an HTTP one.
    """
    environment = os.environ if environment is None else environment
    name = "HTTPS_PROXY" if url.scheme == "https" else "HTTP_PROXY"
    value = environment.get(name) or environment.get(name.lower()) or ""
    if not value or is_loopback(url.host) or _is_exempt(url.host, url.effective_port, environment):
        return None
    from yarl import URL as ProxyURL  # aiohttp's own; it may hold a user and a password, which ours never do

    # a password may stand in it, so the value itself is not repeated in messages
    try:
        proxy = ProxyURL(value if "://" in value else f"http://{value}")
        usable = bool(proxy.host)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"{name} is not the URL of a proxy", hint=f"give it as {name}=http://HOST:PORT")
    if proxy.scheme not in ("http", "https"):
        raise InvalidInput(
            f"{name} asks for a proxy of kind {proxy.scheme!r}, which is not supported",
            hint=f"give an HTTP proxy: {name}=http://HOST:PORT",
        )
    return proxy


def cannot_reach_proxy(proxy: yarl.URL | None, reason: str) -> Unreachable:
    return Unreachable(
        f"cannot reach the proxy {_shown(proxy)}: {reason}", hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    )


def proxy_refused(proxy: yarl.URL | None, status: int) -> RegistryError:
    hint = "put user and password into the proxy's URL" if status == 407 else "check HTTPS_PROXY and NO_PROXY"
    kind = Unreachable if status >= 500 else RegistryError
    return kind(f"the proxy {_shown(proxy)} refused the connection with status {status}", hint=hint)


def _shown(proxy: yarl.URL | None) -> str:
    if proxy is None or not proxy.host:
        return "in between"
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return printable(f"{host}:{proxy.explicit_port}" if proxy.explicit_port else host)


def _is_exempt(host: str, port: int, environment: Mapping[str, str]) -> bool:
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in (environment.get("NO_PROXY") or environment.get("no_proxy") or "").split(","):
        entry = entry.strip().lower()
        if entry == "*":
            return True
        name, entry_port = _split_port(entry)
        if not name or (entry_port and entry_port != str(port)):
            continue
        if address is not None:
            if _covers(name, address):
                return True
            continue
        domain = name.lstrip("*").lstrip(".")
        # ".example.org" means what is below it, "example.org" itself too
        if host.endswith(f".{domain}") or (host == domain and name == domain):
            return True
    return False


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.lstrip(":")
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and ":" not in name:
        return name, port
    return entry, ""


def _covers(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
