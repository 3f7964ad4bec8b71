"""Self-signed TLS certificates for tests, made without any program or library: ECDSA on P-256 and a little DER.

Good for tests only: the arithmetic is not constant-time. Numbers: FIPS 186-4, D.1.2.3; forms: RFC 5280, RFC 5915.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import time
from collections.abc import Sequence

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_DAY = 86400
_ECDSA_WITH_SHA256 = "06082a8648ce3d040302"
_EC_PUBLIC_KEY = "06072a8648ce3d0201"
_PRIME256V1 = "06082a8648ce3d030107"
_COMMON_NAME = "0603550403"

_Point = tuple[int, int]


def self_signed(hosts: Sequence[str], *, expired: bool = False) -> tuple[str, str]:
    """A certificate for `hosts` (names or addresses) that is its own authority, and its key; both PEM."""
    secret = secrets.randbelow(_N - 1) + 1
    public = b"\x04" + b"".join(part.to_bytes(32, "big") for part in _multiply(secret, _G))
    algorithm = _sequence(bytes.fromhex(_ECDSA_WITH_SHA256))
    common_name = _sequence(bytes.fromhex(_COMMON_NAME), _der(0x0C, f"test {hosts[0]}".encode()))
    name = _sequence(_der(0x31, common_name))
    now = time.time()
    validity = _sequence(_utc(now - 3 * _DAY), _utc(now - _DAY if expired else now + 3 * _DAY))
    point = _der(0x03, b"\x00" + public)
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(64) | 1),
        algorithm,
        name,
        validity,
        name,
        _sequence(_sequence(bytes.fromhex(_EC_PUBLIC_KEY), bytes.fromhex(_PRIME256V1)), point),
        _der(0xA3, _sequence(*_extensions(hosts, hashlib.sha1(public).digest()))),
    )
    certificate = _sequence(body, algorithm, _der(0x03, b"\x00" + _signature(secret, body)))
    key = _sequence(
        _integer(1),
        _der(0x04, secret.to_bytes(32, "big")),
        _der(0xA0, bytes.fromhex(_PRIME256V1)),
        _der(0xA1, point),
    )
    return _pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", key)


def _extensions(hosts: Sequence[str], key_id: bytes) -> list[bytes]:
    def extension(arc: int, value: bytes, *, critical: bool = False) -> bytes:
        return _sequence(_der(0x06, bytes((0x55, 0x1D, arc))), b"\x01\x01\xff" if critical else b"", _der(0x04, value))

    names = []
    for host in hosts:
        try:
            names.append(_der(0x87, ipaddress.ip_address(host).packed))
        except ValueError:
            names.append(_der(0x82, host.encode()))
    return [
        extension(19, _sequence(b"\x01\x01\xff"), critical=True),  # basicConstraints: an authority
        extension(15, _der(0x03, b"\x02\x84"), critical=True),  # keyUsage: digitalSignature, keyCertSign
        extension(14, _der(0x04, key_id)),  # subjectKeyIdentifier
        extension(35, _sequence(_der(0x80, key_id))),  # authorityKeyIdentifier
        extension(17, _sequence(*names)),  # subjectAltName
    ]


def _signature(secret: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    nonce = secrets.randbelow(_N - 1) + 1
    r = _multiply(nonce, _G)[0] % _N
    s = pow(nonce, -1, _N) * (digest + r * secret) % _N
    return _sequence(_integer(r), _integer(s))


def _add(a: _Point | None, b: _Point) -> _Point | None:
    if a is None:
        return b
    if a[0] == b[0]:
        if a[1] != b[1]:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, _P) % _P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P) % _P
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def _multiply(factor: int, point: _Point) -> _Point:
    total: _Point | None = None
    for bit in bin(factor)[2:]:
        total = _add(total, total) if total else None
        if bit == "1":
            total = _add(total, point)
    assert total is not None
    return total


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _utc(when: float) -> bytes:
    return _der(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(when)).encode())


def _pem(kind: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"
