"""The dense index in Chroma: vectors and ids. It can be rebuilt from PostgreSQL at any time."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from mutirao.errors import MutiraoError, Unavailable
from mutirao.knowledge.records import ChunkText

from mutirao_agents.knowledge.embeddings import Vectors

_BATCH = 256


class IndexMissing(MutiraoError):
    """Raised when Chroma has no vectors of a collection: its store is new or was lost."""

    code = "index_missing"


class ChromaIndex:
    """Vectors of chunks, one Chroma collection for each of ours and embedding model; cosine distance.

    Raises:
        Unavailable: from every method, when Chroma does not answer.
    """

    def __init__(self, url: str | None, model_name: str) -> None:
        self._url = url
        self._suffix = re.sub(r"[^a-zA-Z0-9._-]", "-", model_name).strip("-._")
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def upsert(self, collection_id: UUID, chunks: Sequence[ChunkText], vectors: Vectors) -> None:
        """Put in the vectors of chunks, a row each; the same chunk again replaces its vector."""
        collection = await self._collection(collection_id, create=True)
        for start in range(0, len(chunks), _BATCH):
            part = chunks[start : start + _BATCH]
            await self._call(
                collection.upsert(
                    ids=[str(chunk.id) for chunk in part],
                    embeddings=vectors[start : start + _BATCH],
                    metadatas=[{"document_id": str(chunk.document_id)} for chunk in part],
                )
            )

    async def forget(self, collection_id: UUID, document_id: UUID) -> None:
        """Remove the vectors of a document; nothing happens when there are none."""
        try:
            collection = await self._collection(collection_id, create=False)
        except IndexMissing:
            return
        await self._call(collection.delete(where={"document_id": str(document_id)}))

    async def drop(self, collection_id: UUID) -> None:
        """Remove a collection's vectors, all of them."""
        client = await self._open()
        try:
            await self._call(client.delete_collection(self._name(collection_id)))
        except IndexMissing:
            return

    async def query(self, collection_id: UUID, vector: Vectors, limit: int) -> list[tuple[UUID, float]]:
        """Ids and distances (0 is the same) of the nearest chunks, nearest first.

        Raises:
            IndexMissing: there are no vectors of this collection.
        """
        collection = await self._collection(collection_id, create=False)
        found = await self._call(collection.query(query_embeddings=[vector], n_results=limit, include=["distances"]))
        return [(UUID(name), float(far)) for name, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    def _name(self, collection_id: UUID) -> str:
        return f"{collection_id}.{self._suffix}"

    async def _collection(self, collection_id: UUID, *, create: bool) -> Any:
        client = await self._open()
        name = self._name(collection_id)
        if create:
            configuration = {"hnsw": {"space": "cosine"}}
            return await self._call(
                client.get_or_create_collection(name, embedding_function=None, configuration=configuration)
            )
        return await self._call(client.get_collection(name, embedding_function=None))

    async def _open(self) -> Any:
        if self._url is None:
            raise Unavailable("no Chroma server is set; set MUTIRAO_CHROMA_URL, or start `mutirao up`")
        async with self._opening:
            if self._client is None:
                # Loading Chroma's client takes over a second: not at the worker's start, and not in its loop.
                chromadb: Any = await asyncio.to_thread(_load)
                place = urlsplit(self._url)
                self._client = await self._call(
                    chromadb.AsyncHttpClient(
                        host=place.hostname or "127.0.0.1",
                        port=place.port or (443 if place.scheme == "https" else 8000),
                        ssl=place.scheme == "https",
                        settings=chromadb.Settings(anonymized_telemetry=False),
                    )
                )
        return self._client

    async def _call(self, call: Any) -> Any:
        try:
            return await call
        except Exception as error:
            if type(error).__name__ == "NotFoundError":
                raise IndexMissing("Chroma has no vectors of this collection") from None
            raise Unavailable(
                f"Chroma at {self._url} does not answer: {type(error).__name__}: {error}; see `mutirao status`"
            ) from error


def _load() -> Any:
    import chromadb

    return chromadb
