"""Retrieval: keyword and dense search of the same chunks, fused by rank."""

from collections.abc import Sequence
from uuid import UUID

from mutirao.errors import Unavailable
from mutirao.knowledge import KnowledgeStore
from mutirao.knowledge.records import ChunkText, FoundChunk
from mutirao.logs import logger
from mutirao.settings import KnowledgeSettings

from mutirao_agents.context import DocumentRef, Passage
from mutirao_agents.knowledge.embeddings import Embeddings
from mutirao_agents.knowledge.index import ChromaIndex, IndexMissing

RRF = 60
"""Reciprocal-rank fusion's constant (Cormack, Clarke and Büttcher, SIGIR 2009)."""
_REBUILD_BATCH = 64
_log = logger("knowledge")


class KnowledgeBase:
    """The knowledge of one project, as its agents see it. Implements `mutirao_agents.context.Retriever`."""

    def __init__(
        self,
        project_id: UUID,
        store: KnowledgeStore,
        embeddings: Embeddings,
        index: ChromaIndex,
        settings: KnowledgeSettings,
    ) -> None:
        self.project_id = project_id
        self.store = store
        self.embeddings = embeddings
        self.index = index
        self.settings = settings

    async def search(self, collections: Sequence[str], query: str, limit: int = 8) -> list[Passage]:
        """The passages nearest to `query`, best first, by keyword and dense retrieval fused.

        When Chroma or the embeddings do not answer, keyword search alone answers, and the log says so.

        Raises:
            NotFound: a collection does not exist in this project.
        """
        ids = await self.store.collection_ids(self.project_id, collections)
        found = await self.store.keyword_search(ids, query, self.settings.search_candidates)
        keyword = [hit.chunk_id for hit in found]
        try:
            dense = await self._dense(ids, query)
        except Unavailable as error:
            _log.warning("knowledge.keyword_only", error=error.message)
            dense = []
        ranks = (_ranked(keyword), _ranked(dense))
        scores = fused(ranks)
        chunks = await self.store.found_chunks(self.project_id, [*scores])
        best = sorted((name for name in scores if name in chunks), key=lambda name: (-scores[name], str(name)))
        return [
            passage_of(chunks[name], scores[name], ranks[0].get(name), ranks[1].get(name))
            for name in _distinct(best, chunks)[:limit]
        ]

    async def text(self, document_id: UUID) -> str:
        """The whole text of a document, as its offsets count it. Raises NotFound."""
        return await self.store.text(self.project_id, document_id)

    async def rebuild(self, collection_id: UUID) -> int:
        """Put every vector of a collection into Chroma anew, from PostgreSQL; returns how many chunks it has."""
        await self.index.drop(collection_id)
        names = await self.store.ready_chunks(collection_id)
        for start in range(0, len(names), _REBUILD_BATCH):
            await self.embed(collection_id, await self.store.chunk_texts(names[start : start + _REBUILD_BATCH]))
        return len(names)

    async def embed(self, collection_id: UUID, chunks: Sequence[ChunkText]) -> None:
        """Put the vectors of chunks into Chroma; the same again replaces them."""
        vectors = await self.embeddings.passages([f"{chunk.heading}\n{chunk.text}".strip() for chunk in chunks])
        await self.index.upsert(collection_id, chunks, vectors)

    async def _dense(self, collections: Sequence[UUID], query: str) -> list[UUID]:
        vector = await self.embeddings.query(query)
        near: list[tuple[UUID, float]] = []
        for collection in collections:
            try:
                near += await self.index.query(collection, vector, self.settings.search_candidates)
            except IndexMissing:
                # Lost or never made: an empty answer in silence would be wrong.
                if await self.rebuild(collection):
                    _log.warning("knowledge.index_rebuilt", collection=str(collection))
                    near += await self.index.query(collection, vector, self.settings.search_candidates)
        near.sort(key=lambda found: found[1])
        return [name for name, _ in near[: self.settings.search_candidates]]


def fused(rankings: Sequence[dict[UUID, int]]) -> dict[UUID, float]:
    """Reciprocal-rank fusion: the sum of 1 / (60 + rank) over the rankings (ranks count from 1)."""
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for name, rank in ranking.items():
            scores[name] = scores.get(name, 0.0) + 1 / (RRF + rank)
    return scores


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


def _distinct(names: Sequence[UUID], chunks: dict[UUID, FoundChunk]) -> list[UUID]:
    """Without chunks whose text is the same as a better one's: copies of a document add nothing."""
    seen: set[str] = set()
    kept = []
    for name in names:
        words = " ".join(chunks[name].text.split()).casefold()
        if words not in seen:
            seen.add(words)
            kept.append(name)
    return kept
