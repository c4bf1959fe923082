"""The statements of the knowledge base."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

COLLECTION = text("SELECT id FROM collections WHERE project_id = :project_id AND name = :name")

ADD_COLLECTION = text("""
INSERT INTO collections (id, project_id, name) VALUES (:id, :project_id, :name)
ON CONFLICT (project_id, name) DO UPDATE SET name = excluded.name RETURNING id""")

COLLECTIONS = text("""
SELECT c.id, c.name, c.created_at,
    (SELECT count(*) FROM documents d WHERE d.collection_id = c.id AND d.state = 'ready') AS documents,
    (SELECT count(*) FROM chunks k JOIN documents d ON d.id = k.document_id
     WHERE k.collection_id = c.id AND d.state = 'ready') AS chunks
FROM collections c WHERE c.project_id = :project_id ORDER BY c.name""")

DOCUMENT = """
SELECT d.id, d.collection_id, c.name AS collection, d.name, d.version, d.media_type, d.size, d.sha256, d.state,
    d.language, d.page_starts, d.chars, d.text_sha256, d.error, d.job_id, d.created_at, d.ready_at
FROM documents d JOIN collections c ON c.id = d.collection_id
WHERE d.project_id = :project_id"""

GET_DOCUMENT = text(DOCUMENT + " AND d.id = :id")

DOCUMENTS = text(DOCUMENT + " AND c.name = :collection ORDER BY d.name, d.version DESC LIMIT :limit OFFSET :offset")

# The same content under the same name, waiting or ready: nothing to do. A failed one may be tried again.
SAME_DOCUMENT = text(
    DOCUMENT + " AND d.collection_id = :collection_id AND d.name = :name AND d.sha256 = :sha256"
    " AND d.state IN ('queued', 'ready') ORDER BY d.version DESC LIMIT 1"
)

LOCK_COLLECTION = text("SELECT 1 FROM collections WHERE id = :id FOR UPDATE")

ADD_DOCUMENT = text("""
INSERT INTO documents (id, project_id, collection_id, name, version, media_type, size, sha256, state)
SELECT :id, :project_id, :collection_id, :name, coalesce(max(version), 0) + 1, :media_type, :size, :sha256, 'queued'
FROM documents WHERE collection_id = :collection_id AND name = :name""")

SET_JOB = text("UPDATE documents SET job_id = :job_id WHERE id = :id AND project_id = :project_id")

DELETE_DOCUMENT = text("DELETE FROM documents WHERE id = :id AND project_id = :project_id RETURNING collection_id")

SET_FAILED = text("""
UPDATE documents SET state = 'failed', error = :error WHERE id = :id AND project_id = :project_id
AND state = 'queued'""").bindparams(bindparam("error", type_=JSONB))

SET_TEXT = text("""
UPDATE documents SET language = :language, page_starts = :page_starts, chars = :chars, text_sha256 = :text_sha256,
    media_type = :media_type
WHERE id = :id AND project_id = :project_id""").bindparams(bindparam("page_starts", type_=JSONB))

CLEAR_CHUNKS = text("DELETE FROM chunks WHERE document_id = :id")

# Stems of the document's language find inflected words; plain words without accents find names, codes and what is
# typed without accents.
ADD_CHUNKS = text("""
INSERT INTO chunks (id, collection_id, document_id, ordinal, page, start, "end", heading, text, words, search)
SELECT k.id, d.collection_id, d.id, k.ordinal, k.page, k.start, k."end", k.heading, k.text, k.words,
    to_tsvector(CAST(:config AS regconfig), k.heading || ' ' || k.text) || to_tsvector('simple', k.folded)
FROM documents d, jsonb_to_recordset(:chunks) AS k(id uuid, ordinal int, page int, start int, "end" int, heading text,
    text text, words int, folded text)
WHERE d.id = :id""").bindparams(bindparam("chunks", type_=JSONB))

# Ready, and every older version of the same name steps back. Returns the ids of those.
SET_READY = text("""
WITH ready AS (
    UPDATE documents SET state = 'ready', ready_at = now(), error = NULL WHERE id = :id AND project_id = :project_id
    RETURNING collection_id, name, version
)
UPDATE documents d SET state = 'superseded' FROM ready r
WHERE d.collection_id = r.collection_id AND d.name = r.name AND d.version < r.version AND d.state IN ('ready', 'queued')
RETURNING d.id""")

NEWER_READY = text("""
SELECT 1 FROM documents d JOIN documents n ON n.collection_id = d.collection_id AND n.name = d.name
WHERE d.id = :id AND n.version > d.version AND n.state = 'ready'""")

SET_SUPERSEDED = text("UPDATE documents SET state = 'superseded' WHERE id = :id AND project_id = :project_id")

CHUNK = """
SELECT k.id, k.ordinal, k.page, k.start, k."end", k.heading, k.text, k.document_id, d.name AS document_name,
    d.version AS document_version, d.sha256 AS document_sha256, d.media_type, d.language,
    coalesce(CAST(d.page_starts->>(k.page - 1) AS int), 0) AS page_start
FROM chunks k JOIN documents d ON d.id = k.document_id"""

CHUNKS_BY_ID = text(CHUNK + " WHERE k.id = ANY(:ids) AND k.collection_id = ANY(:collections) AND d.state = 'ready'")

CHUNKS_OF_DOCUMENT = text(CHUNK + " WHERE k.document_id = :id AND d.project_id = :project_id ORDER BY k.ordinal")

CHUNKS_OF_COLLECTION = text(
    CHUNK + " WHERE k.collection_id = :collection AND d.state = 'ready' AND k.id > :after ORDER BY k.id LIMIT :limit"
)

# Okapi BM25 (Robertson and Zaragoza 2009; k1 = 1.2, b = 0.75): PostgreSQL's own ranks do not know how rare a word is.
# `plain` are the query's words without accents; those that are stop words in a language are left to its stemmer.
BM25 = text("""
WITH term AS (
    SELECT DISTINCT unnest(tsvector_to_array(
        to_tsvector('english', :query) || to_tsvector('portuguese', :query))) AS word
    UNION
    SELECT word FROM unnest(CAST(:plain AS text[])) AS word
    WHERE to_tsvector('english', word) <> '' AND to_tsvector('portuguese', word) <> ''
), wanted AS (
    SELECT CAST(string_agg(quote_literal(word), ' | ') AS tsquery) AS query FROM term
), size AS (
    SELECT count(*) AS chunks, greatest(avg(words), 1) AS words FROM chunks WHERE collection_id = ANY(:collections)
), hit AS (
    SELECT k.id, k.words, u.lexeme, cardinality(u.positions) AS times
    FROM wanted w, chunks k JOIN documents d ON d.id = k.document_id AND d.state = 'ready', unnest(k.search) u
    WHERE k.collection_id = ANY(:collections) AND k.search @@ w.query AND u.lexeme IN (SELECT word FROM term)
), rarity AS (
    SELECT lexeme, ln(1 + (s.chunks - count(*) + 0.5) / (count(*) + 0.5)) AS idf FROM hit, size s
    GROUP BY lexeme, s.chunks
)
SELECT h.id, sum(r.idf * h.times * 2.2 / (h.times + 1.2 * (0.25 + 0.75 * h.words / s.words))) AS score
FROM hit h JOIN rarity r USING (lexeme), size s
GROUP BY h.id ORDER BY score DESC, h.id LIMIT :limit""")
