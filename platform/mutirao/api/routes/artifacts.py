"""Artifacts of jobs, and uploads that jobs take as input."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import StreamingResponse

from mutirao.api.downloads import Inline, download
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.jobs.records import Artifact
from mutirao.uploads import Upload

router = APIRouter(tags=["artifacts"])
_PART_BYTES = 1 << 20


async def parts_of(file: UploadFile) -> AsyncIterator[bytes]:
    """An uploaded file in parts of at most 1 MiB."""
    while part := await file.read(_PART_BYTES):
        yield part


async def opened(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same parts, once the first is read: a blob that is gone is then a 404 and not a broken download."""
    first = await anext(parts, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return whole()


@router.get("/jobs/{job_id}/artifacts", responses=responses(401, 404, 422))
async def list_artifacts(job_id: UUID, services: HasServices, caller: Caller) -> list[Artifact]:
    """Files the job has produced so far."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.jobs.artifacts(caller.project_id, job_id)


@router.get(
    "/jobs/{job_id}/artifacts/{name:path}",
    response_class=StreamingResponse,
    responses={200: {"content": {"*/*": {}}}, **responses(401, 404, 422)},
)
async def download_artifact(
    job_id: UUID, name: str, services: HasServices, caller: Caller, inline: Inline = False
) -> StreamingResponse:
    """The content of an artifact. It is sent as a download and never rendered as a page of this origin."""
    await services.jobs.get(caller.project_id, job_id)
    artifact = await services.jobs.artifact(caller.project_id, job_id, name)
    content = await opened(services.blobs.stream(artifact.sha256))
    return download(
        content,
        name=artifact.name,
        media_type=artifact.media_type,
        sha256=artifact.sha256,
        size=artifact.size,
        inline=inline,
    )


@router.post("/uploads", status_code=201, responses=responses(401, 413, 422, 507))
async def upload_file(
    services: HasServices, caller: Caller, file: Annotated[UploadFile, File(description="The file.")]
) -> Upload:
    """Store a file that a job will take as input, by its id."""
    sha256, size = await services.blobs.put_stream(parts_of(file), limit=services.settings.api.max_upload_bytes)
    return await services.uploads.add(
        caller.project_id,
        name=file.filename or "upload",
        media_type=file.content_type or "application/octet-stream",
        size=size,
        sha256=sha256,
    )
