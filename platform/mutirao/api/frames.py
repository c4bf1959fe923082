"""Server-sent events as bytes: sent as they come, no faster than their reader takes them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

STILL_HERE = b": still here\n\n"
"""A comment: tells both ends that the connection lives."""

_CHUNK_BYTES = 32 << 10


def chunks(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Frames joined into pieces of some size: fewer writes, and never much more in memory than a slow reader takes."""
    waiting: list[bytes] = []
    size = 0
    for frame in frames:
        waiting.append(frame)
        size += len(frame)
        if size >= _CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


class FrameStream(Response):
    """An answer of server-sent events from chunks of bytes; each is sent at once. Nothing is asked of the stream while
    the reader does not take what it was sent, and it is closed as soon as the reader is gone."""

    media_type = "text/event-stream"

    def __init__(
        self, stream: AsyncGenerator[bytes, None], status_code: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(
            status_code=status_code, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **(headers or {})}
        )
        del self.headers["content-length"]
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        try:
            async for chunk in self._stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._stream.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
