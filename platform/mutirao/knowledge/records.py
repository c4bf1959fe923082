"""Collections, documents and chunks as records."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Problem, Record
from mutirao.jobs.states import DocumentState


class Collection(Record):
    """Documents that are searched together."""

    id: UUID
    name: str
    documents: int = Field(0, description="Documents that are ready.")
    chunks: int = 0
    created_at: datetime


class Document(Record):
    """A version of a document in a collection. Its offsets count characters of its text."""

    id: UUID
    collection_id: UUID
    collection: str
    name: str
    version: int
    media_type: str
    size: int = Field(description="Bytes of the file.")
    sha256: str = Field(description="Of the file.")
    state: DocumentState
    language: str | None = None
    page_starts: list[int] = Field(description="Offset at which each page's text starts.")
    chars: int = Field(description="Length of its text.")
    text_sha256: str | None = Field(None, description="Blob of its text, UTF-8.")
    error: Problem | None = None
    job_id: UUID | None = Field(None, description="The job that ingests it.")
    created_at: datetime
    ready_at: datetime | None = None


class NewChunk(Record):
    """A chunk before it is stored: `text == document_text[start:end]`; `page` counts from 1."""

    id: UUID
    ordinal: int
    page: int
    start: int
    end: int
    heading: str
    text: str


class Chunk(NewChunk):
    """A stored chunk with what a citation says of its document."""

    document_id: UUID
    document_name: str
    document_version: int
    document_sha256: str
    media_type: str
    language: str | None
    page_start: int = Field(description="Offset of its page's text.")
    score: float = 0.0
