"""The index of the long-term store: found by meaning. Only workers have embeddings; a project's `langgraph.json` asks for it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.queries import Queries

CACHE_SECONDS = 2.0

_THERE = text("""
SELECT EXISTS (SELECT 1 FROM workers
    WHERE lease_expires_at > now() AND stopped_at IS NULL AND brings ->> 'store_index' = 'true')""")


class StoreIndex:
    """Vectors of values and of questions, made by a worker. Every verb raises what `Queries.ask` raises."""

    def __init__(self, db: Database, queries: Queries) -> None:
        self._db = db
        self._queries = queries
        self._there = False
        self._look_at = 0.0

    async def there(self) -> bool:
        """Whether a live worker brings an index, as of at most two seconds ago."""
        if time.monotonic() >= self._look_at:
            async with self._db.autocommit() as connection:
                self._there = bool(await connection.scalar(_THERE))
            self._look_at = time.monotonic() + CACHE_SECONDS
        return self._there

    async def of_value(
        self, project_id: UUID, value: Mapping[str, Any], index: Sequence[str] | None
    ) -> list[float] | None:
        """What the store keeps of a value, of which the paths `index` count (None: those of the project)."""
        item = {"value": dict(value), "index": index}
        [embedding] = await self._queries.ask(project_id, "embed", {"items": [item]})
        return embedding if embedding is None else list(embedding)

    async def of_question(self, project_id: UUID, question: str) -> list[float]:
        """The vector of a question."""
        [embedding] = await self._queries.ask(project_id, "embed", {"texts": [question]})
        return list(embedding)
