"""Identifiers."""

import os
import time
import uuid


def new_id(after: uuid.UUID | None = None) -> uuid.UUID:
    """A UUID version 7: unique, and ordered by its time of making, to a quarter of a microsecond.

    With `after`, another UUID version 7, it is later than that one, whatever the clock of this machine says.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    # Two jobs of one thread may be accepted within a millisecond and must keep their order: 12 bits of its fraction.
    moment = (milliseconds & (1 << 48) - 1) << 12 | (nanoseconds << 12) // 1_000_000
    if after is not None:
        moment = max(moment, ((after.int >> 80) << 12 | after.int >> 64 & 0xFFF) + 1)
    random = int.from_bytes(os.urandom(8), "big")
    value = (moment >> 12) << 80 | 0x7 << 76 | (moment & 0xFFF) << 64 | 0x2 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def stable_id(*parts: object) -> uuid.UUID:
    """The same parts always give the same id: work done twice writes one row."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "mutirao:" + "\x1f".join(str(part) for part in parts))
