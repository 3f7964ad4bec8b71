"""The process that unpacks layers for a pull: it follows a blob's file as it grows, verifies, inflates and unpacks it.

Started before the pull imports anything heavy, as an isolated interpreter; it imports little itself. Talks over a
socket of packets in JSON: in come jobs and how far the file has grown, out go progress, results and errors. The end of
the socket is the end of the process, so it never outlives its pull.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time

from engine.errors import BadImage, EngineError, StoreError
from engine.images.compression import decompressed
from engine.images.streams import unpack_stream, wrong_diff_id, wrong_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine.images.unpack import Unpacked

CHUNK_BYTES = 256 << 10
PROGRESS_SECONDS = 0.05
PACKET_BYTES = 64 << 10
IMPLIED = "implied"  # beside the snapshot's content: the paths of implied directories, zero-terminated


def main(fd: str) -> None:
    """Serve jobs on the socket with the number `fd` until its other end is closed."""
    channel = socket.socket(fileno=int(fd))
    while packet := channel.recv(PACKET_BYTES):
        message = json.loads(packet)
        if "job" not in message:
            continue  # the file of a job that is over was still growing for a moment
        try:
            answer: dict[str, Any] = {"done": _work(channel, message["job"])}
        except EngineError as error:
            answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        except EOFError:
            return
        except OSError as error:
            answer = {"error": "StoreError", "message": f"cannot unpack a layer: {error}", "hint": ""}
        channel.send(json.dumps(answer).encode())


def _work(channel: socket.socket, job: dict[str, Any]) -> dict[str, int]:
    blob = _GrowingBlob(channel, job)
    plain = hashlib.sha256()
    try:
        unpacked = unpack_stream(decompressed(iter(blob)), plain, f"{job['directory']}/{job['content']}")
        blob.verify()
    except BadImage:
        # Damaged in transfer, or made so? If the digest does not fit, the image is not to blame.
        blob.verify()
        raise
    finally:
        blob.close()
    if (found := "sha256:" + plain.hexdigest()) != job["diff_id"]:
        raise wrong_diff_id(found, job["diff_id"])
    _write_implied(job["directory"], unpacked)
    return {"size": unpacked.size, "entries": unpacked.entries, "implied": len(unpacked.implied)}


def _write_implied(directory: str, unpacked: Unpacked) -> None:
    with open(f"{directory}/{IMPLIED}", "wb") as file:
        file.writelines(path + b"\0" for path in unpacked.implied)


class _GrowingBlob:
    """The chunks of a file that another process is still writing; ends when the announced size is read."""

    def __init__(self, channel: socket.socket, job: dict[str, Any]) -> None:
        self._channel = channel
        self._number: int = job["number"]
        self._size: int = job["size"]
        self._there: int = job["have"]
        self._digest: str = job["digest"]
        self._hash = hashlib.new(self._digest.partition(":")[0])
        self._read = 0
        self._told = 0.0
        try:
            self._fd = os.open(job["blob"], os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(f"cannot read {job['blob']}: {error.strerror}") from error

    def __iter__(self) -> Iterator[bytes]:
        while self._read < self._size:
            self._hear(wait=self._there <= self._read)
            chunk = os.pread(self._fd, min(CHUNK_BYTES, self._there - self._read), self._read)
            if not chunk:
                raise StoreError("a partly downloaded layer has shrunk", hint="pull again")
            self._read += len(chunk)
            self._hash.update(chunk)
            self._tell()
            yield chunk

    def verify(self) -> None:
        """Raises VerificationFailed if the blob, whose rest is read for this, does not have its digest."""
        for _ in self:
            pass
        if self._hash.hexdigest() != self._digest.partition(":")[2]:
            raise wrong_digest(self._digest)

    def close(self) -> None:
        os.close(self._fd)

    def _hear(self, *, wait: bool) -> None:
        """Take in how far the file has grown. EOFError: the pull is over, or dead."""
        while True:
            try:
                packet = self._channel.recv(PACKET_BYTES, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not packet:
                raise EOFError
            message = json.loads(packet)
            if message.get("of") == self._number:  # not of the job before
                self._there = max(self._there, message["have"])
            wait = wait and self._there <= self._read

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._channel.send(json.dumps({"read": self._read}).encode())
