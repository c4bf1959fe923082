"""The truth of the knowledge base: collections, documents and chunks in PostgreSQL, files in the artifact store.

Chroma is an index that can be rebuilt from here at any time.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.errors import InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Problem
from mutirao.knowledge import sql
from mutirao.knowledge.records import Chunk, Collection, Document, NewChunk

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")
_STEMMERS = {"en": "english", "pt": "portuguese"}
_WORD = re.compile(r"\w+")
_MOST_QUERY_WORDS = 64


class KnowledgeStore:
    """Every verb on collections, documents and chunks. What another project owns answers like something unknown."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self.db = db
        self.blobs = blobs

    async def collections(self, project_id: UUID) -> list[Collection]:
        """Collections of the project by name."""
        rows = await self._rows(sql.COLLECTIONS, {"project_id": project_id})
        return [Collection.model_validate(row) for row in rows]

    async def collection_ids(self, project_id: UUID, names: Sequence[str]) -> list[UUID]:
        """Raises NotFound, naming those there are."""
        known = {collection.name: collection.id for collection in await self.collections(project_id)}
        for name in names:
            if name not in known:
                there = ", ".join(map(repr, sorted(known))) or "none yet; `mutirao knowledge add` makes one"
                raise NotFound(f"no collection {name!r} in this project; there are {there}", collection=name)
        return [known[name] for name in dict.fromkeys(names)]

    async def register(
        self, project_id: UUID, collection: str, *, name: str, media_type: str, size: int, sha256: str
    ) -> tuple[Document, bool]:
        """A stored file as the next version of a document; made in a new collection where there is none of that name.

        Returns the document and whether it is new: the same content under the same name is not added again.

        Raises:
            InvalidInput: the collection's name is not one.
        """
        if not _NAME.fullmatch(collection):
            raise InvalidInput(
                f"collection name {collection!r}: use 3 to 512 of a-z, A-Z, 0-9, '.', '_', '-', "
                "beginning and ending with a letter or digit",
                collection=collection,
            )
        async with self.db.begin() as connection:
            values: dict[str, Any] = {"project_id": project_id, "name": collection, "id": new_id()}
            collection_id = await connection.scalar(sql.ADD_COLLECTION, values)
            # Two uploads of one name at once get two versions, one after the other.
            await connection.execute(sql.LOCK_COLLECTION, {"id": collection_id})
            values = {"project_id": project_id, "collection_id": collection_id, "name": name, "sha256": sha256}
            row = (await connection.execute(sql.SAME_DOCUMENT, values)).mappings().first()
            if row is not None:
                return Document.model_validate(dict(row)), False
            values |= {"id": new_id(), "media_type": media_type, "size": size}
            await connection.execute(sql.ADD_DOCUMENT, values)
            return await self._document(connection, project_id, values["id"]), True

    async def set_job(self, project_id: UUID, document_id: UUID, job_id: UUID) -> None:
        """Note the job that ingests a document."""
        await self._execute(sql.SET_JOB, {"project_id": project_id, "id": document_id, "job_id": job_id})

    async def documents(
        self, project_id: UUID, collection: str, *, limit: int = 200, offset: int = 0
    ) -> list[Document]:
        """Documents of a collection by name, newest version first. Raises NotFound."""
        await self.collection_ids(project_id, [collection])
        values = {"project_id": project_id, "collection": collection, "limit": limit, "offset": offset}
        return [Document.model_validate(row) for row in await self._rows(sql.DOCUMENTS, values)]

    async def document(self, project_id: UUID, document_id: UUID) -> Document:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            return await self._document(connection, project_id, document_id)

    async def text(self, project_id: UUID, document_id: UUID) -> str:
        """The text of a document, as its offsets count it. Raises NotFound."""
        document = await self.document(project_id, document_id)
        if document.text_sha256 is None:
            raise NotFound(f"document {document.name!r} has no text yet: it is {document.state.value}")
        return (await self.blobs.read(document.text_sha256)).decode("utf-8", "surrogatepass")

    async def delete(self, project_id: UUID, document_id: UUID) -> UUID:
        """Delete a document with its chunks; returns its collection. Raises NotFound."""
        async with self.db.autocommit() as connection:
            collection = await connection.scalar(sql.DELETE_DOCUMENT, {"project_id": project_id, "id": document_id})
        if collection is None:
            raise NotFound(f"no document {str(document_id)!r} in this project")
        return UUID(str(collection))

    async def set_failed(self, project_id: UUID, document_id: UUID, error: Problem) -> None:
        """Say why a document cannot be searched."""
        values = {"project_id": project_id, "id": document_id, "error": error.model_dump()}
        await self._execute(sql.SET_FAILED, values)

    async def set_chunks(
        self,
        document: Document,
        project_id: UUID,
        text: str,
        *,
        page_starts: Sequence[int],
        language: str | None,
        media_type: str,
        chunks: Sequence[NewChunk],
    ) -> None:
        """Keep a document's text and chunks, in place of any it had; not searchable before `set_ready`."""
        text_sha256 = await self.blobs.put(text.encode("utf-8", "surrogatepass"))
        rows = [
            {**chunk.model_dump(mode="json"), "words": len(_WORD.findall(chunk.text)), "folded": folded(chunk.text)}
            for chunk in chunks
        ]
        async with self.db.begin() as connection:
            values = {
                "id": document.id,
                "project_id": project_id,
                "language": language,
                "page_starts": list(page_starts),
                "chars": len(text),
                "text_sha256": text_sha256,
                "media_type": media_type,
            }
            await connection.execute(sql.SET_TEXT, values)
            await connection.execute(sql.CLEAR_CHUNKS, {"id": document.id})
            config = _STEMMERS.get(language or "", "simple")
            await connection.execute(sql.ADD_CHUNKS, {"id": document.id, "config": config, "chunks": rows})

    async def set_ready(self, project_id: UUID, document_id: UUID) -> list[UUID]:
        """Let a document be found; returns what steps back: the older versions, or itself when it is outdated."""
        async with self.db.begin() as connection:
            values = {"project_id": project_id, "id": document_id}
            if await connection.scalar(sql.NEWER_READY, {"id": document_id}):
                await connection.execute(sql.SET_SUPERSEDED, values)
                return [document_id]
            return [row.id for row in await connection.execute(sql.SET_READY, values)]

    async def chunks_of(self, project_id: UUID, document_id: UUID) -> list[Chunk]:
        """Chunks of a document in order."""
        rows = await self._rows(sql.CHUNKS_OF_DOCUMENT, {"project_id": project_id, "id": document_id})
        return [Chunk.model_validate(row) for row in rows]

    async def chunks_after(self, collection_id: UUID, after: UUID, limit: int) -> list[Chunk]:
        """Chunks of a collection by id, those after one: for rebuilding an index."""
        values = {"collection": collection_id, "after": after, "limit": limit}
        return [Chunk.model_validate(row) for row in await self._rows(sql.CHUNKS_OF_COLLECTION, values)]

    async def chunks_by_id(self, collections: Sequence[UUID], ids: Sequence[UUID]) -> dict[UUID, Chunk]:
        """Those of the chunks that are in these collections and may be found."""
        rows = await self._rows(sql.CHUNKS_BY_ID, {"collections": list(collections), "ids": list(ids)})
        return {row["id"]: Chunk.model_validate(row) for row in rows}

    async def keyword_search(self, collections: Sequence[UUID], query: str, limit: int) -> list[tuple[UUID, float]]:
        """Ids and BM25 scores of the chunks that have words of the query, best first."""
        words = _WORD.findall(query.replace("\x00", " "))[:_MOST_QUERY_WORDS]
        plain = sorted({folded(word) for word in words})
        values = {"collections": list(collections), "query": " ".join(words), "plain": plain, "limit": limit}
        if not plain:
            return []
        return [(row["id"], float(row["score"])) for row in await self._rows(sql.BM25, values)]

    async def _document(self, connection: AsyncConnection, project_id: UUID, document_id: UUID) -> Document:
        values = {"project_id": project_id, "id": document_id}
        row = (await connection.execute(sql.GET_DOCUMENT, values)).mappings().first()
        if row is None:
            raise NotFound(f"no document {str(document_id)!r} in this project")
        return Document.model_validate(dict(row))

    async def _rows(self, statement: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.db.autocommit() as connection:
            return [dict(row) for row in (await connection.execute(statement, values)).mappings()]

    async def _execute(self, statement: Any, values: dict[str, Any]) -> None:
        async with self.db.autocommit() as connection:
            await connection.execute(statement, values)


def folded(text: str) -> str:
    """Lower case, without accents: `Água` and `agua` are one word."""
    parted = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in parted if not unicodedata.combining(sign)).lower()
