"""The rows of the knowledge base on PostgreSQL: versions, projects apart, and keyword search by BM25."""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from mutirao.artifacts import FolderBlobs
from mutirao.db import Database
from mutirao.errors import InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Problem
from mutirao.jobs.states import DocumentState
from mutirao.knowledge import KnowledgeStore
from mutirao.knowledge.bm25 import K1, B
from mutirao.knowledge.records import Document, NewChunk
from mutirao.projects import Projects
from sqlalchemy import text

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@dataclass
class World:
    """A store and two projects."""

    store: KnowledgeStore
    project: UUID
    other: UUID

    async def add(self, content: str, *, name: str = "a.txt", collection: str = "docs", ready: bool = True) -> Document:
        """A document whose paragraphs are its chunks."""
        sha256 = await self.store.blobs.put(content.encode())
        document, _ = await self.store.register(
            self.project, collection, name=name, media_type="text/plain", size=len(content), sha256=sha256
        )
        await self.store.set_text(
            self.project, document.id, content, page_starts=[0], language="en", media_type="text/plain"
        )
        await self.store.replace_chunks(self.project, document.id, chunks_of(content))
        if ready:
            await self.store.set_ready(self.project, document.id)
        return await self.store.document(self.project, document.id)

    async def found(self, query: str, *collections: str) -> list[str]:
        """Texts found by keyword, best first."""
        ids = await self.store.collection_ids(self.project, collections or ["docs"])
        hits = await self.store.keyword_search(ids, query, 20)
        chunks = await self.store.found_chunks(self.project, [hit.chunk_id for hit in hits])
        return [chunks[hit.chunk_id].text for hit in hits]


def chunks_of(content: str, heading: str = "") -> list[NewChunk]:
    place, chunks = 0, []
    for ordinal, part in enumerate(content.split("\n\n")):
        chunks.append(
            NewChunk(
                id=uuid4(), ordinal=ordinal, page=1, start=place, end=place + len(part), heading=heading, text=part
            )
        )
        place += len(part) + 2
    return chunks


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    db = Database(database_url)
    projects = Projects(db)
    yield World(
        KnowledgeStore(db, FolderBlobs(tmp_path)),
        await projects.ensure(str(new_id())),
        await projects.ensure(str(new_id())),
    )
    await db.close()


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


async def register(world: World, content: str, name: str = "a.txt") -> tuple[Document, bool]:
    return await world.store.register(
        world.project, "docs", name=name, media_type="text/plain", size=len(content), sha256=sha(content)
    )


async def test_a_collection_is_made_on_first_use(world: World) -> None:
    await register(world, "x")
    (collection,) = await world.store.collections(world.project)
    assert (collection.name, collection.documents, collection.chunks) == ("docs", 0, 0)
    await world.add("one\n\ntwo", name="b.txt")
    (collection,) = await world.store.collections(world.project)
    assert (collection.documents, collection.chunks) == (1, 2)


async def test_the_same_content_is_one_document_and_other_content_the_next_version(world: World) -> None:
    first, new = await register(world, "one")
    again, needs_job = await register(world, "one")
    assert (new, again.id) == (True, first.id)
    assert needs_job  # no job was ever attached
    second, _ = await register(world, "two")
    other, _ = await register(world, "one", "b.txt")
    assert (first.version, second.version, other.version) == (1, 2, 1)
    await world.store.set_ready(world.project, first.id)
    back, new = await register(world, "one")
    assert (back.version, new) == (3, True)  # the newest is "two": "one" is a change again


async def test_a_failed_document_may_be_tried_again(world: World) -> None:
    first, _ = await register(world, "one")
    await world.store.set_failed(world.project, first.id, Problem(code="document_unreadable", message="because"))
    failed = await world.store.document(world.project, first.id)
    assert failed.state is DocumentState.FAILED
    assert failed.error is not None
    assert failed.error.message == "because"
    second, new = await register(world, "one")
    assert (second.version, new) == (2, True)
    await world.store.set_ready(world.project, first.id)
    assert (await world.store.document(world.project, first.id)).error is None


async def test_many_uploads_of_one_name_at_once_get_versions_one_after_the_other(world: World) -> None:
    made = await asyncio.gather(*(register(world, f"content {n % 4}") for n in range(12)))
    versions = sorted({document.version for document, _ in made})
    assert versions == list(range(1, len(versions) + 1))
    assert len({document.id for document, _ in made}) == len(versions)


async def test_registering_belongs_to_the_callers_transaction(world: World) -> None:
    async with world.store.db.begin() as connection:
        await world.store.register(
            world.project, "docs", name="a", media_type="text/plain", size=1, sha256="0", connection=connection
        )
        await connection.rollback()
    assert await world.store.collections(world.project) == []


async def test_a_newer_ready_version_supersedes_the_older_whatever_the_order(world: World) -> None:
    first = await world.add("one")
    second = await world.add("two", ready=False)
    assert await world.found("one") == ["one"]
    assert await world.store.set_ready(world.project, second.id) == [first.id]
    assert await world.found("one two") == ["two"]
    # The older one's ingest ends late: it must not come back.
    assert await world.store.set_ready(world.project, first.id) == [first.id]
    assert (await world.store.document(world.project, first.id)).state is DocumentState.SUPERSEDED
    assert (await world.store.document(world.project, second.id)).state is DocumentState.READY
    assert await world.found("one two") == ["two"]
    assert await world.store.text(world.project, first.id) == "one"


async def test_replacing_chunks_twice_gives_the_same_rows(world: World) -> None:
    document = await world.add("one\n\ntwo")
    chunks = chunks_of("one\n\ntwo")
    await world.store.replace_chunks(world.project, document.id, chunks)
    await world.store.replace_chunks(world.project, document.id, chunks)
    assert await world.store.document_chunks(document.id) == [chunk.id for chunk in chunks]


async def test_what_belongs_to_another_project_is_unknown(world: World) -> None:
    document = await world.add("secret words")
    store, stranger = world.store, world.other
    for call in (
        store.document(stranger, document.id),
        store.text(stranger, document.id),
        store.delete(stranger, document.id),
        store.set_ready(stranger, document.id),
        store.replace_chunks(stranger, document.id, []),
        store.set_text(stranger, document.id, "x", page_starts=[0], language=None, media_type="text/plain"),
    ):
        with pytest.raises(NotFound, match=f"no document '{document.id}' in this project"):
            await call
    unknown = uuid4()
    with pytest.raises(NotFound, match=f"no document '{unknown}' in this project"):
        await store.document(stranger, unknown)
    with pytest.raises(NotFound, match="no collection 'docs' in this project; there are none yet"):
        await store.collection_ids(stranger, ["docs"])
    with pytest.raises(NotFound, match="no collection 'docs' in this project; there are none yet"):
        await store.documents(stranger, "docs")
    with pytest.raises(NotFound):
        await store.delete_collection(stranger, "docs")
    ids = await store.document_chunks(document.id)
    assert await store.found_chunks(stranger, ids) == {}
    assert await store.collections(stranger) == []
    await store.set_failed(stranger, document.id, Problem(code="x", message="x"))
    assert (await store.document(world.project, document.id)).state is DocumentState.READY


async def test_deleting_leaves_no_row(world: World) -> None:
    document = await world.add("one\n\ntwo")
    assert await world.store.delete(world.project, document.id) == document.collection_id
    assert await world.found("one") == []
    with pytest.raises(NotFound):
        await world.store.text(world.project, document.id)
    await world.add("three")
    await world.store.delete_collection(world.project, "docs")
    async with world.store.db.autocommit() as connection:
        left = await connection.scalar(
            text("SELECT count(*) FROM chunks WHERE collection_id = :id"), {"id": document.collection_id}
        )
    assert left == 0


async def test_a_document_without_text_says_where_it_stands(world: World) -> None:
    document, _ = await register(world, "x")
    with pytest.raises(NotFound, match="has no text: it is queued"):
        await world.store.text(world.project, document.id)


async def test_names_are_checked(world: World) -> None:
    with pytest.raises(InvalidInput, match="collection name 'no spaces'"):
        await world.store.ensure_collection(world.project, "no spaces")
    with pytest.raises(InvalidInput, match=r"document name 'a\\x00b'"):
        await register(world, "x", "a\x00b")
    with pytest.raises(NotFound):
        await world.store.collection_ids(world.project, ["a\x00b"])


async def test_documents_are_listed_by_name_and_newest_version(world: World) -> None:
    for name, content in (("b.txt", "1"), ("a.txt", "2"), ("a.txt", "3")):
        await world.add(content, name=name)
    listed = await world.store.documents(world.project, "docs")
    assert [(document.name, document.version) for document in listed] == [("a.txt", 2), ("a.txt", 1), ("b.txt", 1)]
    assert await world.store.documents(world.project, "docs", limit=1, offset=1) == listed[1:2]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cistern", "The cisterns hold 1,656,000 litres."),
        ("1656000", "The cisterns hold 1,656,000 litres."),
        ("1.656.000 litros", "The cisterns hold 1,656,000 litres."),
        ("agua", "A água é limpa."),
        ("ÁGUAS", "A água é limpa."),
        ("irrigação", "Os canteiros foram irrigados ontem."),
        ("irrigacoes", "A irrigação parou."),
        ("harvested", "They harvest rain, harvesting daily."),
        ("get user", "def getUserName(id): ..."),
        ("it's 'quoted' \\ & | ! <-> :*", "it is a quoted word"),
        ("文", "これは文です"),
    ],
)
async def test_words_are_found_whatever_their_form(world: World, query: str, text: str) -> None:
    await world.add(f"nothing of the kind\n\n{text}\n\nsomething else altogether")
    assert (await world.found(query))[0] == text


@pytest.mark.parametrize("query", ["", "...", "👍", "\ufffe", "zzz"])
async def test_a_query_without_known_words_finds_nothing(world: World, query: str) -> None:
    await world.add("some text")
    assert await world.found(query) == []


async def test_stop_words_alone_are_searched_but_else_ignored(world: World) -> None:
    await world.add("to be or not to be\n\nthe garden of the school\n\nof the and of the")
    assert (await world.found("to be or not to be"))[0] == "to be or not to be"
    assert await world.found("the garden of") == ["the garden of the school"]


async def test_headings_are_searched_with_their_chunks(world: World) -> None:
    document = await world.add("It holds much.")
    await world.store.replace_chunks(world.project, document.id, chunks_of("It holds much.", heading="Cisterns > Size"))
    assert await world.found("cistern size") == ["It holds much."]


async def test_the_score_is_bm25(world: World) -> None:
    texts = ["cat dog", "cat cat bird fish cow", "dog bird", "fish"]
    await world.add("\n\n".join(texts))
    await world.add("cat " * 50, collection="elsewhere")  # counts in neither frequency nor length
    ids = await world.store.collection_ids(world.project, ["docs"])
    hits = await world.store.keyword_search(ids, "cat bird", 10)
    chunks = await world.store.found_chunks(world.project, [hit.chunk_id for hit in hits])
    mean = sum(len(text.split()) for text in texts) / 4

    def score(text: str) -> float:
        total = 0.0
        for word in ("cat", "bird"):
            times, holding = text.split().count(word), sum(word in other.split() for other in texts)
            idf = math.log(1 + (4 - holding + 0.5) / (holding + 0.5))
            total += idf * times * (K1 + 1) / (times + K1 * (1 - B + B * len(text.split()) / mean))
        return total

    expected = sorted((score(text) for text in texts if score(text)), reverse=True)
    assert [hit.score for hit in hits] == pytest.approx(expected)
    assert all(hit.score == pytest.approx(score(chunks[hit.chunk_id].text)) for hit in hits)


async def test_the_chunks_of_a_document_are_read_in_order_and_by_their_project_only(world: World) -> None:
    content = "\n\n".join(f"paragraph {n}" for n in range(5))
    document = await world.add(content, name="chunks.txt")
    found = await world.store.chunks(world.project, document.id)
    assert [chunk.ordinal for chunk in found] == [*range(5)]
    assert [content[chunk.start : chunk.end] for chunk in found] == [chunk.text for chunk in found]
    page = await world.store.chunks(world.project, document.id, limit=2, offset=3)
    assert [chunk.ordinal for chunk in page] == [3, 4]
    with pytest.raises(NotFound):
        await world.store.chunks(world.other, document.id)
