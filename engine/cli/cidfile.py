"""`--cidfile`: the file that gets a container's ID."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from engine.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class CidFile:
    """Made before the container, so that two commands cannot share it; gone again if no container came of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = False

    def __enter__(self) -> Self:
        if not self.path:
            return self
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        except FileExistsError:
            raise InvalidInput(
                f"container ID file found, make sure the other container isn't running or delete {self.path}"
            ) from None
        except OSError as error:
            raise InvalidInput(f"failed to create the container ID file: {self.path}: {error.strerror}") from error
        return self

    def write(self, container_id: str) -> None:
        """Keep the container's ID."""
        if not self.path:
            return
        with open(self.path, "w", encoding="ascii") as file:
            file.write(container_id)
        self.written = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path and not self.written:
            try:
                Path(self.path).unlink()
            except FileNotFoundError:
                return
