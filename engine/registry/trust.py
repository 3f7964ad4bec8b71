"""Which certificates are trusted for which host.

The system's authorities and SSL_CERT_FILE (OpenSSL reads it), plus a host's own from `registry.ca` and from certs.d
directories in Docker's form: `HOST:PORT/*.crt` are authorities, `NAME.cert` with `NAME.key` a client certificate.
Source: docs.docker.com/engine/security/certificates.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.errors import InvalidInput
from engine.registry.configuration import Configuration
from engine.registry.text import printable


class Trust:
    """TLS contexts by host, made when first needed: one takes 10 ms, for it parses all of the system's authorities."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._default: ssl.SSLContext | None = None
        self._own: dict[tuple[str, str], ssl.SSLContext] = {}

    def context(self, host: str, of: str = "") -> ssl.SSLContext:
        """For `host[:port]`, as it stands in references; `of` is the registry that named it, if another has.

        As in Docker, a registry's own authorities vouch for its token server and its blob storage too.
        Raises: InvalidInput for an authority or client certificate that cannot be read.
        """
        authorities, clients = self._files(host)
        if of and of != host:
            authorities += self._files(of)[0]
        if not authorities and not clients and not self._configuration.is_insecure(host):
            if self._default is None:
                self._default = _system()
            return self._default
        key = (host, of)
        if key not in self._own:
            context = _system()
            if self._configuration.is_insecure(host) and not authorities:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            for file in authorities:
                _reading(file, partial(context.load_verify_locations, file))
            for certificate, private in clients:
                _reading(certificate, partial(context.load_cert_chain, certificate, private))
            self._own[key] = context
        return self._own[key]

    def _files(self, host: str) -> tuple[list[str], list[tuple[str, str]]]:
        """Authorities, and pairs of client certificate and key."""
        configured = self._configuration.authorities.get(host)
        authorities = [configured] if configured else []
        clients: list[tuple[str, str]] = []
        if "/" in host or host in ("", ".", ".."):
            return authorities, clients
        for folder in (base / host for base in self._configuration.certificate_directories):
            try:
                names = sorted(entry.name for entry in folder.iterdir())
            except OSError:
                continue
            authorities += [str(folder / name) for name in names if name.endswith(".crt")]
            clients += [
                (str(folder / name), str(folder / key))
                for name in names
                if name.endswith(".cert") and (key := name.removesuffix(".cert") + ".key") in names
            ]
        return authorities, clients


def _system() -> ssl.SSLContext:
    named = os.environ.get("SSL_CERT_FILE")
    if named and not Path(named).is_file():
        # OpenSSL would say nothing and then trust nobody
        raise InvalidInput(f"SSL_CERT_FILE names {named}, which is not a file", hint="unset it or correct the path")
    return ssl.create_default_context()


def _reading(file: str, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:
        reason = printable(error.strerror or str(error))  # SSLError is an OSError
        raise InvalidInput(
            f"cannot use the certificate {file}: {reason}", hint="it must be readable and in PEM form"
        ) from error
