"""Busybox without an engine around it: the tar of its layer, and a bundle that a bare OCI runtime runs."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.peers import REGISTRY

_KINDS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def manifest_of(repository: str, tag: str) -> dict[str, Any]:
    """As the registry answers; there must be no index on the way."""
    url = f"http://{REGISTRY}/v2/library/{repository}/manifests/{tag}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": _KINDS})) as answer:
        manifest: dict[str, Any] = json.load(answer)
    return manifest


def diff_ids_of(repository: str, tag: str) -> set[str]:
    """The hashes of the image's plain layers."""
    digest = manifest_of(repository, tag)["config"]["digest"]
    with urllib.request.urlopen(f"http://{REGISTRY}/v2/library/{repository}/blobs/{digest}") as answer:
        return set(json.load(answer)["rootfs"]["diff_ids"])


def layer_of_busybox() -> bytes:
    """The tar of the image's layer."""
    digest = manifest_of("busybox", "latest")["layers"][0]["digest"]
    with urllib.request.urlopen(f"http://{REGISTRY}/v2/library/busybox/blobs/{digest}") as answer:
        return gzip.decompress(answer.read())


@contextmanager
def bare_bundle() -> Iterator[Path]:
    """What `runc run --bundle` needs to run `true` in the namespaces a container has."""
    with tempfile.TemporaryDirectory(prefix="ph-bench-") as name:
        bundle = Path(name)
        with tarfile.open(fileobj=io.BytesIO(layer_of_busybox())) as layer:
            layer.extractall(bundle / "rootfs", filter="tar")
        config = {
            "ociVersion": "1.0.2",
            "process": {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]},
            "root": {"path": "rootfs"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts")]},
        }
        (bundle / "config.json").write_text(json.dumps(config))
        yield bundle
