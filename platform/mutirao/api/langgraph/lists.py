"""Lists of the protocol: limit and offset in the body, where the next page begins in the headers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeVar

from fastapi import Response
from pydantic import BaseModel, Field

MOST_SELECTED = 100
Order = Literal["asc", "desc"]
Row = TypeVar("Row")


class SearchPage(BaseModel):
    """A part of a list."""

    limit: int = Field(10, ge=1, le=1000, description="Most rows in the answer.")
    offset: int = Field(0, ge=0, lt=2**31, description="Rows to leave out before.")


async def paginate(
    response: Response, rows: Sequence[Row], page: SearchPage, count: Callable[[], Awaitable[int]]
) -> list[Row]:
    """The rows of a page, of which one more than its limit was asked for. Sets `X-Pagination-Total` and, unless it is
    the last page, `X-Pagination-Next`, the offset of the next."""
    more = len(rows) > page.limit
    known = not more and (rows or page.offset == 0)
    total = page.offset + len(rows) if known else await count()
    response.headers["X-Pagination-Total"] = str(total)
    if more:
        response.headers["X-Pagination-Next"] = str(page.offset + page.limit)
    return list(rows[: page.limit])
