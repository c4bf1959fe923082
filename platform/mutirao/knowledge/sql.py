"""The statements of the knowledge base's rows. BM25 is in `mutirao.knowledge.bm25`."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

_DOCUMENT = """d.id, d.collection_id, c.name AS collection, d.name, d.version, d.media_type, d.size, d.sha256, d.state,
    d.language, d.page_starts, d.chars, d.text_sha256, d.error, d.job_id, d.created_at, d.ready_at"""

ENSURE_COLLECTION = text("""
INSERT INTO collections (id, project_id, name) VALUES (:id, :project_id, :name)
ON CONFLICT (project_id, name) DO NOTHING""")

# Two uploads of one name: the second waits, then sees the first.
LOCK_COLLECTION = text("""
SELECT id, name, created_at FROM collections WHERE project_id = :project_id AND name = :name FOR UPDATE""")

COLLECTIONS = text("""
SELECT c.id, c.name, c.created_at, count(DISTINCT d.id) AS documents, count(k.id) AS chunks
FROM collections c
LEFT JOIN documents d ON d.collection_id = c.id AND d.state = 'ready'
LEFT JOIN chunks k ON k.document_id = d.id
WHERE c.project_id = :project_id
GROUP BY c.id ORDER BY c.name""")

COLLECTION_NAMES = text("SELECT id, name FROM collections WHERE project_id = :project_id ORDER BY name")

HAS_COLLECTION = text("SELECT EXISTS (SELECT FROM collections WHERE project_id = :project_id AND name = :name)")

DELETE_COLLECTION = text("DELETE FROM collections WHERE project_id = :project_id AND name = :name RETURNING id")

# The newest version that is not lost, and whether no live job is busy with it.
NEWEST = text(f"""
SELECT {_DOCUMENT}, d.state = 'queued' AND (j.id IS NULL OR j.state NOT IN ('queued', 'running')) AS needs_job
FROM documents d JOIN collections c ON c.id = d.collection_id LEFT JOIN jobs j ON j.id = d.job_id
WHERE d.collection_id = :collection_id AND d.name = :name AND d.state IN ('queued', 'ready')
ORDER BY d.version DESC LIMIT 1""")

ADD_DOCUMENT = text(f"""
WITH d AS (
    INSERT INTO documents (id, project_id, collection_id, name, version, media_type, size, sha256, state)
    SELECT :id, :project_id, :collection_id, :name, coalesce(max(version), 0) + 1, :media_type, :size, :sha256, 'queued'
    FROM documents WHERE collection_id = :collection_id AND name = :name
    RETURNING *
)
SELECT {_DOCUMENT} FROM d JOIN collections c ON c.id = d.collection_id""")

SET_JOB = text("UPDATE documents SET job_id = :job_id WHERE id = :id AND project_id = :project_id")

GET_DOCUMENT = text(f"""
SELECT {_DOCUMENT} FROM documents d JOIN collections c ON c.id = d.collection_id
WHERE d.id = :id AND d.project_id = :project_id""")

DOCUMENTS = text(f"""
SELECT {_DOCUMENT} FROM documents d JOIN collections c ON c.id = d.collection_id
WHERE d.collection_id = :collection_id ORDER BY d.name, d.version DESC LIMIT :limit OFFSET :offset""")

DELETE_DOCUMENT = text("DELETE FROM documents WHERE id = :id AND project_id = :project_id RETURNING collection_id")

SET_TEXT = text("""
UPDATE documents
SET text_sha256 = :text_sha256, page_starts = :page_starts, chars = :chars, language = :language,
    media_type = :media_type
WHERE id = :id AND project_id = :project_id""").bindparams(bindparam("page_starts", type_=JSONB))

DROP_CHUNKS = text("DELETE FROM chunks WHERE document_id = :document_id")

# A document that is deleted while it is ingested gets no chunks.
LOCK_DOCUMENT = text("SELECT collection_id FROM documents WHERE id = :id AND project_id = :project_id FOR UPDATE")

ADD_CHUNK = text("""
INSERT INTO chunks (id, collection_id, document_id, ordinal, page, start, "end", heading, text, words, search)
VALUES (:id, :collection_id, :document_id, :ordinal, :page, :start, :end, :heading, :text, :words,
        CAST(:search AS tsvector))""")

# One after the other, whatever the order in which versions become ready.
VERSIONS = text("""
SELECT v.id, v.version, v.state FROM documents d
JOIN documents v ON v.collection_id = d.collection_id AND v.name = d.name
WHERE d.id = :id AND d.project_id = :project_id ORDER BY v.version FOR UPDATE OF v""")

SET_READY = text("""
UPDATE documents SET state = 'ready', error = NULL, ready_at = coalesce(ready_at, now()) WHERE id = :id""")

SET_SUPERSEDED = text("UPDATE documents SET state = 'superseded', error = NULL WHERE id = ANY(:ids)")

# A document that was ready stays ready when a later try to ingest it again fails.
SET_FAILED = text("""
UPDATE documents SET state = 'failed', error = :error
WHERE id = :id AND project_id = :project_id AND state IN ('queued', 'failed')""").bindparams(
    bindparam("error", type_=JSONB)
)

READY_CHUNKS = text("""
SELECT k.id FROM chunks k JOIN documents d ON d.id = k.document_id
WHERE k.collection_id = :collection_id AND d.state = 'ready'""")

COUNT_READY_CHUNKS = text("""
SELECT count(*) FROM chunks k JOIN documents d ON d.id = k.document_id
WHERE k.collection_id = :collection_id AND d.state = 'ready'""")

# Chunks whose vectors may be in the index: those of documents that are searchable, or about to be.
LIVE_CHUNKS = text("""
SELECT k.id FROM chunks k JOIN documents d ON d.id = k.document_id
WHERE k.id = ANY(:ids) AND d.state <> 'superseded'""")

CHUNK_TEXTS = text("""
SELECT id, document_id, heading, text FROM chunks WHERE id = ANY(:ids) ORDER BY document_id, ordinal""")

DOCUMENT_CHUNKS = text("SELECT id FROM chunks WHERE document_id = :document_id ORDER BY ordinal")

CHUNKS = text("""
SELECT k.id, k.ordinal, k.page, k.start, k."end", k.heading, k.text FROM chunks k JOIN documents d ON d.id = k.document_id
WHERE k.document_id = :document_id AND d.project_id = :project_id ORDER BY k.ordinal LIMIT :limit OFFSET :offset""")

FOUND_CHUNKS = text("""
SELECT k.id, k.document_id, d.name AS document_name, d.version AS document_version, d.sha256 AS document_sha256,
    d.media_type, d.language, k.page, CAST(d.page_starts ->> (k.page - 1) AS int) AS page_start, k.start, k."end",
    k.heading, k.text
FROM chunks k JOIN documents d ON d.id = k.document_id
WHERE k.id = ANY(:ids) AND d.project_id = :project_id AND d.state = 'ready'""")
