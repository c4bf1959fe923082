"""Slots: so many model calls at once in one process, whatever loops and threads they come from."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager


class Slots:
    """A counter of free places. Waiters get theirs in the order they came; one that is cancelled gives its place on."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._guard = threading.Lock()
        self._waiting: deque[Future[None]] = deque()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold a place in a coroutine."""
        place = self._ask()
        try:
            await asyncio.wrap_future(place)
        except asyncio.CancelledError:
            if not place.cancel() and not place.cancelled():
                self._give_back()
            raise
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def held_by_thread(self) -> Iterator[None]:
        """Hold a place in a thread, which waits."""
        self._ask().result()
        try:
            yield
        finally:
            self._give_back()

    def _ask(self) -> Future[None]:
        place: Future[None] = Future()
        with self._guard:
            if self._free > 0:
                self._free -= 1
                place.set_running_or_notify_cancel()
                place.set_result(None)
            else:
                self._waiting.append(place)
        return place

    def _give_back(self) -> None:
        while True:
            with self._guard:
                place = self._waiting.popleft() if self._waiting else None
                if place is None:
                    self._free += 1
                    return
            if place.set_running_or_notify_cancel():
                place.set_result(None)
                return
