"""Messages between the processes of a worker: one JSON object a line over a socket pair."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

Message = dict[str, Any]
_MOST_BYTES = 256 << 20  # of one line; a job's input and the events of its last moments travel in it


def encode(message: Message) -> bytes:
    """One line."""
    return orjson.dumps(message) + b"\n"


class Lines:
    """Cuts what arrives into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield orjson.loads(line)


class Link:
    """One end of a socket pair in an asyncio loop. `say` never waits; `heard` ends when the other side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> "Link":
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock, limit=_MOST_BYTES))

    def say(self, **message: Any) -> None:
        """Send; nothing happens when the other side is gone, which `heard` tells."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    def shout(self, **message: Any) -> None:
        """Send from another thread while the loop is stuck. Short messages only: nothing must be half sent."""
        with contextlib.suppress(OSError):
            os.write(self._writer.get_extra_info("socket").fileno(), encode(message))

    async def flush(self) -> None:
        """Return when what was said is on its way."""
        try:
            await self._writer.drain()
        except OSError:
            return

    async def heard(self) -> AsyncIterator[Message]:
        """Messages of the other side until it is gone."""
        try:
            while line := await self._reader.readline():
                if not line.endswith(b"\n"):
                    return  # it died in the middle of a word
                yield orjson.loads(line)
        except OSError:
            return

    def close(self) -> None:
        self._writer.close()
