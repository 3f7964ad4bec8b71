"""What goes wrong between us and a host, in the sentences that users read: the same for every transport."""

from __future__ import annotations

import os

from engine.errors import RegistryError
from engine.registry.text import printable


class Unreachable(RegistryError):
    """The exchange did not happen or broke off; another attempt may succeed, unless `is_final`.

    It is final if a host cannot even be connected to that has not answered yet: a wrong name or port does not get
    better by waiting.
    """

    is_final = False


class NoTls(Unreachable):
    """What listens there does not speak TLS."""


def bad_certificate(host: str, reason: str) -> RegistryError:
    host = printable(host)
    return RegistryError(
        f"cannot verify the certificate of {host}: {printable(reason or 'it does not fit')}",
        hint=f"put its authority into /etc/docker/certs.d/{host}/ca.crt or name it in SSL_CERT_FILE",
    )


def no_tls(host: str) -> NoTls:
    host = printable(host)
    return NoTls(
        f"cannot reach registry {host}: it does not speak TLS",
        hint=f'if it speaks plain HTTP, add "{host}" to registry.insecure in config.toml',
    )


def no_such_host(host: str) -> Unreachable:
    return Unreachable(
        f"cannot reach registry {printable(host)}: no such host",
        hint="check the name, and that this machine can resolve names",
    )


def cannot_connect(host: str, reason: str) -> Unreachable:
    return Unreachable(
        f"cannot reach registry {printable(host)}: {reason}",
        hint="check the name and the port, and that the registry runs",
    )


def timed_out(host: str) -> Unreachable:
    return Unreachable(f"registry {printable(host)} does not answer: timed out", hint="check the network, or try again")


def broke_off(host: str) -> Unreachable:
    return Unreachable(f"registry {printable(host)} broke off the connection", hint="try again")


def unreadable_url(host: str) -> RegistryError:
    return RegistryError(f"registry {printable(host)} named a URL that cannot be read", hint="tell its administrator")


def malformed(host: str) -> RegistryError:
    return RegistryError(
        f"{printable(host)} does not answer as a registry: its HTTP is malformed", hint="check the name and the port"
    )


def reason_of(error: OSError) -> str:
    """Why the system could not connect, in its own words."""
    # asyncio puts "Connect call failed ('127.0.0.1', 1)" into strerror, OpenSSL's errors have a reason and no errno
    if reason := getattr(error, "reason", None):
        return printable(str(reason))
    words = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or type(error).__name__
    return printable(words).lower()
