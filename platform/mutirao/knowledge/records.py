"""Collections, documents and chunks as records: frozen, as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Problem, Record
from mutirao.jobs.states import DocumentState


class Collection(Record):
    """A named set of documents of one project."""

    id: UUID
    name: str
    documents: int = Field(0, description="Documents that are ready.")
    chunks: int = Field(0, description="Chunks of the documents that are ready.")
    created_at: datetime


class Document(Record):
    """One version of a document. Its offsets count characters of its text."""

    id: UUID
    collection_id: UUID
    collection: str = Field(description="Name of its collection.")
    name: str
    version: int = Field(description="Counts from 1 for each name of a collection.")
    media_type: str = Field(description="With `charset=` where a text file is not UTF-8.")
    size: int = Field(description="Bytes of the file.")
    sha256: str = Field(description="Of the file as it was uploaded.")
    state: DocumentState
    language: str | None = Field(None, description="`en`, `pt`, or null when it is neither.")
    page_starts: list[int] = Field(description="Offset at which each page's text starts; one for a file without pages.")
    chars: int = Field(description="Length of its text.")
    text_sha256: str | None = Field(None, description="Of its text in UTF-8, a blob of the artifact store.")
    error: Problem | None = None
    job_id: UUID | None = Field(None, description="The job that ingests it.")
    created_at: datetime
    ready_at: datetime | None = None


class NewChunk(Record):
    """A chunk that is not stored yet: `text` is the document's text from `start` to `end`; `page` counts from 1."""

    id: UUID
    ordinal: int
    page: int
    start: int
    end: int
    heading: str = ""
    text: str


class FoundChunk(Record):
    """A stored chunk with what a citation needs to know of its document."""

    id: UUID
    document_id: UUID
    document_name: str
    document_version: int
    document_sha256: str
    media_type: str
    language: str | None
    page: int
    page_start: int = Field(description="Offset of its page's text.")
    start: int
    end: int
    heading: str
    text: str


class Chunk(Record):
    """A stored chunk: `text` is the document's text from `start` to `end`; pages count from 1."""

    id: UUID
    ordinal: int = Field(description="Its place in the document, from 0.")
    page: int
    start: int
    end: int
    heading: str
    text: str


class ChunkText(Record):
    """What an embedding is made of."""

    id: UUID
    document_id: UUID
    heading: str
    text: str
