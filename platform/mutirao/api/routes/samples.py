"""The sample documents that ship with the platform, and what the demo asks of them: for a page that runs it."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from mutirao import samples
from mutirao.api.problems import responses
from mutirao.api.services import Caller
from mutirao.errors import NotFound

router = APIRouter(prefix="/samples", tags=["knowledge"])


class Sample(BaseModel):
    """A sample document."""

    name: str = Field(description="Of the file; unique.")
    language: str = Field(description="`en` or `pt`.")
    size: int = Field(description="Bytes of its text, UTF-8.")


class Samples(BaseModel):
    """What `mutirao demo` does: puts these documents into the collection and submits the workflow with the input."""

    collection: str
    workflow: str
    input: dict[str, str | list[str]]
    documents: list[Sample]


@router.get("", responses=responses(401))
async def list_samples(caller: Caller) -> Samples:
    """The sample documents, and what the demo asks of them."""
    return Samples(
        collection=samples.DEMO_COLLECTION,
        workflow=samples.DEMO_WORKFLOW,
        input={"topic": samples.DEMO_TOPIC, "collections": [samples.DEMO_COLLECTION]},
        documents=[
            Sample(name=path.name, language=path.parent.name, size=path.stat().st_size)
            for path in samples.sample_documents()
        ],
    )


@router.get(
    "/{name}",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}}, **responses(401, 404, 422)},
)
async def get_sample(name: str, caller: Caller) -> PlainTextResponse:
    """The text of a sample document."""
    for path in samples.sample_documents():
        if path.name == name:
            return PlainTextResponse(path.read_text(encoding="utf-8"), headers={"X-Content-Type-Options": "nosniff"})
    raise NotFound(f"no sample document {name!r}; `GET /samples` has their names")
