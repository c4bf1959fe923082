"""Messages between the platform and a converter process: one line of JSON, then as many raw bytes as it announces.

JSON and bytes only: whatever a hostile file does to the process, its parent never unpickles anything.
"""

import json
from dataclasses import dataclass
from typing import IO, Any

MAX_HEADER_BYTES = 64 << 20
MAX_BODY_BYTES = 1 << 30


class FrameBroken(Exception):
    """Raised when the other side ended, or wrote something that is no frame."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """`header` is plain JSON; `body` is the file content that belongs to it."""

    header: dict[str, Any]
    body: bytes = b""


def write_frame(stream: IO[bytes], frame: Frame) -> None:
    """Write and flush a frame."""
    line = json.dumps({**frame.header, "body_bytes": len(frame.body)}, ensure_ascii=True)
    stream.write(line.encode("ascii") + b"\n")
    stream.write(frame.body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """The next frame; None when the other side closed the stream between two frames.

    Raises:
        FrameBroken: the stream ended inside a frame, or holds something else.
    """
    line = stream.readline(MAX_HEADER_BYTES)
    if not line:
        return None
    try:
        header = json.loads(line)
        size = header.pop("body_bytes")
        if not 0 <= size <= MAX_BODY_BYTES:
            raise FrameBroken(f"a frame announces {size!r} bytes")
        body = stream.read(size)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise FrameBroken(f"not a frame: {error}") from None
    if len(body) != size:
        raise FrameBroken(f"a frame ended after {len(body)} of {size} bytes")
    return Frame(header=header, body=body)
