"""Retrieval: keyword and dense search of the same chunks, fused by rank."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from mutirao.errors import InvalidInput, Unavailable
from mutirao.knowledge import KnowledgeStore
from mutirao.knowledge.records import FoundChunk
from mutirao.logs import logger
from mutirao.settings import KnowledgeSettings

from mutirao_agents.context import DocumentRef, NoJob, Passage, job_context
from mutirao_agents.knowledge.embeddings import Embeddings
from mutirao_agents.knowledge.index import VectorIndex

RRF = 60
"""Reciprocal-rank fusion's constant (Cormack, Clarke and Büttcher, SIGIR 2009)."""
NEAR_DUPLICATE = 0.9
"""Chunks that share this part of their words are one for a reader."""
_MAX_CACHED_CHARS = 16_000_000
_log = logger("knowledge")


class Texts:
    """Texts of documents by hash, the ones used last: agents quote the same few again and again."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()

    def get(self, sha256: str) -> str | None:
        """The text, if it is here."""
        if sha256 in self._texts:
            self._texts.move_to_end(sha256)
        return self._texts.get(sha256)

    def keep(self, sha256: str, text: str) -> None:
        """Remember a text; the oldest go when there is too much."""
        self._texts[sha256] = text
        while len(self._texts) > 1 and sum(map(len, self._texts.values())) > _MAX_CACHED_CHARS:
            self._texts.popitem(last=False)


@dataclass(frozen=True, kw_only=True)
class KnowledgeBase:
    """The knowledge of one project, as its agents see it. Implements `mutirao_agents.context.Retriever`."""

    project_id: UUID
    store: KnowledgeStore
    embeddings: Embeddings
    index: VectorIndex
    settings: KnowledgeSettings
    texts: Texts
    readers: asyncio.Semaphore

    async def search(self, collections: Sequence[str], query: str, limit: int = 8) -> list[Passage]:
        """The passages nearest to `query`, best first, by keyword and dense retrieval fused.

        Superseded and failed documents never come, nor do near copies of a better passage. When Chroma or the embedding
        model does not answer, keyword search alone answers, and a warning in the log and the job's journal says so.

        Raises:
            NotFound: a collection does not exist in this project.
            InvalidInput: no collection, an empty query, or a limit below 1.
        """
        query = query.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8").strip()
        if not (collections and query and limit > 0):
            raise InvalidInput(
                f"search needs a collection, a query and a limit from 1: {list(collections)!r}, {query!r}, {limit!r}"
            )
        ids = await self.store.collection_ids(self.project_id, collections)
        wanted = max(self.settings.search_candidates, limit)
        keyword, dense = await asyncio.gather(
            self.store.keyword_search(ids, query, wanted), self._dense(ids, query, wanted)
        )
        return await self._passages([hit.chunk_id for hit in keyword], dense, limit)

    async def text(self, document_id: UUID) -> str:
        """The whole text of a document, as its offsets count it. Raises NotFound."""
        document = await self.store.document(self.project_id, document_id)
        text = self.texts.get(document.text_sha256) if document.text_sha256 else None
        if text is None:
            text = await self.store.text(self.project_id, document_id)
            self.texts.keep(document.text_sha256 or "", text)
        return text

    async def reindex(self, collection: str) -> int:
        """Make all vectors of a collection anew; returns how many. Raises NotFound, Unavailable."""
        (collection_id,) = await self.store.collection_ids(self.project_id, [collection])
        return await self.index.reindex(collection_id)

    async def _dense(self, collections: Sequence[UUID], query: str, limit: int) -> list[UUID]:
        try:
            vector = await self.embeddings.query(query)
            found = await asyncio.gather(*(self.index.search(name, vector, limit) for name in collections))
        except Unavailable as error:
            _warn(error)
            return []
        near = sorted((hit for hits in found for hit in hits), key=lambda hit: (hit[1], hit[0]))
        return [name for name, _ in near[:limit]]

    async def _passages(self, keyword: Sequence[UUID], dense: Sequence[UUID], limit: int) -> list[Passage]:
        ranks = (_ranked(keyword), _ranked(dense))
        scores = fused(ranks)
        chunks = await self.store.found_chunks(self.project_id, [*scores])
        best = sorted(chunks, key=lambda name: (-scores[name], ranks[0].get(name, 1 << 30), str(name)))
        return [
            passage_of(chunks[name], scores[name], ranks[0].get(name), ranks[1].get(name))
            for name in distinct(best, chunks, limit)
        ]


def fused(rankings: Sequence[Mapping[UUID, int]]) -> dict[UUID, float]:
    """Reciprocal-rank fusion: the sum of 1 / (60 + rank) over the rankings; ranks count from 1."""
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for name, rank in ranking.items():
            scores[name] = scores.get(name, 0.0) + 1 / (RRF + rank)
    return scores


def distinct(names: Sequence[UUID], chunks: Mapping[UUID, FoundChunk], limit: int) -> list[UUID]:
    """The first `limit` of the chunks, without near copies of an earlier one: they add nothing.

    Two that differ in a number are no copies, however much else they share.
    """
    kept: list[tuple[UUID, frozenset[str], frozenset[str]]] = []
    for name in names:
        words = frozenset(re.findall(r"\w+", chunks[name].text.casefold()))
        numbers = frozenset(word for word in words if any(c.isdigit() for c in word))
        if not any(numbers == others_numbers and _alike(words, others) for _, others, others_numbers in kept):
            kept.append((name, words, numbers))
        if len(kept) == limit:
            break
    return [name for name, _, _ in kept]


def passage_of(chunk: FoundChunk, score: float, keyword_rank: int | None, dense_rank: int | None) -> Passage:
    """A stored chunk as agents see it."""
    document = DocumentRef(
        id=chunk.document_id,
        name=chunk.document_name,
        version=chunk.document_version,
        sha256=chunk.document_sha256,
        media_type=chunk.media_type,
        language=chunk.language,
    )
    return Passage(
        chunk_id=chunk.id,
        document=document,
        page=chunk.page,
        page_start=chunk.page_start,
        start=chunk.start,
        end=chunk.end,
        heading=chunk.heading,
        text=chunk.text,
        score=score,
        keyword_rank=keyword_rank,
        dense_rank=dense_rank,
    )


def _ranked(names: Sequence[UUID]) -> dict[UUID, int]:
    return {name: rank for rank, name in enumerate(names, start=1)}


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= NEAR_DUPLICATE * len(one | other)


def _warn(error: Unavailable) -> None:
    _log.warning("knowledge.degraded", answered_by="keyword", error=error.message)
    try:
        job_context().emit("warning", {"code": error.code, "message": f"keyword search only: {error.message}"})
    except NoJob:
        return
