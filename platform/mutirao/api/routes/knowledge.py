"""Collections, documents and search. Parsing, embedding and searching are jobs: they run in the workers."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Path, Query, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api.downloads import Inline, download
from mutirao.api.problems import responses
from mutirao.api.routes.artifacts import opened, parts_of
from mutirao.api.routes.jobs import ended
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import JobRequest, submit
from mutirao.errors import Conflict, NoWorker
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState
from mutirao.keys import Identity
from mutirao.knowledge.media import sniff
from mutirao.knowledge.records import Chunk, Collection, Document

router = APIRouter(tags=["knowledge"])

INGEST, SEARCH, FORGET = "knowledge.ingest", "knowledge.search", "knowledge.forget"
_SEARCH_SECONDS = 30.0
_MAX_NAME_CHARS = 500

PageLimit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, lt=2**31)]
CollectionName = Annotated[str, Path(min_length=3, max_length=512, description="Name of the collection.")]


class Added(BaseModel):
    """An accepted document and the job that makes it searchable; no job when the same content is there already."""

    document: Document
    job: Job | None


class SearchRequest(BaseModel):
    """A query over collections. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    collections: list[str] = Field(min_length=1, max_length=32)
    query: str = Field(min_length=1, max_length=2_000)
    limit: int = Field(8, ge=1, le=50)


class SearchResult(BaseModel):
    """Passages, best first: document, page, character span, text, and the rank each retriever gave it."""

    hits: list[dict[str, Any]]
    job_id: UUID = Field(description="The job that searched.")


@router.get("/collections", responses=responses(401))
async def list_collections(services: HasServices, caller: Caller) -> list[Collection]:
    """Collections of the project."""
    return await services.knowledge.collections(caller.project_id)


@router.post("/collections/{collection}/documents", status_code=202, responses=responses(401, 404, 413, 422, 503, 507))
async def add_document(
    collection: CollectionName,
    services: HasServices,
    caller: Caller,
    file: Annotated[UploadFile, File(description="PDF, DOCX, HTML, Markdown, text, CSV or source code.")],
) -> Added:
    """Add a document; the collection is made when it is new.

    The same name with other content is a newer version, which takes the older one's place once it is ready.
    """
    name = (file.filename or "document")[-_MAX_NAME_CHARS:]
    sha256, size = await services.blobs.put_stream(parts_of(file), limit=services.settings.api.max_upload_bytes)
    media_type = sniff(name, await services.blobs.read(sha256))
    document, new = await services.knowledge.register(
        caller.project_id, collection, name=name, media_type=media_type, size=size, sha256=sha256
    )
    if not new:
        return Added(document=document, job=None)
    job = await _ingest(services, caller, document)
    return Added(document=document.model_copy(update={"job_id": job.id}), job=job)


async def _ingest(services: Services, caller: Identity, document: Document) -> Job:
    request = JobRequest(workflow=INGEST, input={"document_id": str(document.id)}, metadata={"document": document.name})
    job, _ = await submit(services, caller, request)
    await services.knowledge.set_job(caller.project_id, document.id, job.id)
    return job


@router.get("/collections/{collection}/documents", responses=responses(401, 404, 422))
async def list_documents(
    collection: CollectionName,
    services: HasServices,
    caller: Caller,
    limit: PageLimit = 200,
    offset: Offset = 0,
) -> list[Document]:
    """Documents of a collection by name, newest version first."""
    return await services.knowledge.documents(caller.project_id, collection, limit=limit, offset=offset)


@router.get("/documents/{document_id}", responses=responses(401, 404, 422))
async def get_document(document_id: UUID, services: HasServices, caller: Caller) -> Document:
    """One document and where it stands."""
    return await services.knowledge.document(caller.project_id, document_id)


@router.get("/documents/{document_id}/chunks", responses=responses(401, 404, 422))
async def list_chunks(
    document_id: UUID, services: HasServices, caller: Caller, limit: PageLimit = 200, offset: Offset = 0
) -> list[Chunk]:
    """What is searched of a document, in order: pieces of its text with page and character span."""
    return await services.knowledge.chunks(caller.project_id, document_id, limit=limit, offset=offset)


@router.get(
    "/documents/{document_id}/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"*/*": {}}}, **responses(401, 404, 422)},
)
async def download_document(
    document_id: UUID, services: HasServices, caller: Caller, inline: Inline = False
) -> StreamingResponse:
    """The file as it was uploaded. It is sent as a download and never rendered as a page of this origin."""
    document = await services.knowledge.document(caller.project_id, document_id)
    return await _download(services, document.sha256, document.name, document.media_type, inline=inline)


@router.get(
    "/documents/{document_id}/text",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}}}, **responses(401, 404, 409, 422)},
)
async def download_text(
    document_id: UUID, services: HasServices, caller: Caller, inline: Inline = False
) -> StreamingResponse:
    """The document's text, UTF-8, as the offsets of its citations count it."""
    document = await services.knowledge.document(caller.project_id, document_id)
    if document.text_sha256 is None:
        raise Conflict(f"document {document.name!r} has no text: it is {document.state.value}")
    text = "text/plain; charset=utf-8"
    return await _download(services, document.text_sha256, f"{document.name}.txt", text, inline=inline)


@router.delete("/documents/{document_id}", status_code=204, responses=responses(401, 404, 422))
async def delete_document(document_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete a version of a document: it is never found again from this moment on; its vectors are removed by a job."""
    collection_id = await services.knowledge.delete(caller.project_id, document_id)
    await services.audit.record(caller, "document.delete", document_id)
    forget = {"collection_id": str(collection_id), "document_id": str(document_id)}
    await submit(services, caller, JobRequest(workflow=FORGET, input=forget))
    return Response(status_code=204)


@router.post("/search", responses=responses(401, 404, 413, 422, 503))
async def search(request: SearchRequest, services: HasServices, caller: Caller) -> SearchResult:
    """Passages for a query, by keyword and dense retrieval fused. The search is a job, so it needs a live worker."""
    workflow = await services.catalogue.get(SEARCH)
    if not workflow.workers:
        raise NoWorker("no live worker can search; start one (`mutirao up`, or `python -m mutirao_workers`)")
    # A wrong name is said at once and by its name.
    await services.knowledge.collection_ids(caller.project_id, request.collections)
    job, _ = await submit(services, caller, JobRequest(workflow=SEARCH, input=request.model_dump()))
    job = await ended(services, caller.project_id, job.id, _SEARCH_SECONDS)
    if job.state is not JobState.SUCCEEDED:
        reason = job.error.message if job.error else f"it is {job.state.value} after {_SEARCH_SECONDS:g} s"
        raise NoWorker(f"the search (job {job.id}) did not succeed: {reason}", job_id=str(job.id))
    return SearchResult(hits=job.output["hits"], job_id=job.id)


async def _download(services: Services, sha256: str, name: str, media_type: str, *, inline: bool) -> StreamingResponse:
    content = await opened(services.blobs.stream(sha256))
    return download(content, name=name, media_type=media_type, sha256=sha256, inline=inline)
