"""The built-in workflows of the knowledge base: ingest, search, forget, reindex. Coroutines only: they share a loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Protocol
from uuid import UUID

import orjson
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy
from mutirao.errors import LeaseLost, StepFailed, Unavailable
from mutirao.jobs.records import Problem
from mutirao.jobs.states import DocumentState
from mutirao.knowledge.records import Document, NewChunk
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.context import job_context
from mutirao_agents.knowledge.chunks import chunk_document
from mutirao_agents.knowledge.parse import parse, parsed
from mutirao_agents.knowledge.retrieve import KnowledgeBase
from mutirao_agents.workflows import workflow

_AGAIN = RetryPolicy(initial_interval=0.5, backoff_factor=3, max_attempts=3, retry_on=Unavailable)
Graph = StateGraph[Any, Any, Any, Any]
Step = Callable[[KnowledgeBase, Document], Awaitable[dict[str, Any]]]


class IngestInput(BaseModel):
    """A registered document."""

    model_config = ConfigDict(extra="forbid")

    document_id: UUID


class IngestOutput(TypedDict, total=False):
    """What became of the document; also the state between steps: texts and vectors stay out of checkpoints."""

    document_id: str
    pages: int
    chunks: int
    state: str


class IngestNode(Protocol):
    """A node of the ingest graph."""

    def __call__(self, state: IngestOutput) -> Awaitable[dict[str, Any]]:
        """What it changes in the state."""


class SearchInput(BaseModel):
    """A query over collections."""

    model_config = ConfigDict(extra="forbid")

    collections: list[str] = Field(min_length=1, max_length=32)
    query: str = Field(min_length=1, max_length=2_000)
    limit: int = Field(8, ge=1, le=50)


class SearchOutput(TypedDict):
    """`mutirao_agents.context.Passage` as JSON, best first."""

    hits: list[dict[str, Any]]


class SearchState(SearchOutput, total=False):
    """The query and what it found."""

    collections: list[str]
    query: str
    limit: int


class ForgetInput(BaseModel):
    """A deleted document and the collection it was in."""

    model_config = ConfigDict(extra="forbid")

    collection_id: UUID
    document_id: UUID


class ForgetOutput(TypedDict, total=False):
    """Whether the vectors are gone; they stay while the document exists."""

    collection_id: str
    document_id: str
    forgotten: bool


class ReindexInput(BaseModel):
    """The name of a collection."""

    model_config = ConfigDict(extra="forbid")

    collection: str


class ReindexOutput(TypedDict, total=False):
    """How many vectors were made."""

    collection: str
    chunks: int


def knowledge_base() -> KnowledgeBase:
    """The running job's knowledge with all its verbs."""
    base = job_context().knowledge
    if not isinstance(base, KnowledgeBase):
        raise StepFailed("this step needs the platform's knowledge base; run it as a job of a worker")
    return base


async def parse_step(base: KnowledgeBase, document: Document) -> dict[str, Any]:
    """Take the text out and keep it. What cannot be read fails the document."""
    data = await base.store.blobs.read(document.sha256)
    async with base.readers:
        found = await parse(document.name, data, document.media_type, base.settings)
    await base.store.set_text(
        base.project_id,
        document.id,
        found.text,
        page_starts=found.page_starts,
        language=found.language,
        media_type=found.media_type,
    )
    return {"document_id": str(document.id), "pages": len(found.page_starts)}


async def chunk_step(base: KnowledgeBase, document: Document) -> dict[str, Any]:
    """Cut the text into chunks and keep them; the same document always gives the same rows."""
    text = await base.text(document.id)
    chunks = await chunked(text, document, base.settings.chunk_chars)
    await base.store.replace_chunks(base.project_id, document.id, chunks)
    return {"chunks": len(chunks)}


async def chunked(text: str, document: Document, chars: int) -> list[NewChunk]:
    """The chunks of a parsed document, made in a thread."""
    found = await asyncio.to_thread(parsed, text, document.page_starts, document.media_type)
    return await asyncio.to_thread(chunk_document, found, document.id, chars)


async def embed_step(base: KnowledgeBase, document: Document) -> dict[str, Any]:
    """Make vectors of the chunks and put them into Chroma; those that are there already are not made again."""
    job = job_context()
    chunks = await base.store.document_chunks(document.id)
    await base.index.add(
        document.collection_id, document.id, chunks, lambda done, total: job.progress(done, total, "chunks embedded")
    )
    return {}


async def index_step(base: KnowledgeBase, document: Document) -> dict[str, Any]:
    """Make sure that every chunk has its vector before the document can be found."""
    chunks = await base.store.document_chunks(document.id)
    lacking = await base.index.lacking(document.collection_id, document.id, chunks)
    if lacking:
        await base.index.add(document.collection_id, document.id, chunks, lambda done, total: None)
    return {}


async def ready_step(base: KnowledgeBase, document: Document) -> dict[str, Any]:
    """Let the document be found; what it takes the place of is taken out of Chroma."""
    superseded = await base.store.set_ready(base.project_id, document.id)
    for older in superseded:
        await base.index.forget(document.collection_id, older)
    state = DocumentState.SUPERSEDED if document.id in superseded else DocumentState.READY
    return {"state": state.value}


def _step(name: str, work: Step) -> IngestNode:
    """A step on the document: what it raises is kept with the document as well."""

    async def run(state: IngestOutput) -> dict[str, Any]:
        base = knowledge_base()
        document = await base.store.document(base.project_id, UUID(str(state["document_id"])))
        if document.state is DocumentState.SUPERSEDED:
            return {"document_id": str(document.id), "state": document.state.value}
        try:
            return await work(base, document)
        except LeaseLost:
            raise
        except Exception as error:
            code, message = getattr(error, "code", StepFailed.code), str(error) or type(error).__name__
            problem = Problem(code=code, message=message, step=name, kind=type(error).__name__)
            await base.store.set_failed(base.project_id, document.id, problem)
            raise

    return run


@workflow(name="knowledge.ingest", description="Makes an uploaded document searchable.")
def ingest() -> Graph:
    """parse → chunk → embed → index → ready."""
    graph: Graph = StateGraph(IngestOutput, input_schema=IngestInput, output_schema=IngestOutput)
    steps: dict[str, Step] = {
        "parse": parse_step, "chunk": chunk_step, "embed": embed_step, "index": index_step, "ready": ready_step,
    }  # fmt: skip
    before = START
    for name, work in steps.items():
        graph.add_node(name, _step(name, work), retry_policy=_AGAIN)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


@workflow(name="knowledge.search", description="Finds passages by keyword and dense retrieval, fused.")
def search() -> Graph:
    """One step."""

    async def find(state: SearchInput) -> dict[str, Any]:
        found = await job_context().knowledge.search(state.collections, state.query, state.limit)
        return {"hits": [orjson.loads(orjson.dumps(asdict(passage))) for passage in found]}

    graph: Graph = StateGraph(SearchState, input_schema=SearchInput, output_schema=SearchOutput)
    graph.add_node("find", find)
    graph.add_edge(START, "find")
    graph.add_edge("find", END)
    return graph


@workflow(name="knowledge.forget", description="Removes a deleted document's vectors.")
def forget() -> Graph:
    """One step."""

    async def remove(state: ForgetInput) -> dict[str, Any]:
        base = knowledge_base()
        # Only what no longer exists may go: the collection may be another project's.
        alive = bool(await base.store.document_chunks(state.document_id))
        if not alive:
            await base.index.forget(state.collection_id, state.document_id)
        return {"document_id": str(state.document_id), "forgotten": not alive}

    graph: Graph = StateGraph(ForgetOutput, input_schema=ForgetInput, output_schema=ForgetOutput)
    graph.add_node("remove", remove, retry_policy=_AGAIN)
    graph.add_edge(START, "remove")
    graph.add_edge("remove", END)
    return graph


@workflow(name="knowledge.reindex", description="Makes all vectors of a collection anew.")
def reindex() -> Graph:
    """One step."""

    async def rebuild(state: ReindexInput) -> dict[str, Any]:
        return {"chunks": await knowledge_base().reindex(state.collection)}

    graph: Graph = StateGraph(ReindexOutput, input_schema=ReindexInput, output_schema=ReindexOutput)
    graph.add_node("rebuild", rebuild, retry_policy=_AGAIN)
    graph.add_edge(START, "rebuild")
    graph.add_edge("rebuild", END)
    return graph
