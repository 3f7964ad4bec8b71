"""Progress of a pull, thinned out: a fast network would otherwise report thousands of times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.models import Descriptor, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.registry.manifests import ResolvedManifest

INTERVAL = 0.05  # seconds between two reports of the same kind for one layer


class Reporter:
    """Tells a listener, if there is one, what a pull does."""

    def __init__(self, reference: str, listener: Callable[[Progress], None] | None) -> None:
        self._reference = reference
        self._listener = listener

    def __call__(self, action: str, digest: str = "", current: int = 0, total: int = 0) -> None:
        if self._listener is not None:
            self._listener(Progress(self._reference, digest, action, current, total))

    def resolved(self, found: ResolvedManifest) -> None:
        """It is known which image it is."""
        if self._listener is not None:
            digest = found.index_digest or found.manifest_digest
            self._listener(Progress(self._reference, "", "resolved", image_digest=digest, platform=str(found.platform)))

    def layer(self, descriptor: Descriptor) -> LayerProgress:
        """The reports of one layer, which begins by waiting."""
        return LayerProgress(self, descriptor)


class LayerProgress:
    """What one layer reports: downloading first, then unpacking, although the two overlap."""

    def __init__(self, report: Reporter, descriptor: Descriptor) -> None:
        self._report = report
        self._digest = descriptor.digest
        self._total = descriptor.size
        self._is_downloaded = False
        self._unpacked = 0
        self._next = 0.0
        self._tell("waiting", 0)

    def downloaded(self, count: int) -> None:
        """So many bytes of the blob are here."""
        if self._is_due():
            self._tell("downloading", count)

    def complete(self) -> None:
        """The whole blob is here."""
        self._is_downloaded = True
        self._tell("verifying", self._total)
        self._tell("unpacking", self._unpacked)

    def unpacked(self, count: int) -> None:
        """So many bytes of the blob are unpacked."""
        self._unpacked = count
        if self._is_downloaded and self._is_due():
            self._tell("unpacking", count)

    def exists(self) -> None:
        self._tell("exists", self._total)

    def done(self) -> None:
        self._tell("done", self._total)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + INTERVAL
        return True

    def _tell(self, action: str, current: int) -> None:
        self._report(action, self._digest, current, self._total)
