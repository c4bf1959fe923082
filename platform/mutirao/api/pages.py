"""Lists in pages: how many rows, and the cursor of the next page."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import Query

from mutirao.errors import InvalidInput

Limit = Annotated[int, Query(ge=1, le=200, description="Most rows in the answer.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class _Dated(_Identified, Protocol):
    @property
    def created_at(self) -> datetime: ...


Row = TypeVar("Row", bound=_Identified)
Dated = TypeVar("Dated", bound=_Dated)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8


def cut(rows: Sequence[Row], limit: int) -> tuple[list[Row], str | None]:
    """A page of rows of which one more than `limit` was asked for, and the cursor of the next; None on the last."""
    more = len(rows) > limit
    return [*rows[:limit]], write_cursor(rows[limit - 1].id) if more else None


def write_cursor(row_id: UUID) -> str:
    """A cursor behind the row of this id."""
    return base64.urlsafe_b64encode(row_id.bytes).decode().rstrip("=")


def read_cursor(cursor: str | None) -> UUID | None:
    """The id a cursor stands behind. Raises InvalidInput."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise InvalidInput(f"cursor {cursor!r} is not one of ours; take `next` of the page before") from None


def cut_by_time(rows: Sequence[Dated], limit: int) -> tuple[list[Dated], str | None]:
    """As `cut`, for rows in the order of their making whose ids clients may choose."""
    if len(rows) <= limit:
        return [*rows], None
    last = rows[limit - 1]
    moment = (last.created_at - _EPOCH) // _MICROSECOND
    place = moment.to_bytes(_MOMENT_BYTES, "big", signed=True) + last.id.bytes
    return [*rows[:limit]], base64.urlsafe_b64encode(place).decode().rstrip("=")


def read_time_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The making and the id of the row that such a cursor stands behind. Raises InvalidInput."""
    if cursor is None:
        return None
    try:
        place = base64.urlsafe_b64decode(cursor + "==")
        moment = int.from_bytes(place[:_MOMENT_BYTES], "big", signed=True)
        return _EPOCH + moment * _MICROSECOND, UUID(bytes=place[_MOMENT_BYTES:])
    except (ValueError, OverflowError):
        raise InvalidInput(f"cursor {cursor!r} is not one of ours; take `next` of the page before") from None
