"""Collections, documents, and what is found in them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Job, Problem, Record
from mutirao.jobs.states import DocumentState


class Collection(Record):
    """A named set of documents."""

    id: UUID
    name: str
    documents: int = Field(0, description="Documents that are ready.")
    chunks: int = Field(0, description="Chunks of the documents that are ready.")
    created_at: datetime


class Document(Record):
    """One version of a document in a collection."""

    id: UUID
    collection_id: UUID
    collection: str = Field(description="Name of its collection.")
    name: str
    version: int = Field(description="Counts from 1 for each name of a collection.")
    media_type: str = Field(description="With `charset=` where a text file is not UTF-8.")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the file as it was sent.")
    state: DocumentState
    language: str | None = None
    page_starts: list[int] = Field(default=[], description="Offset of each page's text; empty before it is parsed.")
    chars: int = Field(0, description="Characters of its text.")
    text_sha256: str | None = None
    error: Problem | None = None
    job_id: UUID | None = Field(None, description="The job that takes its text in.")
    created_at: datetime
    ready_at: datetime | None = None


class Chunk(Record):
    """A piece of a document that is searched: `document_text[start:end] == text`; pages count from 1."""

    id: UUID
    ordinal: int
    page: int
    start: int
    end: int
    heading: str
    text: str


class AddedDocument(Record):
    """A document that was sent, and the job that takes it in; None when the same content is there already."""

    document: Document
    job: Job | None = None


class Sample(Record):
    """A document that ships with the platform."""

    name: str
    language: str
    size: int = Field(description="Bytes of its text, UTF-8.")


class Samples(Record):
    """What the demo does: puts these documents into the collection and submits the workflow with the input."""

    collection: str
    workflow: str
    input: dict[str, Any]
    documents: list[Sample]


class HitDocument(Record):
    """The document a hit stands in."""

    id: UUID
    name: str
    version: int
    sha256: str
    media_type: str
    language: str | None = None


class Hit(Record):
    """A passage that was found: `document_text[start:end] == text`; pages count from 1."""

    chunk_id: UUID
    document: HitDocument
    page: int
    page_start: int = Field(description="Offset of the page's text.")
    start: int
    end: int
    heading: str
    text: str
    score: float
    keyword_rank: int | None = None
    dense_rank: int | None = None


class SearchResult(Record):
    """Passages, best first."""

    hits: list[Hit]
    job_id: UUID = Field(description="The job that searched.")
