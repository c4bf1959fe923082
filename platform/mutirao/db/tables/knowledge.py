"""Files, collections, documents and chunks."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR, UUID

from mutirao.db.tables.columns import json, metadata, one_of, time
from mutirao.jobs.states import DocumentState

# An uploaded file that a job may take as input, before any job exists.
uploads = Table(
    "uploads",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    time("created_at", now=True),
)

collections = Table(
    "collections",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    time("created_at", now=True),
    UniqueConstraint("project_id", "name"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("collection_id", UUID, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("language", Text),
    # Offset in characters at which each page's text starts; one entry for a document without pages.
    json("page_starts", "[]"),
    Column("chars", Integer, nullable=False, server_default="0"),
    Column("text_sha256", Text),
    json("error", None),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="SET NULL"), index=True),
    time("created_at", now=True),
    time("ready_at"),
    one_of("state", DocumentState),
    UniqueConstraint("collection_id", "name", "version"),
    Index("ix_documents_collection_sha256", "collection_id", "sha256"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("collection_id", UUID, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", UUID, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    # Character span in the document's text.
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("heading", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("words", Integer, nullable=False),
    Column("search", TSVECTOR, nullable=False),
    Index("ix_chunks_search", "search", postgresql_using="gin"),
    Index("ix_chunks_collection_id", "collection_id"),
    UniqueConstraint("document_id", "ordinal"),
)
