"""Every verb on the rows of the knowledge base. Each takes the project: another project's rows are unknown ones."""

import re
from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as AnyOf
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.errors import Conflict, InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Problem
from mutirao.jobs.states import DocumentState
from mutirao.knowledge import bm25, sql
from mutirao.knowledge.records import ChunkText, Collection, Document, FoundChunk, NewChunk
from mutirao.knowledge.terms import tsvector, words

_MAX_NAME_CHARS = 512
_INSERT_CHUNKS = 500


class KnowledgeStore:
    """Collections, documents and chunks in PostgreSQL; files and texts in the artifact store."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self.db = db
        self.blobs = blobs

    async def collections(self, project_id: UUID, names: Sequence[str] | None = None) -> list[Collection]:
        """The project's collections, or those of `names` that exist, in order of name, with their counts."""
        values = {"project_id": project_id, "names": None if names is None else list(names)}
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(sql.COLLECTIONS, values)).mappings()
            return [Collection.model_validate(dict(row)) for row in rows]

    async def get_collection(self, project_id: UUID, name: str) -> Collection:
        """Raises NotFound."""
        found = await self.collections(project_id, [_checked_text(name)])
        if not found:
            raise _no_collection(name)
        return found[0]

    async def collection_ids(self, project_id: UUID, names: Sequence[str]) -> list[UUID]:
        """The ids of collections by name. Raises NotFound, naming the first that is not there."""
        values = {"project_id": project_id, "names": [_checked_text(name) for name in names]}
        async with self.db.autocommit() as connection:
            found = {row.name: row.id for row in await connection.execute(sql.COLLECTION_IDS, values)}
        for name in names:
            if name not in found:
                raise _no_collection(name)
        return list(dict.fromkeys(found[name] for name in names))

    async def ensure_collection(
        self, project_id: UUID, name: str, *, connection: AsyncConnection | None = None
    ) -> Collection:
        """The collection of that name, made on first use.

        Raises:
            InvalidInput: the name is not 3 to 512 of a-z, A-Z, 0-9, '.', '_', '-'.
        """
        values = {"id": new_id(), "project_id": project_id, "name": checked_collection_name(name)}
        async with self._in(connection) as own:
            await own.execute(sql.ENSURE_COLLECTION, values)
            row = (await own.execute(sql.LOCK_COLLECTION, values)).mappings().one()
        return Collection.model_validate(dict(row))

    async def delete_collection(self, project_id: UUID, name: str) -> Collection:
        """Delete a collection with all its documents and chunks. Raises NotFound."""
        async with self.db.begin() as connection:
            values = {"project_id": project_id, "name": _checked_text(name)}
            row = (await connection.execute(sql.DELETE_COLLECTION, values)).mappings().first()
        if row is None:
            raise _no_collection(name)
        return Collection.model_validate(dict(row))

    async def register_document(
        self,
        project_id: UUID,
        collection: str,
        name: str,
        media_type: str,
        sha256: str,
        size: int,
        *,
        connection: AsyncConnection | None = None,
    ) -> Document:
        """Make a document of a stored file, in the given transaction or one of its own.

        The same content under the same name is one document as long as it is the newest that is queued or ready;
        anything else is the next version. `needs_job` says whether an ingest job must be submitted for it.

        Raises:
            InvalidInput: the collection's or the document's name cannot be used.
        """
        name = checked_document_name(name)
        async with self._in(connection) as own:
            place = await self.ensure_collection(project_id, collection, connection=own)
            values: dict[str, Any] = {"collection_id": place.id, "name": name}
            newest = (await own.execute(sql.NEWEST, values)).mappings().first()
            if newest is not None and newest["sha256"] == sha256:
                return _document(newest)
            values |= {"id": new_id(), "project_id": project_id, "media_type": media_type}
            values |= {"sha256": sha256, "size": size}
            return _document((await own.execute(sql.ADD_DOCUMENT, values)).mappings().one())

    async def attach_job(
        self, project_id: UUID, document_id: UUID, job_id: UUID, *, connection: AsyncConnection | None = None
    ) -> None:
        """Say which job ingests a document. Raises NotFound."""
        async with self._in(connection) as own:
            done = await own.execute(sql.ATTACH_JOB, {"id": document_id, "project_id": project_id, "job_id": job_id})
            if done.rowcount == 0:
                raise _no_document(document_id)

    async def get_document(self, project_id: UUID, document_id: UUID) -> Document:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            values = {"id": document_id, "project_id": project_id}
            row = (await connection.execute(sql.GET_DOCUMENT, values)).mappings().first()
        if row is None:
            raise _no_document(document_id)
        return _document(row)

    async def list_documents(
        self,
        project_id: UUID,
        collection: str,
        *,
        limit: int = 100,
        before: UUID | None = None,
        states: AnyOf[DocumentState] | None = None,
    ) -> list[Document]:
        """Documents of a collection, newest first; `before` is the last id of the page before. Raises NotFound."""
        await self.collection_ids(project_id, [collection])
        values = {"project_id": project_id, "collection": collection, "limit": limit, "before": before}
        values["states"] = None if states is None else [state.value for state in states]
        async with self.db.autocommit() as connection:
            return [_document(row) for row in (await connection.execute(sql.LIST_DOCUMENTS, values)).mappings()]

    async def delete_document(self, project_id: UUID, document_id: UUID) -> Document:
        """Delete a document and its chunks; returns what it was. Raises NotFound."""
        async with self.db.begin() as connection:
            values = {"id": document_id, "project_id": project_id}
            row = (await connection.execute(sql.DELETE_DOCUMENT, values)).mappings().first()
        if row is None:
            raise _no_document(document_id)
        return _document(row)

    async def text(self, project_id: UUID, document_id: UUID) -> str:
        """The whole text of a document, as offsets count it. Raises NotFound, Conflict (it is not parsed yet)."""
        document = await self.get_document(project_id, document_id)
        if document.text_sha256 is None:
            raise Conflict(
                f"document {document.name!r} ({document_id}) has no text: it is {document.state.value}; "
                "wait until it is ready"
            )
        return (await self.blobs.read(document.text_sha256)).decode("utf-8")

    async def page_starts(self, project_id: UUID, document_id: UUID) -> list[int]:
        """Offset of each page's text. Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(sql.PAGE_STARTS, {"id": document_id, "project_id": project_id})).first()
        if row is None:
            raise _no_document(document_id)
        return list(row.page_starts)

    async def save_text(
        self, project_id: UUID, document: Document, text: str, page_starts: Sequence[int], language: str | None,
        media_type: str,
    ) -> None:  # fmt: skip
        """Keep a document's text, once it is parsed. Raises NotFound (deleted meanwhile), StorageFull."""
        values = {
            "id": document.id,
            "project_id": project_id,
            "text_sha256": await self.blobs.put(text.encode("utf-8")),
            "page_starts": list(page_starts),
            "chars": len(text),
            "language": language,
            "media_type": media_type,
        }
        async with self.db.begin() as connection:
            if (await connection.execute(sql.SAVE_TEXT, values)).rowcount == 0:
                raise _no_document(document.id)

    async def replace_chunks(self, project_id: UUID, document_id: UUID, chunks: Sequence[NewChunk]) -> None:
        """Make `chunks` the chunks of a document, all or none. The same chunks again change nothing visible."""
        document = await self.get_document(project_id, document_id)
        async with self.db.begin() as connection:
            await connection.execute(sql.DROP_CHUNKS, {"document_id": document_id})
            for first in range(0, len(chunks), _INSERT_CHUNKS):
                rows = await _chunk_rows(connection, document, chunks[first : first + _INSERT_CHUNKS])
                await connection.execute(sql.ADD_CHUNK, rows)

    async def mark_ready(self, project_id: UUID, document_id: UUID) -> list[UUID]:
        """Make a document searchable instead of its older versions; returns the ids of those that are now superseded.

        When a newer version is ready already, this one itself is superseded.
        """
        document = await self.get_document(project_id, document_id)
        async with self.db.begin() as connection:
            values = {"collection_id": document.collection_id, "name": document.name}
            versions = (await connection.execute(sql.VERSIONS, values)).all()
            ready = {row.version: row.id for row in versions if row.state == DocumentState.READY}
            ready[document.version] = document_id
            superseded = [ready[version] for version in sorted(ready)[:-1]]
            await connection.execute(sql.SET_STATE, {"state": "ready", "ids": [ready[max(ready)]]})
            await connection.execute(sql.SET_STATE, {"state": "superseded", "ids": superseded})
        return superseded

    async def mark_failed(self, project_id: UUID, document_id: UUID, problem: Problem) -> None:
        """Say why a document could not be ingested. One that is ready already stays so."""
        values = {"id": document_id, "project_id": project_id, "error": problem.model_dump(exclude_none=True)}
        async with self.db.begin() as connection:
            await connection.execute(sql.MARK_FAILED, values)

    async def keyword_search(self, collections: Sequence[UUID], query: str, limit: int) -> list[bm25.Hit]:
        """Chunks by BM25, best first. The collections' ids come from `collection_ids`, which checks the project."""
        async with self.db.autocommit() as connection:
            return await bm25.search(connection, collections, query, limit)

    async def found_chunks(self, project_id: UUID, ids: Sequence[UUID]) -> dict[UUID, FoundChunk]:
        """Those of the chunks that belong to the project and whose documents are ready."""
        async with self.db.autocommit() as connection:
            rows = await connection.execute(sql.FOUND_CHUNKS, {"ids": list(ids), "project_id": project_id})
            return {row["id"]: FoundChunk.model_validate(dict(row)) for row in rows.mappings()}

    async def chunk_texts(self, ids: Sequence[UUID]) -> list[ChunkText]:
        """What to embed for each chunk, document by document; those that are gone are left out."""
        async with self.db.autocommit() as connection:
            rows = await connection.execute(sql.CHUNK_TEXTS, {"ids": list(ids)})
            return [ChunkText.model_validate(dict(row)) for row in rows.mappings()]

    async def document_chunks(self, document_id: UUID) -> list[UUID]:
        """Ids of a document's chunks, in order."""
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(sql.DOCUMENT_CHUNKS, {"document_id": document_id})).all())

    async def ready_chunks(self, collection_id: UUID) -> list[UUID]:
        """Ids of all chunks that can be found in a collection."""
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(sql.READY_CHUNKS, {"collection_id": collection_id})).all())

    async def count_ready_chunks(self, collections: Sequence[UUID]) -> dict[UUID, int]:
        """How many chunks can be found in each collection."""
        async with self.db.autocommit() as connection:
            rows = await connection.execute(sql.COUNT_READY_CHUNKS, {"collections": list(collections)})
            counted = {row[0]: row[1] for row in rows}
        return {collection: counted.get(collection, 0) for collection in collections}

    async def live_chunks(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the chunks that exist and belong to a document that is not superseded."""
        async with self.db.autocommit() as connection:
            return set((await connection.scalars(sql.LIVE_CHUNKS, {"ids": list(ids)})).all())

    @asynccontextmanager
    async def _in(self, connection: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        """The caller's transaction, or one of our own."""
        if connection is not None:
            yield connection
            return
        async with self.db.begin() as own:
            yield own


async def _chunk_rows(
    connection: AsyncConnection, document: Document, chunks: Sequence[NewChunk]
) -> list[dict[str, Any]]:
    # The heading is searched with its chunk: a section's text seldom repeats its title.
    found = [(list(words(chunk.text)), list(words(chunk.heading))) for chunk in chunks]
    known = await bm25.stems(connection, (form for both in found for part in both for w in part for form in w.forms))
    rows = []
    for chunk, (body, title) in zip(chunks, found, strict=True):
        last = body[-1].position if body else 0
        placed = [*body, *(word._replace(position=last + word.position) for word in title)]
        rows.append(
            chunk.model_dump()
            | {"collection_id": document.collection_id, "document_id": document.id, "words": len(placed)}
            | {"search": tsvector(placed, known.of)}
        )
    return rows


def checked_collection_name(name: str) -> str:
    """`name` itself, when it may name a collection."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{3,512}", name):
        raise InvalidInput(
            f"collection name {name[:600]!r}: use 3 to 512 of a-z, A-Z, 0-9, '.', '_', '-'", collection=name[:600]
        )
    return name


def checked_document_name(name: str) -> str:
    """`name` itself, when it may name a document: 1 to 512 printable characters."""
    if not 0 < len(name) <= _MAX_NAME_CHARS or not name.strip() or not all(c.isprintable() for c in name):
        raise InvalidInput(f"document name {name[:600]!r}: use 1 to {_MAX_NAME_CHARS} printable characters")
    return name


def _checked_text(name: str) -> str:
    """A name that PostgreSQL can be asked for; one that cannot exist is not there."""
    if not name.isprintable():
        raise _no_collection(name)
    return name


def _document(row: RowMapping) -> Document:
    return Document.model_validate(dict(row))


def _no_collection(name: str) -> NotFound:
    return NotFound(f"no collection {name!r} in this project; `mutirao knowledge add` makes one", collection=name)


def _no_document(document_id: UUID) -> NotFound:
    return NotFound(f"no document '{document_id}' in this project", document=str(document_id))
