"""The order in which an attempt's writes reach the database.

LangGraph stores the writes of finished steps and the checkpoint that supersedes them in the background and at once. A
process that dies while it stores the checkpoint must have stored the writes, or finished steps run again.
"""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Place = tuple[str, str]


class _Begun:
    """Writes that were begun: of which checkpoint, and how they ended (the error, or None)."""

    def __init__(self, checkpoint_id: str) -> None:
        self.checkpoint_id = checkpoint_id
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def end(self, error: BaseException | None = None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)


class WriteOrder:
    """Writes of one attempt that were begun, by thread and namespace, until a checkpoint has waited for them."""

    def __init__(self) -> None:
        self._begun: dict[Place, dict[_Begun, None]] = {}

    def begin(
        self, place: Place, checkpoint_id: str, write: Callable[[], Awaitable[None]]
    ) -> Coroutine[Any, Any, None]:
        """What `write` does, to be awaited; counted from now on, whether or not it has come to its first line."""
        begun = _Begun(checkpoint_id)
        self._begun.setdefault(place, {})[begun] = None
        counted = _counted(begun, write)
        # A task that is cancelled before its first line runs nothing of the coroutine, not even its end.
        weakref.finalize(counted, begun.end).atexit = False
        return counted

    async def settled(self, place: Place, checkpoint_id: str) -> None:
        """Wait for the end of what was begun there, but for the writes of `checkpoint_id` itself.

        Raises what such a write has raised: its checkpoint must not be superseded.
        """
        here = self._begun.get(place, {})
        earlier = [begun for begun in here if begun.checkpoint_id != checkpoint_id]
        if running := [begun.ended for begun in earlier if not begun.ended.done()]:
            await asyncio.wait(running)
        for begun in earlier:
            if isinstance(error := begun.ended.result(), Exception):
                raise error
            here.pop(begun, None)
        if not here:
            self._begun.pop(place, None)


async def _counted(begun: _Begun, write: Callable[[], Awaitable[None]]) -> None:
    try:
        await write()
    except BaseException as error:
        begun.end(error)
        raise
    begun.end()
