"""The loop in which a process's database connections live, and how others get something done with them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mutirao.db import Database

T = TypeVar("T")
Call = Callable[[Database], Coroutine[Any, Any, T]]


class HomeLoop:
    """Made in the loop that runs the attempts. Its calls may come from any thread and any loop.

    A synchronous call in the home loop itself (a model's `invoke` in a coroutine step) would wait for itself: it is done
    by a loop beside it, with a connection of its own, and blocks the home loop for as long as the database takes.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._guard = threading.Lock()
        self._beside: tuple[asyncio.AbstractEventLoop, Database] | None = None

    async def do(self, call: Call[T]) -> T:
        """Await `call(database)`, from any loop."""
        if asyncio.get_running_loop() is self._loop:
            return await call(self._db)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(self._db), self._loop))

    def now(self, call: Call[T]) -> T:
        """What `call(database)` gives, for callers that cannot await."""
        loop, db = self._side() if threading.get_ident() == self._thread else (self._loop, self._db)
        return asyncio.run_coroutine_threadsafe(call(db), loop).result()

    def wait(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """See `mutirao_agents.context.Wait`."""
        if threading.get_ident() == self._thread:
            coroutine.close()
            raise RuntimeError("this step is a coroutine, and would wait for itself: await it instead")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _side(self) -> tuple[asyncio.AbstractEventLoop, Database]:
        with self._guard:
            if self._beside is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(loop,), name="beside the home loop", daemon=True).start()
                self._beside = (loop, Database(self._db.url, pool_size=1))
            return self._beside

    async def close(self) -> None:
        """Close what was opened beside."""
        with self._guard:
            beside, self._beside = self._beside, None
        if beside is not None:
            loop, db = beside
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(db.close(), loop))
            loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
