"""The long-term store of a project behaves as LangGraph's own: the same verbs on both, the same answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import Claim
from mutirao.projects import Projects
from mutirao_agents.langgraph_file import StoreIndex, StoreSection, StoreTtl
from mutirao_agents.langgraph_project import Extras
from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.project_store import ProjectStore, ProjectStores
from sqlalchemy import text

pytestmark = pytest.mark.anyio


def _embed(texts: list[str]) -> list[list[float]]:
    return [[float(text.count("a")), float(text.count("b")), 0.5] for text in texts]


PLAIN = Extras()
INDEXED = Extras(store=StoreSection(index=StoreIndex(embed="-", dims=3, fields=["text", "also"])), embed=_embed)


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[HomeLoop]:
    db = Database(database_url, pool_size=2)
    found = HomeLoop(db)
    yield found
    await found.close()
    await db.close()


@pytest.fixture
async def project(home: HomeLoop) -> UUID:
    found: UUID = await home.do(lambda db: Projects(db).ensure(str(new_id())))
    return found


def _shown(results: list[Any]) -> list[Any]:
    """Results without what differs: the times."""
    return [_plain(result) for result in results]


def _plain(result: Any) -> Any:
    if isinstance(result, list):
        return sorted((_plain(item) for item in result), key=str) if result and hasattr(result[0], "key") else result
    if result is None or isinstance(result, tuple):
        return result
    score = getattr(result, "score", None)
    return (tuple(result.namespace), result.key, result.value, None if score is None else round(score, 5))


PEOPLE = [
    PutOp(("people", "ana"), "age", {"n": 30, "tags": ["x"], "deep": {"a": 1, "b": 2}, "text": "aaa"}),
    PutOp(("people", "bia"), "age", {"n": 41.5, "tags": [], "deep": {"a": 2}, "text": "bbb", "also": "aab"}),
    PutOp(("people", "bia"), "name", {"n": None, "text": "ab"}, index=False),
    PutOp(("people",), "count", {"n": 2}),
    PutOp(("other", "people", "z"), "age", {"n": 30, "text": "none"}),
]
FILTERS: list[dict[str, Any]] = [
    {"n": 30},
    {"n": {"$eq": 30}},
    {"n": {"$ne": 30}},
    {"tags": ["x"]},
    {"deep": {"a": 1}},
    {"deep": {"a": {"$gte": 2}}},
    {"missing": None},
    {"n": 30, "tags": ["x"]},
]
MATCHES = [
    (),
    (MatchCondition("prefix", ("people",)),),
    (MatchCondition("prefix", ("*", "people")),),
    (MatchCondition("suffix", ("people", "*")),),
    (MatchCondition("suffix", ("bia",)), MatchCondition("prefix", ("people",))),
    (MatchCondition("prefix", ("people", "ana", "more")),),
]


async def _both(project: UUID, home: HomeLoop, extras: Extras = PLAIN) -> tuple[ProjectStore, BaseStore]:
    index: Any = {"embed": _embed, "dims": 3, "fields": ["text", "also"]} if extras is INDEXED else None
    ours, theirs = ProjectStores(home, extras).of(project), InMemoryStore(index=index)
    for store in (ours, theirs):
        assert await store.abatch(PEOPLE) == [None] * len(PEOPLE)
    return ours, theirs


async def test_what_is_found_is_what_langgraphs_store_finds(project: UUID, home: HomeLoop) -> None:
    ours, theirs = await _both(project, home)
    ops: list[Any] = [GetOp(("people", "ana"), "age"), GetOp(("people", "ana"), "none")]
    ops += [SearchOp(("people",), filter=found) for found in FILTERS]
    ops += [SearchOp(()), SearchOp(("people", "bia")), SearchOp(("peo",)), SearchOp(("people",), query="aaa")]
    ops += [ListNamespacesOp(match_conditions=match) for match in MATCHES]
    ops += [ListNamespacesOp(max_depth=1), ListNamespacesOp(limit=1, offset=1), ListNamespacesOp(max_depth=2, limit=2)]
    assert _shown(await ours.abatch(ops)) == _shown(await theirs.abatch(ops))


async def test_comparisons_and_pages(project: UUID, home: HomeLoop) -> None:
    ours, _ = await _both(project, home)

    async def keys(**found: Any) -> list[Any]:
        return sorted(item.value["n"] for item in await ours.asearch(("people",), filter={"n": found}))

    assert await keys(**{"$gt": 30}) == [41.5]
    assert await keys(**{"$gte": 30}) == [30, 41.5]
    assert await keys(**{"$lt": 30}) == [2]
    assert await keys(**{"$lte": 30, "$ne": 2}) == [30]
    with pytest.raises(ValueError, match=r"\$like"):
        await keys(**{"$like": 1})
    everything = await ours.asearch((), limit=10)
    assert await ours.asearch((), limit=2, offset=1) == everything[1:3]


async def test_likeness_counts_the_best_of_an_items_vectors(project: UUID, home: HomeLoop) -> None:
    ours, theirs = await _both(project, home, INDEXED)
    for query in ("aaa", "bb", "ab"):
        asked = [SearchOp(("people",), query=query, limit=10), SearchOp((), query=query, filter={"n": 30})]
        assert _shown(await ours.abatch(asked)) == _shown(await theirs.abatch(asked))
        best = (await ours.asearch(("people",), query=query, limit=1))[0]
        assert best.key == (await theirs.asearch(("people",), query=query, limit=1))[0].key


async def test_a_batch_sees_what_was_before_it_and_the_last_put_counts(project: UUID, home: HomeLoop) -> None:
    ours, theirs = await _both(project, home)
    ops: list[Any] = [
        PutOp(("n",), "k", {"v": 1}),
        GetOp(("n",), "k"),
        PutOp(("n",), "k", {"v": 2}),
        PutOp(("people",), "count", None),
        GetOp(("people",), "count"),
    ]
    assert _shown(await ours.abatch(ops)) == _shown(await theirs.abatch(ops))
    after: list[Any] = [GetOp(("n",), "k"), GetOp(("people",), "count")]
    assert (
        _shown(await ours.abatch(after)) == _shown(await theirs.abatch(after)) == [(("n",), "k", {"v": 2}, None), None]
    )


async def test_an_update_keeps_when_an_item_was_made(project: UUID, home: HomeLoop) -> None:
    store = ProjectStores(home, PLAIN).of(project)
    await store.aput(("a",), "k", {"v": 1})
    first = await store.aget(("a",), "k")
    await store.aput(("a",), "k", {"v": 2})
    second = await store.aget(("a",), "k")
    assert first is not None
    assert second is not None
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at


async def test_items_expire_and_reading_keeps_them(project: UUID, home: HomeLoop) -> None:
    extras = Extras(store=StoreSection(ttl=StoreTtl(default_ttl=5, refresh_on_read=False)))
    store = ProjectStores(home, extras).of(project)
    await store.aput(("a",), "default", {})
    await store.aput(("a",), "own", {}, ttl=1)
    await store.aput(("a",), "never", {}, ttl=None)

    async def left() -> dict[str, float | None]:
        rows = await home.do(lambda db: _rows(db, project))
        return {row.key: None if row.left is None else round(row.left) for row in rows}

    assert await left() == {"default": 300, "own": 60, "never": None}
    await home.do(lambda db: _age(db, project))
    await store.aget(("a",), "default")
    assert await left() == {"default": 270, "own": 30, "never": None}
    await store.asearch(("a",), refresh_ttl=True)
    assert await left() == {"default": 300, "own": 60, "never": None}
    for _ in range(3):
        await home.do(lambda db: _age(db, project))
    assert {item.key for item in await store.asearch(("a",))} == {"default", "never"}
    assert await store.aget(("a",), "own") is None


async def _rows(db: Database, project: UUID) -> Any:
    async with db.autocommit() as connection:
        found = (
            "SELECT key, extract(epoch FROM expires_at - now())::float AS left FROM store_items WHERE project_id = :p"
        )
        return (await connection.execute(text(found), {"p": project})).all()


async def _age(db: Database, project: UUID) -> None:
    async with db.autocommit() as connection:
        aged = "UPDATE store_items SET expires_at = expires_at - interval '30 seconds' WHERE project_id = :p"
        await connection.execute(text(aged), {"p": project})


async def test_projects_do_not_see_each_other(project: UUID, home: HomeLoop) -> None:
    other = await home.do(lambda db: Projects(db).ensure(str(new_id())))
    ours, _ = await _both(project, home)
    store = ProjectStores(home, PLAIN).of(other)
    assert await store.asearch(()) == []
    assert await store.alist_namespaces() == []
    await store.adelete(("people",), "count")
    assert await ours.aget(("people",), "count") is not None


async def test_threads_and_coroutines_reach_it(project: UUID, home: HomeLoop) -> None:
    store = ProjectStores(home, INDEXED).of(project)
    await asyncio.to_thread(store.put, ("a",), "k", {"text": "aaa"})
    assert [item.key for item in await asyncio.to_thread(store.search, ("a",), query="a")] == ["k"]
    found = store.get(("a",), "k")  # in the home loop itself: another loop does it
    assert found is not None
    assert found.value == {"text": "aaa"}


async def test_an_attempt_that_is_over_writes_nothing(project: UUID, home: HomeLoop) -> None:
    claim = Claim(
        job_id=new_id(),
        project_id=project,
        thread_id=new_id(),
        workflow="w",
        version="1",
        input={},
        metadata={},
        epoch=1,
    )
    store = ProjectStores(home, PLAIN).of(project, claim)
    assert await store.aget(("a",), "k") is None
    with pytest.raises(LeaseLost):
        await store.aput(("a",), "k", {})
    assert await store.asearch(()) == []
