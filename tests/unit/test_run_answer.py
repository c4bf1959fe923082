"""The answer that lasts as long as a run: what is done when its reader goes away."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from mutirao.api.langgraph.run_streams import RunAnswer

pytestmark = pytest.mark.anyio


class Request:
    """An answer to a reader that stays until it is told to go."""

    def __init__(self, *chunks: bytes, lasting: bool = True) -> None:
        self.ended = 0
        self.sent: list[Any] = []
        self.leave = asyncio.Event()
        self.begun = asyncio.Event()
        self._chunks = chunks
        self._lasting = lasting
        answer = RunAnswer(self._stream(), {}, gone=self._gone)
        self.task = asyncio.ensure_future(answer({"type": "http"}, self._receive, self._send))

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        for chunk in self._chunks:
            yield chunk
        self.begun.set()
        if self._lasting:
            await asyncio.Event().wait()

    async def _receive(self) -> Any:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def _gone(self) -> None:
        await asyncio.sleep(0)
        self.ended += 1


async def test_a_reader_that_stays_to_the_end_ends_nothing() -> None:
    request = Request(b"a", lasting=False)
    await request.task
    assert (request.ended, request.sent[-1]) == (0, {"type": "http.response.body", "body": b"", "more_body": False})


async def test_a_reader_that_goes_away_ends_the_run() -> None:
    request = Request(b"a")
    await request.begun.wait()
    request.leave.set()
    await request.task
    assert request.ended == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_request_that_is_cancelled_ends_the_run_all_the_same(times: int) -> None:
    request = Request(b"a")
    await request.begun.wait()
    for _ in range(times):
        request.task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await request.task
    async with asyncio.timeout(20):
        while not request.ended:
            await asyncio.sleep(0)
    assert request.ended == 1
