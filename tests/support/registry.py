"""A registry in this process that tests fill with images and tell how to misbehave.

It speaks enough of distribution-spec 1.1 and of Docker's token protocol for a pull and a login. It runs in a thread of
its own, so that a test may block (a subprocess that pulls) as well as await.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.support.certificates import self_signed

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

_CHUNK = 64 << 10


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer as it is transferred."""

    data: bytes
    media_type: str
    diff_id: str
    urls: tuple[str, ...] = ()

    @property
    def descriptor(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": digest_of(self.data),
            "size": len(self.data),
        }
        return {**found, "urls": list(self.urls)} if self.urls else found


def layer(tar: bytes, *, compression: str = "gzip", docker: bool = False, urls: Sequence[str] = ()) -> LayerBlob:
    """Compress a tar ("gzip", "zstd", "" for none). With `urls` it is a foreign layer: the registry lacks its blob."""
    if compression == "gzip":
        data = gzip.compress(tar, 1, mtime=0)
    elif compression == "zstd":
        import zstandard

        data = zstandard.compress(tar)
    else:
        data = tar
    if docker:
        media_type = DOCKER_LAYER + (f".{compression}" if compression else "")
        if urls:
            media_type = media_type.replace("rootfs.diff", "rootfs.foreign.diff")
    else:
        media_type = OCI_LAYER + (f"+{compression}" if compression else "")
        if urls:
            media_type = media_type.replace("layer.v1", "layer.nondistributable.v1")
    return LayerBlob(data, media_type, digest_of(tar), tuple(urls))


@dataclass(frozen=True, slots=True)
class PutImage:
    """What `put_image` made."""

    repository: str
    tag: str
    manifest: bytes
    media_type: str
    config: bytes
    layers: tuple[LayerBlob, ...]
    platform: str

    @property
    def digest(self) -> str:
        """Of the manifest."""
        return digest_of(self.manifest)

    @property
    def id(self) -> str:
        """The image ID: the config's digest."""
        return digest_of(self.config)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request the registry got. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str = ""

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(slots=True)
class _Answer:
    fragment: str
    status: int
    times: int
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Faults:
    """How the registry misbehaves; change it at any time.

    A path is meant by any part of it: `/manifests/`, `/token`, a digest.
    """

    throttle: float = 0.0  # bytes per second and blob; 0 means at once
    ignore_range: bool = False  # answers 200 with everything
    chunked: bool = False  # blobs without Content-Length
    redirect: str = ""  # blobs are answered by 307 to this URL + /storage/DIGEST
    cuts: dict[str, list[int]] = field(default_factory=dict)
    stalls: dict[str, list[int]] = field(default_factory=dict)
    replaced: dict[str, bytes] = field(default_factory=dict)
    answers: list[_Answer] = field(default_factory=list)

    def answer(
        self,
        fragment: str,
        status: int,
        *,
        times: int = 1,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next `times` requests whose path contains `fragment` like this (429 with Retry-After, 503 ...)."""
        given = {"Content-Type": content_type, **(headers or {})}
        self.answers.append(_Answer(fragment, status, times, body, given))

    def html(self, fragment: str, *, times: int = 1000) -> None:
        """Answer with a web page, as a captive portal does."""
        page = b"<!DOCTYPE html><html><title>Welcome to our Wi-Fi</title></html>"
        self.answer(fragment, 200, times=times, body=page, content_type="text/html; charset=utf-8")

    def cut(self, digest: str, after: int, *, times: int = 1) -> None:
        """Close the connection after so many bytes of the answer's body, for the next `times` requests of the blob."""
        self.cuts.setdefault(digest, []).extend([after] * times)

    def stall(self, digest: str, after: int, *, times: int = 1) -> None:
        """Send so many bytes and then nothing, with the connection open."""
        self.stalls.setdefault(digest, []).extend([after] * times)

    def replace(self, digest: str, data: bytes) -> None:
        """Serve other bytes under this digest: damaged, truncated or forged content."""
        self.replaced[digest] = data


class RegistryServer:
    """A context manager, with or without `async`; at its end the thread and the port are gone.

    `auth`: none; basic; bearer (tokens from its own `/token`, or from `issuer`'s). `host` is what a reference begins
    with; `ca_file` is what a client must trust when `tls`.
    """

    def __init__(
        self,
        *,
        auth: str = "none",
        tls: bool = False,
        username: str = "user",
        password: str = "correct horse",
        anonymous: bool = False,
        token_lifetime: float = 300,
        issuer: RegistryServer | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.auth, self.tls, self.username, self.password = auth, tls, username, password
        self.anonymous = anonymous  # bearer: tokens are given to strangers too
        self.token_lifetime = token_lifetime  # seconds
        self.identity_token = ""  # bearer: offered at login, then accepted as refresh token
        self.issuer = issuer or self
        self.address = address
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # (repository, tag or digest): type, body
        self.tokens: dict[str, tuple[float, str]] = {}  # token: end (time.monotonic), scopes
        self.port = 0
        self.ca_file = ""

    # life -----------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="registry-")
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="registry", daemon=True)
        self._thread.start()
        started.wait()
        if not self.port:
            self._thread.join()
            self._directory.cleanup()
            raise OSError(f"cannot serve a registry on {self.address}")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._directory.cleanup()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__()

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run(started))
        finally:
            self._loop.close()
            started.set()

    async def _run(self, started: threading.Event) -> None:
        self._over = asyncio.Event()
        context = None
        if self.tls:
            certificate, key = self_signed([self.address, "localhost", "registry.test"])
            self.ca_file = str(Path(self._directory.name, "ca.pem"))
            key_file = Path(self._directory.name, "key.pem")
            Path(self.ca_file).write_text(certificate)
            key_file.write_text(key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.ca_file, key_file)
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._respond)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self.address, 0, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._over.wait()
        await runner.cleanup()

    # what it holds --------------------------------------------------------------------------------
    @property
    def host(self) -> str:
        """127.0.0.1:PORT"""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def put_blob(self, data: bytes) -> str:
        """Returns its digest."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def put_manifest(self, repository: str, tag: str, body: bytes, media_type: str) -> str:
        """Any bytes as a manifest, under its digest and `tag` (none if empty); returns the digest."""
        digest = digest_of(body)
        for key in (digest, tag):
            if key:
                self.manifests[repository, key] = (media_type, body)
        return digest

    def put_image(
        self,
        repository: str,
        tag: str = "latest",
        layers: Sequence[bytes | LayerBlob] = (),
        *,
        config: dict[str, Any] | None = None,
        platform: str = "linux/amd64",
        docker: bool = False,
    ) -> PutImage:
        """An image of these layers: tars (compressed here with gzip) or ready blobs (`layer`).

        `config` is merged over a minimal image config; its `config` key holds Cmd, Env and the like.
        """
        blobs = tuple(one if isinstance(one, LayerBlob) else layer(one, docker=docker) for one in layers)
        system, architecture, *variant = platform.split("/")
        document = {
            "created": "2024-01-02T03:04:05Z",
            "os": system,
            "architecture": architecture,
            **({"variant": variant[0]} if variant else {}),
            "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in blobs]},
            **(config or {}),
        }
        config_bytes = json.dumps(document).encode()
        manifest_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": manifest_type,
                "config": {
                    "mediaType": DOCKER_CONFIG if docker else OCI_CONFIG,
                    "digest": self.put_blob(config_bytes),
                    "size": len(config_bytes),
                },
                "layers": [blob.descriptor for blob in blobs],
            },
            indent=3,
        ).encode()
        for blob in blobs:
            if not blob.urls:
                self.put_blob(blob.data)
        self.put_manifest(repository, tag, manifest, manifest_type)
        return PutImage(repository, tag, manifest, manifest_type, config_bytes, blobs, platform)

    def put_index(
        self,
        repository: str,
        tag: str,
        images: Sequence[PutImage],
        *,
        docker: bool = False,
        extra: Sequence[dict[str, Any]] = (),
    ) -> str:
        """An index (manifest list) of images already put into `repository`; returns its digest."""
        entries = []
        for image in images:
            system, architecture, *variant = image.platform.split("/")
            platform = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
            entries.append(
                {
                    "mediaType": image.media_type,
                    "digest": image.digest,
                    "size": len(image.manifest),
                    "platform": platform,
                }
            )
        media_type = DOCKER_INDEX if docker else OCI_INDEX
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": [*entries, *extra]}
        return self.put_manifest(repository, tag, json.dumps(document).encode(), media_type)

    def count(self, fragment: str, method: str = "GET") -> int:
        """How many requests had `fragment` in their path."""
        return sum(1 for seen in list(self.requests) if fragment in seen.path and seen.method == method)

    def expire_tokens(self) -> None:
        """From now on no token given so far is good."""
        self.tokens.clear()

    # answering ------------------------------------------------------------------------------------
    async def _respond(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = (await request.text()) if request.method == "POST" else ""
        self.requests.append(Seen(request.method, request.path, request.query_string, headers, body))
        for answer in self.faults.answers:
            if answer.fragment in request.path and answer.times:
                answer.times -= 1
                return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        path = request.path
        if path == "/token":
            return self._token(request, body)
        if path.startswith("/storage/"):
            return await self._storage(request, path.removeprefix("/storage/"))
        if not path.startswith("/v2/"):
            return web.Response(status=404)
        repository, kind, name = "", "", ""
        for kind in ("/manifests/", "/blobs/"):
            if kind in path:
                repository, _, name = path.removeprefix("/v2/").rpartition(kind)
                break
        if not self._allowed(request, repository):
            return self._challenge(repository)
        if kind == "/manifests/" and name:
            return self._manifest(repository, name)
        if name:
            return await self._blob(request, name)
        return web.json_response({})

    def _manifest(self, repository: str, name: str) -> web.Response:
        found = self.manifests.get((repository, name))
        if found is None:
            known = any(repository == key[0] for key in self.manifests)
            return _error(
                404, *(("MANIFEST_UNKNOWN", "manifest unknown") if known else ("NAME_UNKNOWN", "no such name"))
            )
        media_type, body = found
        body = self.faults.replaced.get(digest_of(body), body)
        return web.Response(body=body, headers={"Content-Type": media_type, "Docker-Content-Digest": digest_of(body)})

    async def _blob(self, request: web.Request, digest: str) -> web.StreamResponse:
        if digest not in self.blobs:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.faults.redirect:
            target = f"{self.faults.redirect}/storage/{digest}?signature=swordfish"
            return web.Response(status=307, headers={"Location": target})
        return await self._send(request, digest)

    async def _storage(self, request: web.Request, digest: str) -> web.StreamResponse:
        """The blob store behind a registry: like S3 it refuses a request that carries two kinds of credentials."""
        if "Authorization" in request.headers:
            return web.Response(status=400, text="Only one auth mechanism allowed")
        if digest not in self.blobs:
            return web.Response(status=404)
        return await self._send(request, digest)

    async def _send(self, request: web.Request, digest: str) -> web.StreamResponse:
        data = self.faults.replaced.get(digest, self.blobs[digest])
        start = 0
        asked = request.headers.get("Range", "")
        if asked.startswith("bytes=") and not self.faults.ignore_range:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            if start >= len(data):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response.content_type = "application/octet-stream"
        if self.faults.chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(data) - start
        cut = (self.faults.cuts.get(digest) or [-1]).pop(0)
        stall = (self.faults.stalls.get(digest) or [-1]).pop(0)
        limit = max(cut, stall)
        body = memoryview(data)[start : start + limit if limit >= 0 else None]
        await response.prepare(request)
        for place in range(0, len(body), _CHUNK):
            piece = body[place : place + _CHUNK]
            await response.write(piece)
            if self.faults.throttle:
                await asyncio.sleep(len(piece) / self.faults.throttle)
        if stall >= 0:
            await self._over.wait()
        if limit >= 0 and request.transport is not None:
            request.transport.close()
            return response
        await response.write_eof()
        return response

    # who may --------------------------------------------------------------------------------------
    def _allowed(self, request: web.Request, repository: str) -> bool:
        given = request.headers.get("Authorization", "")
        if self.auth == "basic":
            return self._knows(given)
        if self.auth == "bearer":
            end, scopes = self.issuer.tokens.get(given.removeprefix("Bearer "), (0.0, ""))
            wanted = f"repository:{repository}:pull" if repository else ""
            return given.startswith("Bearer ") and end > time.monotonic() and wanted in scopes
        return True

    def _knows(self, authorization: str) -> bool:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return authorization == f"Basic {pair}"

    def _challenge(self, repository: str) -> web.Response:
        if self.auth == "basic":
            value = 'Basic realm="the registry, test"'
        else:
            value = f'Bearer realm="{self.issuer.url}/token",service="registry.test"'
            if repository:
                value += f',scope="repository:{repository}:pull"'
        response = _error(401, "UNAUTHORIZED", "authentication required")
        response.headers["WWW-Authenticate"] = value
        return response

    def _token(self, request: web.Request, body: str) -> web.Response:
        given = request.headers.get("Authorization", "")
        fields = {name: value for name, value in (pair.split("=", 1) for pair in body.split("&") if "=" in pair)}
        refreshed = bool(self.identity_token) and fields.get("refresh_token") == self.identity_token
        known = self._knows(given) or refreshed
        if not known and (given or fields or not self.anonymous):
            return _error(401, "UNAUTHORIZED", "incorrect username or password")
        token = secrets.token_urlsafe(24)
        scopes = " ".join(request.query.getall("scope", [])) + fields.get("scope", "").replace("%3A", ":").replace(
            "%2F", "/"
        )
        self.tokens[token] = (time.monotonic() + self.token_lifetime, scopes)
        document = {"token": token, "access_token": token, "expires_in": self.token_lifetime}
        if self.identity_token and request.query.get("offline_token") == "true":
            document["refresh_token"] = self.identity_token
        return web.json_response(document)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
