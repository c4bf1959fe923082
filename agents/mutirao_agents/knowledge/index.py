"""The dense index: vectors of chunks in Chroma, kept complete from PostgreSQL, which is the truth.

Chroma holds vectors and ids, never text: what is deleted from PostgreSQL can no longer be read anywhere.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from uuid import UUID

from mutirao.errors import Unavailable
from mutirao.knowledge import KnowledgeStore
from mutirao.knowledge.records import ChunkText
from mutirao.logs import logger

from mutirao_agents.knowledge.chroma import Chroma, CollectionGone
from mutirao_agents.knowledge.embeddings import Embeddings, Vectors

EMBED_BATCH = 8
"""Passages per call of the model: a query that waits for its turn waits for one such call."""
REPAIR_WAIT_SECONDS = 20.0
"""How long a search waits for missing vectors before it answers by keyword alone; the repair goes on."""
_log = logger("knowledge")


class VectorIndex:
    """One Chroma collection for each of ours and embedding model; cosine distance.

    A collection that is missing, or lacks vectors of chunks that can be found, is repaired when it is first asked.
    Every method raises Unavailable when Chroma or the embedding model does not answer.
    """

    def __init__(self, chroma: Chroma, embeddings: Embeddings, store: KnowledgeStore) -> None:
        self._chroma = chroma
        self._embeddings = embeddings
        self._store = store
        self._model = hashlib.sha256(embeddings.name.encode()).hexdigest()[:12]
        self._compared: set[UUID] = set()
        self._repairs: dict[UUID, asyncio.Task[int]] = {}

    async def search(self, collection_id: UUID, vector: Vectors, limit: int) -> list[tuple[UUID, float]]:
        """Ids and distances of the nearest chunks, nearest first. Some may no longer exist: look them up."""
        expected = await self._store.count_ready_chunks(collection_id)
        if expected == 0:
            return []
        for _ in range(2):
            try:
                place = await self._chroma.find(self._name(collection_id))
                if collection_id in self._compared and await self._chroma.count(place) >= expected:
                    return await self._chroma.query(place, vector, limit)
            except CollectionGone:
                self._compared.discard(collection_id)
            await self._repaired(collection_id)
        place = await self._chroma.ensure(self._name(collection_id))
        return await self._chroma.query(place, vector, limit)

    async def add(
        self, collection_id: UUID, document_id: UUID, chunks: Sequence[UUID], progress: Callable[[int, int], None]
    ) -> int:
        """Embed a document's chunks and put them in; those that are in already are left; returns how many were new.

        `progress` is told how many of how many are in. Vectors of the document that are of no chunk are removed.
        """
        place = await self._chroma.ensure(self._name(collection_id))
        there = await self._chroma.ids(place, document_id)
        missing = [name for name in chunks if name not in there]
        await self._fill(place, missing, lambda done: progress(len(chunks) - len(missing) + done, len(chunks)))
        await self._chroma.delete(place, sorted(there - set(chunks)))
        return len(missing)

    async def lacking(self, collection_id: UUID, document_id: UUID, chunks: Sequence[UUID]) -> set[UUID]:
        """Those of a document's chunks that are not in the index."""
        try:
            place = await self._chroma.find(self._name(collection_id))
            return set(chunks) - await self._chroma.ids(place, document_id)
        except CollectionGone:
            return set(chunks)

    async def forget(self, collection_id: UUID, document_id: UUID) -> None:
        """Remove the vectors of a document; nothing happens when there are none."""
        try:
            await self._chroma.delete_document(await self._chroma.find(self._name(collection_id)), document_id)
        except CollectionGone:
            return

    async def drop(self, collection_id: UUID) -> None:
        """Remove all vectors of a collection."""
        await self._chroma.drop(self._name(collection_id))
        self._compared.discard(collection_id)

    async def reindex(self, collection_id: UUID) -> int:
        """Make all vectors of a collection anew; returns how many."""
        await self.drop(collection_id)
        return await self._repair(collection_id)

    async def close(self) -> None:
        """Stop repairs; they are taken up again by the next search."""
        for task in self._repairs.values():
            task.cancel()
        await asyncio.gather(*self._repairs.values(), return_exceptions=True)

    async def _repaired(self, collection_id: UUID) -> None:
        """Wait for the one repair of a collection that runs in this process."""
        task = self._repairs.get(collection_id)
        if task is None:
            task = self._repairs[collection_id] = asyncio.create_task(self._repair(collection_id))
            task.add_done_callback(lambda done: self._repair_ended(collection_id, done))
        done, _ = await asyncio.wait([task], timeout=REPAIR_WAIT_SECONDS)
        if not done:
            raise Unavailable("the vectors of this collection are being made anew; dense search works again soon")
        task.result()

    def _repair_ended(self, collection_id: UUID, task: asyncio.Task[int]) -> None:
        self._repairs.pop(collection_id, None)
        if not task.cancelled() and task.exception() is not None:
            _log.warning("knowledge.repair_failed", collection=str(collection_id), error=str(task.exception()))

    async def _repair(self, collection_id: UUID) -> int:
        """Put in what is missing, take out what belongs to no living chunk; returns how many were put in."""
        place = await self._chroma.ensure(self._name(collection_id))
        there = await self._chroma.ids(place)
        ready = await self._store.ready_chunks(collection_id)
        missing = [name for name in ready if name not in there]
        strays = there - set(ready)
        if strays:
            # A document that is being ingested has vectors before it is ready.
            strays -= await self._store.live_chunks(sorted(strays))
            await self._chroma.delete(place, sorted(strays))
        if missing:
            _log.warning("knowledge.repair", collection=str(collection_id), missing=len(missing))
        await self._fill(place, missing, lambda done: None)
        self._compared.add(collection_id)
        return len(missing)

    async def _fill(self, place: str, ids: Sequence[UUID], progress: Callable[[int], None]) -> None:
        for first in range(0, len(ids), EMBED_BATCH):
            part = await self._store.chunk_texts(ids[first : first + EMBED_BATCH])
            if part:
                vectors = await self._embeddings.passages([passage_text(chunk) for chunk in part])
                names, documents = [chunk.id for chunk in part], [chunk.document_id for chunk in part]
                await self._chroma.upsert(place, names, documents, vectors)
            progress(min(first + EMBED_BATCH, len(ids)))

    def _name(self, collection_id: UUID) -> str:
        return f"mutirao-{collection_id.hex}-{self._model}"


def passage_text(chunk: ChunkText) -> str:
    """What is embedded for a chunk: its headings and its text."""
    return f"{chunk.heading}\n{chunk.text}" if chunk.heading else chunk.text
