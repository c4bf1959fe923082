"""The built-in workflows of the knowledge base: ingest, search, forget. Coroutines only: they share a worker's loop."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson
from langgraph.graph import END, START, StateGraph
from mutirao.errors import MutiraoError, StepFailed
from mutirao.jobs.records import Problem
from mutirao.jobs.states import DocumentState
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.context import JobContext, job_context
from mutirao_agents.knowledge.chunks import chunk_document
from mutirao_agents.knowledge.parse import parse
from mutirao_agents.knowledge.retrieve import KnowledgeBase
from mutirao_agents.workflows import workflow

_EMBED_BATCH = 16


class IngestInput(BaseModel):
    """A registered document."""

    model_config = ConfigDict(extra="forbid")

    document_id: UUID


class IngestState(TypedDict, total=False):
    """Counts only; texts and vectors stay out of checkpoints."""

    document_id: str
    chunks: int
    pages: int
    state: str


class IngestOutput(TypedDict):
    """What became of the document."""

    document_id: str
    chunks: int
    pages: int
    state: str


class SearchInput(BaseModel):
    """A query over collections."""

    model_config = ConfigDict(extra="forbid")

    collections: list[str] = Field(min_length=1, max_length=32)
    query: str = Field(min_length=1, max_length=2_000)
    limit: int = Field(8, ge=1, le=50)


class SearchState(TypedDict, total=False):
    """The query and what it found."""

    collections: list[str]
    query: str
    limit: int
    hits: list[dict[str, Any]]


class SearchOutput(TypedDict):
    """Passages as JSON, best first."""

    hits: list[dict[str, Any]]


class ForgetInput(BaseModel):
    """A deleted document and the collection it was in."""

    model_config = ConfigDict(extra="forbid")

    collection_id: UUID
    document_id: UUID


class ForgetState(TypedDict, total=False):
    """Ids."""

    collection_id: str
    document_id: str


def knowledge_base(job: JobContext) -> KnowledgeBase:
    """The project's knowledge with all its verbs."""
    if not isinstance(job.knowledge, KnowledgeBase):
        raise StepFailed("this step needs the platform's knowledge base; run it as a job")
    return job.knowledge


async def read(state: IngestInput) -> dict[str, Any]:
    """Parse the document and keep its text and chunks. A document that cannot be read is marked with the reason."""
    job = job_context()
    base = knowledge_base(job)
    document = await base.store.document(base.project_id, state.document_id)
    try:
        data = await job.files.read_blob(document.sha256)
        parsed = await parse(document.name, data, document.media_type, base.settings)
        chunks = chunk_document(parsed, document.id, base.settings.chunk_chars)
        await base.store.set_text(
            base.project_id,
            document.id,
            parsed.text,
            page_starts=parsed.page_starts,
            language=parsed.language,
            media_type=parsed.media_type,
        )
        await base.store.replace_chunks(base.project_id, document.id, chunks)
    except MutiraoError as error:
        problem = Problem(code=error.code, message=error.message, step="read", kind=type(error).__name__)
        await base.store.set_failed(base.project_id, document.id, problem)
        raise
    return {"document_id": str(document.id), "chunks": len(chunks), "pages": len(parsed.page_starts)}


async def embed(state: IngestState) -> dict[str, Any]:
    """Put the vectors of all chunks into Chroma; the same chunks again give the same rows."""
    job = job_context()
    base = knowledge_base(job)
    document = await base.store.document(base.project_id, UUID(state["document_id"]))
    names = await base.store.document_chunks(document.id)
    for start in range(0, len(names), _EMBED_BATCH):
        part = names[start : start + _EMBED_BATCH]
        await base.embed(document.collection_id, await base.store.chunk_texts(part))
        job.progress(start + len(part), len(names), "chunks embedded")
    return {}


async def publish(state: IngestState) -> dict[str, Any]:
    """Let the document be found; what it takes the place of is forgotten."""
    base = knowledge_base(job_context())
    document = await base.store.document(base.project_id, UUID(state["document_id"]))
    outdated = await base.store.set_ready(base.project_id, document.id)
    for name in outdated:
        await base.index.forget(document.collection_id, name)
    stands = DocumentState.SUPERSEDED if document.id in outdated else DocumentState.READY
    return {"state": stands.value}


@workflow(name="knowledge.ingest", description="Makes an uploaded document searchable.")
def ingest() -> StateGraph[Any, Any, Any, Any]:
    """read → embed → publish."""
    graph = StateGraph(IngestState, input_schema=IngestInput, output_schema=IngestOutput)
    graph.add_node("read", read)
    graph.add_node("embed", embed)
    graph.add_node("publish", publish)
    graph.add_edge(START, "read")
    graph.add_edge("read", "embed")
    graph.add_edge("embed", "publish")
    graph.add_edge("publish", END)
    return graph


@workflow(name="knowledge.search", description="Finds passages by keyword and dense retrieval, fused.")
def search() -> StateGraph[Any, Any, Any, Any]:
    """One step."""

    async def find(state: SearchInput) -> dict[str, Any]:
        found = await job_context().knowledge.search(state.collections, state.query, state.limit)
        return {"hits": [orjson.loads(orjson.dumps(asdict(passage))) for passage in found]}

    graph = StateGraph(SearchState, input_schema=SearchInput, output_schema=SearchOutput)
    graph.add_node("find", find)
    graph.add_edge(START, "find")
    graph.add_edge("find", END)
    return graph


@workflow(name="knowledge.forget", description="Removes a deleted document's vectors.")
def forget() -> StateGraph[Any, Any, Any, Any]:
    """One step."""

    async def remove(state: ForgetInput) -> dict[str, Any]:
        await knowledge_base(job_context()).index.forget(state.collection_id, state.document_id)
        return {"document_id": str(state.document_id)}

    graph = StateGraph(ForgetState, input_schema=ForgetInput, output_schema=ForgetState)
    graph.add_node("remove", remove)
    graph.add_edge(START, "remove")
    graph.add_edge("remove", END)
    return graph
