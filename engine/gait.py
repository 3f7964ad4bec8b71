"""The two gaits of an Engine: what blocks is done in threads beside an event loop, or at once where there is none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any, TypeVar

    T = TypeVar("T")

WORKERS = 32


class Gait:
    """How one Engine does what takes time, from `begin` to `end`.

    With `threads` there is an event loop, which is never held. Without, nothing here imports asyncio, and what is
    awaited has ended before it could be waited for.
    """

    def __init__(self, *, threads: bool) -> None:
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None

    def begin(self) -> None:
        """Make the threads, if it is to have any."""
        if self.threads:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")

    def end(self) -> None:
        """Wait until every thread has done what it is at; what none has begun is not done any more."""
        if self._executor:
            self._executor.shutdown(wait=True, cancel_futures=True)

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """A blocking step."""
        if self._executor is None:
            return function(*arguments, **named)
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*arguments, **named))

    async def looped(self, work: Coroutine[Any, Any, T]) -> T:
        """What cannot do without an event loop: in the one that runs, or in one for this alone."""
        if self.threads:
            return await work
        import asyncio

        return asyncio.run(work)

    async def readable(self, *descriptors: int) -> None:
        """Wait until one of the descriptors can be read."""
        if not self.threads:
            import select

            poller = select.poll()
            for descriptor in descriptors:
                poller.register(descriptor, select.POLLIN)
            poller.poll()
            return
        import asyncio

        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        try:
            for descriptor in descriptors:
                loop.add_reader(descriptor, wake)
            await ready
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
