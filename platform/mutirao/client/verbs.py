"""What every group of a client's verbs works with, and how it reads lists that come in pages."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from mutirao.client.connection import Connection

PAGE = 200


P = TypeVar("P", bound=BaseModel)


class Verbs:
    """A group of verbs of one API."""

    _connection: Connection

    def _pages(self, kind: type[P], path: str, limit: int | None, **wanted: Any) -> Iterator[P]:
        """The pages of a list, up to `limit` rows; None: all. The caller takes the rows off each before the next."""
        left = limit
        while left is None or left > 0:
            wanted["limit"] = PAGE if left is None else min(PAGE, left)
            page = self._connection.read(kind, "GET", path, params=wanted)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return
            wanted["cursor"] = cursor
            left = None if left is None else left - wanted["limit"]
