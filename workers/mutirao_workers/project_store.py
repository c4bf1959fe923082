"""LangGraph's long-term store on the table `store_items`: what a graph of a project reads and writes as `runtime.store`.

It behaves as LangGraph's own stores: operations of one batch see the state before the batch, of two puts to one key the
last counts. Items are found newest first; a search with a query, by likeness, when the project says what to embed.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
)
from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.jobs.records import Claim
from mutirao_agents.langgraph_file import StoreIndex, StoreSection
from mutirao_agents.langgraph_project import Extras
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.steps import as_json
from mutirao_workers.store_sql import DELETE, GET, PUT, REFRESH, namespaces_sql, search_sql

_FENCE = text("SELECT mutirao_fence(:job, :epoch)")
_STALE = "MU001"
Vectors = Mapping[str, Sequence[float]]


class Index:
    """What of an item is embedded, and by what."""

    def __init__(self, section: StoreIndex, embed: Any) -> None:
        self.dims = section.dims
        self._fields = section.fields
        self._embed = embed
        self._embeddings: Embeddings | None = None

    @property
    def embeddings(self) -> Embeddings:
        """Opened when it is first needed: a provider's package takes long to load."""
        if self._embeddings is None:
            self._embeddings = ensure_embeddings(self._embed)
        return self._embeddings

    def texts(self, value: Mapping[str, Any], index: Any = None) -> list[str]:
        """What of a value is to be embedded; `index` is as of a put: None, False or paths."""
        if index is False:
            return []
        paths = self._fields if index is None else index
        return [found for path in paths for found in get_text_at_path(dict(value), tokenize_path(path))]

    async def of_texts(self, texts: Iterable[str]) -> dict[str, list[float]]:
        """The vector of each text."""
        wanted = list(dict.fromkeys(texts))
        return dict(zip(wanted, await self.embeddings.aembed_documents(wanted), strict=True)) if wanted else {}

    def joined(self, texts: Sequence[str], vectors: Vectors) -> list[float] | None:
        """What `store_items.embedding` keeps: the vectors of an item one after another; None when it has none."""
        return [number for one in texts for number in vectors[one]] or None


class ProjectStores:
    """Makes the stores of projects, for one process."""

    def __init__(self, home: HomeLoop, extras: Extras) -> None:
        self._home = home
        self._section = extras.store
        index = extras.store.index
        self.index = Index(index, extras.embed) if index is not None and extras.embed is not None else None

    def of(self, project_id: UUID, claim: Claim | None = None) -> "ProjectStore":
        """The store of one project; with a claim, one that writes nothing more once the attempt is over."""
        return ProjectStore(self._home, project_id, self._section, self.index, claim)


class ProjectStore(BaseStore):
    """One project's store. Its coroutines may be awaited in any loop, its methods called in any thread.

    Raises:
        LeaseLost: on a write of an attempt that another one has followed.
    """

    supports_ttl = True

    def __init__(
        self, home: HomeLoop, project_id: UUID, section: StoreSection, index: Index | None, claim: Claim | None = None
    ) -> None:
        self._home = home
        self._project_id = project_id
        self._index = index
        self._claim = claim
        self.ttl_config = cast("TTLConfig | None", section.ttl.model_dump(exclude_none=True) if section.ttl else None)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As the base class says."""
        asked = list(ops)
        vectors = await self._index.of_texts(self._texts(asked)) if self._index else {}
        return await self._home.do(lambda db: self._done(db, asked, vectors))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """As the base class says."""
        asked = list(ops)
        return self._home.now(lambda db: self._embedded_and_done(db, asked))

    async def _embedded_and_done(self, db: Database, ops: Sequence[Op]) -> list[Result]:
        vectors = await self._index.of_texts(self._texts(ops)) if self._index else {}
        return await self._done(db, ops, vectors)

    def _texts(self, ops: Sequence[Op]) -> list[str]:
        assert self._index is not None
        texts: list[str] = []
        for op in ops:
            if isinstance(op, SearchOp) and op.query:
                texts.append(op.query)
            elif isinstance(op, PutOp) and op.value is not None:
                texts += self._index.texts(op.value, op.index)
        return texts

    async def _done(self, db: Database, ops: Sequence[Op], vectors: Vectors) -> list[Result]:
        puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
        async with db.begin() as connection:
            results = [await self._read(connection, op, vectors) for op in ops if not isinstance(op, PutOp)]
            found = iter(results)
            answers = [None if isinstance(op, PutOp) else next(found) for op in ops]
            for op in ops:
                if isinstance(op, PutOp):
                    puts[op.namespace, op.key] = op
            if puts and self._claim is not None:
                await self._hold(connection, self._claim)
            for op in puts.values():
                await self._put(connection, op, vectors)
        return answers

    async def _read(self, connection: AsyncConnection, op: Op, vectors: Vectors) -> Result:
        if isinstance(op, GetOp):
            return await self._get(connection, op)
        if isinstance(op, SearchOp):
            return await self._search(connection, op, vectors)
        if isinstance(op, ListNamespacesOp):
            statement, values = namespaces_sql(op)
            rows = await connection.execute(statement, {"project": self._project_id, **values})
            return [tuple(row.namespace) for row in rows]
        raise ValueError(f"no operation of a store: {type(op).__name__}")

    async def _get(self, connection: AsyncConnection, op: GetOp) -> Item | None:
        at = self._at(op.namespace, op.key)
        row = (await connection.execute(GET, at)).first()
        if row is None:
            return None
        if op.refresh_ttl and row.ttl_minutes is not None:
            await connection.execute(REFRESH, at)
        return Item(
            value=row.value, key=op.key, namespace=op.namespace, created_at=row.created_at, updated_at=row.updated_at
        )

    async def _search(self, connection: AsyncConnection, op: SearchOp, vectors: Vectors) -> list[SearchItem]:
        wanted = vectors.get(op.query) if op.query and self._index else None
        statement, values = search_sql(op, wanted)
        rows = (await connection.execute(statement, {"project": self._project_id, **values})).all()
        if op.refresh_ttl:
            for row in rows:
                if row.ttl_minutes is not None:
                    await connection.execute(REFRESH, self._at(row.namespace, row.key))
        return [
            SearchItem(tuple(row.namespace), row.key, row.value, row.created_at, row.updated_at, score=row.score)
            for row in rows
        ]

    async def _put(self, connection: AsyncConnection, op: PutOp, vectors: Vectors) -> None:
        at = self._at(op.namespace, op.key)
        if op.value is None:
            await connection.execute(DELETE, at)
            return
        texts = self._index.texts(op.value, op.index) if self._index else []
        embedding = self._index.joined(texts, vectors) if self._index else None
        await connection.execute(PUT, {**at, "value": as_json(op.value), "ttl": op.ttl, "embedding": embedding})

    async def _hold(self, connection: AsyncConnection, claim: Claim) -> None:
        try:
            await connection.execute(_FENCE, {"job": claim.job_id, "epoch": claim.epoch})
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _STALE:
                raise
            raise LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} may store no more items") from None

    def _at(self, namespace: Iterable[str], key: str) -> dict[str, Any]:
        return {"project": self._project_id, "namespace": list(namespace), "key": key}


async def embedded(index: Index, request: Mapping[str, Any]) -> list[list[float] | None]:
    """Vectors of `texts`; or, of `items` (`{"value", "index"?}`), what `store_items.embedding` keeps of each."""
    if "items" not in request:
        texts = [str(one) for one in request["texts"]]
        vectors = await index.of_texts(texts)
        return [list(vectors[one]) for one in texts]
    wanted = [await asyncio.to_thread(index.texts, item["value"], item.get("index")) for item in request["items"]]
    vectors = await index.of_texts(one for texts in wanted for one in texts)
    return [index.joined(texts, vectors) for texts in wanted]
