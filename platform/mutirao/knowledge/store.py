"""Every verb on the rows of the knowledge base. Each takes the project: another project's rows are unknown ones.

Chroma is an index that can be rebuilt from here at any time.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.errors import InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Problem
from mutirao.jobs.states import DocumentState
from mutirao.knowledge import bm25, sql
from mutirao.knowledge.records import Chunk, ChunkText, Collection, Document, FoundChunk, NewChunk
from mutirao.knowledge.terms import tsvector, words

_MAX_NAME_CHARS = 512
_SHOWN_CHARS = 600
_INSERT_CHUNKS = 500


class KnowledgeStore:
    """Collections, documents and chunks in PostgreSQL; files and texts in the artifact store."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self.db = db
        self.blobs = blobs

    async def collections(self, project_id: UUID) -> list[Collection]:
        """The project's collections in order of name, with their counts."""
        return [Collection.model_validate(row) for row in await self._rows(sql.COLLECTIONS, project_id=project_id)]

    async def collection_ids(self, project_id: UUID, names: Sequence[str]) -> list[UUID]:
        """The ids of collections by name, each once. Raises NotFound, naming those there are."""
        known = {row["name"]: row["id"] for row in await self._rows(sql.COLLECTION_NAMES, project_id=project_id)}
        for name in names:
            if name not in known:
                there = ", ".join(map(repr, known)) or "none yet; `mutirao knowledge add` makes one"
                raise NotFound(f"no collection {name!r} in this project; there are {there}", collection=name)
        return [known[name] for name in dict.fromkeys(names)]

    async def has_collection(self, project_id: UUID, name: str) -> bool:
        """Whether the project has a collection of that name."""
        async with self.db.autocommit() as connection:
            return bool(await connection.scalar(sql.HAS_COLLECTION, {"project_id": project_id, "name": name}))

    async def ensure_collection(
        self, project_id: UUID, name: str, *, connection: AsyncConnection | None = None
    ) -> Collection:
        """The collection of that name, made on first use.

        Raises:
            InvalidInput: the name is not 3 to 512 of a-z, A-Z, 0-9, '.', '_', '-'.
        """
        values = {"id": new_id(), "project_id": project_id, "name": checked_collection_name(name)}
        async with self._within(connection) as own:
            await own.execute(sql.ENSURE_COLLECTION, values)
            row = (await own.execute(sql.LOCK_COLLECTION, values)).mappings().one()
        return Collection.model_validate(dict(row))

    async def delete_collection(self, project_id: UUID, name: str) -> UUID:
        """Delete a collection with all its documents and chunks; returns its id. Raises NotFound."""
        await self.collection_ids(project_id, [name])
        rows = await self._rows(sql.DELETE_COLLECTION, project_id=project_id, name=name)
        if not rows:
            raise NotFound(f"no collection {name!r} in this project", collection=name)
        return UUID(str(rows[0]["id"]))

    async def register(
        self,
        project_id: UUID,
        collection: str,
        *,
        name: str,
        media_type: str,
        size: int,
        sha256: str,
        connection: AsyncConnection | None = None,
    ) -> tuple[Document, bool]:
        """Make a document of a stored file, in the given transaction or one of its own.

        Returns the document and whether an ingest job must be submitted for it. The same content under the same name
        is one document as long as it is the newest that is queued or ready, and needs a job only when the one it had
        has ended without making it ready; anything else is the next version.

        Raises:
            InvalidInput: the collection's or the document's name cannot be used.
        """
        name = checked_document_name(name)
        async with self._within(connection) as own:
            place = await self.ensure_collection(project_id, collection, connection=own)
            values: dict[str, Any] = {"collection_id": place.id, "name": name}
            newest = (await own.execute(sql.NEWEST, values)).mappings().first()
            if newest is not None and newest["sha256"] == sha256:
                return Document.model_validate(dict(newest)), bool(newest["needs_job"])
            values |= {"id": new_id(), "project_id": project_id, "media_type": media_type}
            values |= {"size": size, "sha256": sha256}
            return Document.model_validate(dict((await own.execute(sql.ADD_DOCUMENT, values)).mappings().one())), True

    async def set_job(
        self, project_id: UUID, document_id: UUID, job_id: UUID, *, connection: AsyncConnection | None = None
    ) -> None:
        """Say which job ingests a document."""
        async with self._within(connection) as own:
            await own.execute(sql.SET_JOB, {"id": document_id, "project_id": project_id, "job_id": job_id})

    async def document(self, project_id: UUID, document_id: UUID) -> Document:
        """Raises NotFound."""
        rows = await self._rows(sql.GET_DOCUMENT, id=document_id, project_id=project_id)
        if not rows:
            raise _no_document(document_id)
        return Document.model_validate(rows[0])

    async def documents(
        self, project_id: UUID, collection: str, *, limit: int = 200, offset: int = 0
    ) -> list[Document]:
        """Documents of a collection by name, newest version first. Raises NotFound."""
        (collection_id,) = await self.collection_ids(project_id, [collection])
        rows = await self._rows(sql.DOCUMENTS, collection_id=collection_id, limit=limit, offset=offset)
        return [Document.model_validate(row) for row in rows]

    async def chunks(self, project_id: UUID, document_id: UUID, *, limit: int = 200, offset: int = 0) -> list[Chunk]:
        """Chunks of a document, in their order; none before it is ready. Raises NotFound."""
        await self.document(project_id, document_id)
        rows = await self._rows(sql.CHUNKS, document_id=document_id, project_id=project_id, limit=limit, offset=offset)
        return [Chunk.model_validate(row) for row in rows]

    async def delete(self, project_id: UUID, document_id: UUID) -> UUID:
        """Delete a document with its chunks; returns its collection's id. Raises NotFound."""
        rows = await self._rows(sql.DELETE_DOCUMENT, id=document_id, project_id=project_id)
        if not rows:
            raise _no_document(document_id)
        return UUID(str(rows[0]["collection_id"]))

    async def text(self, project_id: UUID, document_id: UUID) -> str:
        """The whole text of a document, as offsets count it. Raises NotFound."""
        document = await self.document(project_id, document_id)
        if document.text_sha256 is None:
            raise NotFound(
                f"document {document.name!r} ({document_id}) has no text: it is {document.state.value}; "
                "wait until it is ready"
            )
        return (await self.blobs.read(document.text_sha256)).decode("utf-8")

    async def set_text(
        self,
        project_id: UUID,
        document_id: UUID,
        text: str,
        *,
        page_starts: Sequence[int],
        language: str | None,
        media_type: str,
    ) -> None:
        """Keep a document's text, once it is parsed. Raises NotFound (deleted meanwhile), StorageFull."""
        values = {
            "id": document_id,
            "project_id": project_id,
            "text_sha256": await self.blobs.put(text.encode("utf-8")),
            "page_starts": list(page_starts),
            "chars": len(text),
            "language": language,
            "media_type": media_type,
        }
        async with self.db.begin() as connection:
            if (await connection.execute(sql.SET_TEXT, values)).rowcount == 0:
                raise _no_document(document_id)

    async def replace_chunks(self, project_id: UUID, document_id: UUID, chunks: Sequence[NewChunk]) -> None:
        """Make `chunks` the chunks of a document, all or none; the same again give the same rows. Raises NotFound."""
        async with self.db.begin() as connection:
            values = {"id": document_id, "project_id": project_id}
            collection_id = await connection.scalar(sql.LOCK_DOCUMENT, values)
            if collection_id is None:
                raise _no_document(document_id)
            await connection.execute(sql.DROP_CHUNKS, {"document_id": document_id})
            place = {"document_id": document_id, "collection_id": collection_id}
            for first in range(0, len(chunks), _INSERT_CHUNKS):
                rows = await _chunk_rows(connection, chunks[first : first + _INSERT_CHUNKS])
                await connection.execute(sql.ADD_CHUNK, [row | place for row in rows])

    async def set_ready(self, project_id: UUID, document_id: UUID) -> list[UUID]:
        """Make a document searchable; returns the ids that are superseded by this.

        Those are the older versions, or the document itself when a newer one is ready already. Raises NotFound.
        """
        async with self.db.begin() as connection:
            rows = (await connection.execute(sql.VERSIONS, {"id": document_id, "project_id": project_id})).all()
            ready = [row.id for row in rows if row.state == DocumentState.READY or row.id == document_id]
            if document_id not in ready:
                raise _no_document(document_id)
            await connection.execute(sql.SET_READY, {"id": ready[-1]})
            await connection.execute(sql.SET_SUPERSEDED, {"ids": ready[:-1]})
        return ready[:-1]

    async def set_failed(self, project_id: UUID, document_id: UUID, problem: Problem) -> None:
        """Say why a document could not be ingested. One that is ready already stays so."""
        values = {"id": document_id, "project_id": project_id, "error": problem.model_dump(exclude_none=True)}
        async with self.db.begin() as connection:
            await connection.execute(sql.SET_FAILED, values)

    async def keyword_search(self, collections: Sequence[UUID], query: str, limit: int) -> list[bm25.Hit]:
        """Chunks by BM25, best first. The collections' ids come from `collection_ids`, which checks the project."""
        async with self.db.autocommit() as connection:
            return await bm25.search(connection, collections, query, limit)

    async def found_chunks(self, project_id: UUID, ids: Sequence[UUID]) -> dict[UUID, FoundChunk]:
        """Those of the chunks that belong to the project and whose documents are ready."""
        rows = await self._rows(sql.FOUND_CHUNKS, ids=list(ids), project_id=project_id)
        return {row["id"]: FoundChunk.model_validate(row) for row in rows}

    async def chunk_texts(self, ids: Sequence[UUID]) -> list[ChunkText]:
        """What to embed for each chunk, document by document; those that are gone are left out."""
        return [ChunkText.model_validate(row) for row in await self._rows(sql.CHUNK_TEXTS, ids=list(ids))]

    async def document_chunks(self, document_id: UUID) -> list[UUID]:
        """Ids of a document's chunks, in order."""
        return [row["id"] for row in await self._rows(sql.DOCUMENT_CHUNKS, document_id=document_id)]

    async def ready_chunks(self, collection_id: UUID) -> list[UUID]:
        """Ids of all chunks that can be found in a collection."""
        return [row["id"] for row in await self._rows(sql.READY_CHUNKS, collection_id=collection_id)]

    async def count_ready_chunks(self, collection_id: UUID) -> int:
        """How many chunks can be found in a collection."""
        return int((await self._rows(sql.COUNT_READY_CHUNKS, collection_id=collection_id))[0]["count"])

    async def live_chunks(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the chunks that exist and belong to a document that is not superseded."""
        return {row["id"] for row in await self._rows(sql.LIVE_CHUNKS, ids=list(ids))}

    async def _rows(self, statement: TextClause, **values: Any) -> list[dict[str, Any]]:
        async with self.db.autocommit() as connection:
            return [dict(row) for row in (await connection.execute(statement, values)).mappings()]

    @asynccontextmanager
    async def _within(self, connection: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        """The caller's transaction, or one of our own."""
        if connection is not None:
            yield connection
            return
        async with self.db.begin() as own:
            yield own


async def _chunk_rows(connection: AsyncConnection, chunks: Sequence[NewChunk]) -> list[dict[str, Any]]:
    # The heading is searched with its chunk: a section's text seldom repeats its title.
    found = [(list(words(chunk.text)), list(words(chunk.heading))) for chunk in chunks]
    stems = await bm25.stems(connection, (form for both in found for part in both for w in part for form in w.forms))
    rows = []
    for chunk, (body, title) in zip(chunks, found, strict=True):
        last = body[-1].position if body else 0
        placed = [*body, *(word._replace(position=last + word.position) for word in title)]
        rows.append(chunk.model_dump() | {"words": len(placed), "search": tsvector(placed, stems.of)})
    return rows


def checked_collection_name(name: str) -> str:
    """`name` itself, when it may name a collection."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{3,512}", name):
        shown = name[:_SHOWN_CHARS]
        raise InvalidInput(f"collection name {shown!r}: use 3 to 512 of a-z, A-Z, 0-9, '.', '_', '-'", collection=shown)
    return name


def checked_document_name(name: str) -> str:
    """`name` itself, when it may name a document: 1 to 512 printable characters."""
    if not 0 < len(name) <= _MAX_NAME_CHARS or not name.strip() or not name.isprintable():
        raise InvalidInput(f"document name {name[:_SHOWN_CHARS]!r}: use 1 to {_MAX_NAME_CHARS} printable characters")
    return name


def _no_document(document_id: UUID) -> NotFound:
    return NotFound(f"no document '{document_id}' in this project", document=str(document_id))
