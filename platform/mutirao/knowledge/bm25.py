"""Keyword search: BM25 over PostgreSQL's tsvectors.

`ts_rank` knows no document frequency, so the score is computed here: a word of the query is the set of its spellings
and stems; its frequency in a chunk is the number of positions where any of them stands.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.knowledge.terms import STEMMED, fold, language_of, lexemes, quoted, with_tilde, words

K1 = 1.2
B = 0.75
MAX_QUERY_WORDS = 48
_MAX_QUERY_CHARS = 8_000

# Both stemmers for every text: detection may err, a text may hold both, and a query says too little to tell.
# The Portuguese stemmer wants accents, people leave them out: stem the word as it stands, and folded but for -ção.
_STEMS = text("""
SELECT word, ts_lexize('english_stem', word) AS en, ts_lexize('portuguese_stem', word) AS pt,
       ts_lexize('portuguese_stem', folded) AS pt_folded
FROM unnest(CAST(:words AS text[]), CAST(:folded AS text[])) AS w(word, folded)""")

# The chunks that hold any word come from ix_chunks_search; every other number is read off them.
_BM25 = text("""
WITH query AS (
    SELECT * FROM unnest(CAST(:lexemes AS text[]), CAST(:words AS int[])) AS q(lexeme, word)
), live AS (
    SELECT c.id, c.words, c.search FROM chunks c JOIN documents d ON d.id = c.document_id
    WHERE c.collection_id = ANY(:collections) AND d.state = 'ready'
), size AS (
    SELECT count(*) AS chunks, greatest(avg(words), 1) AS words FROM live
), hit AS (
    SELECT live.id, live.words, query.word, count(DISTINCT place) AS frequency
    FROM live, unnest(live.search) AS found, query, unnest(found.positions) AS place
    WHERE live.search @@ CAST(:any_word AS tsquery) AND found.lexeme = query.lexeme
    GROUP BY live.id, live.words, query.word
), rarity AS (
    SELECT word, ln(1 + (size.chunks - count(*) + 0.5) / (count(*) + 0.5)) AS idf
    FROM hit, size GROUP BY word, size.chunks
)
SELECT hit.id, sum(idf * frequency * (:k1 + 1) / (frequency + :k1 * (1 - :b + :b * hit.words / size.words))) AS score
FROM hit JOIN rarity USING (word), size
GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT :limit""")


class Hit(NamedTuple):
    """A chunk found, with its BM25 score."""

    chunk_id: UUID
    score: float


class Stems(NamedTuple):
    """The stems of some words, and which of them are stop words of which language."""

    of: dict[str, tuple[str, ...]]
    stop: dict[str, frozenset[str]]


async def stems(connection: AsyncConnection, forms: Iterable[str]) -> Stems:
    """Stem words with PostgreSQL's stemmers of English and Portuguese."""
    asked = sorted(set(forms))
    found: dict[str, tuple[str, ...]] = {}
    stop: dict[str, frozenset[str]] = {}
    rows = await connection.execute(_STEMS, {"words": asked, "folded": [with_tilde(fold(form)) for form in asked]})
    for row in rows:
        found[row.word] = tuple(dict.fromkeys([*(row.en or []), *(row.pt or []), *(row.pt_folded or [])]))
        # A stemmer answers a stop word with nothing at all.
        languages = {"en"} if row.en == [] else set()
        stop[row.word] = frozenset(languages | ({"pt"} if [] in (row.pt, row.pt_folded) else set()))
    return Stems(found, stop)


async def search(connection: AsyncConnection, collections: Sequence[UUID], query: str, limit: int) -> list[Hit]:
    """The chunks of ready documents that score best, best first; none when the query has no word of theirs."""
    asked = list(words(query[:_MAX_QUERY_CHARS]))
    known = await stems(connection, (form for word in asked for form in word.forms))
    groups = _groups([word.forms for word in asked], known, language_of(query))
    if not groups:
        return []
    pairs = sorted((lexeme, number) for number, group in enumerate(groups) for lexeme in group)
    values = {
        "lexemes": [lexeme for lexeme, _ in pairs],
        "words": [number for _, number in pairs],
        "any_word": " | ".join(sorted({quoted(lexeme) for lexeme, _ in pairs})),
        "collections": list(collections),
        "k1": K1,
        "b": B,
        "limit": limit,
    }
    return [Hit(row.id, float(row.score)) for row in await connection.execute(_BM25, values)]


def _groups(asked: Sequence[tuple[str, ...]], known: Stems, language: str | None) -> list[frozenset[str]]:
    """The lexemes of each different word of a query, without stop words unless there is nothing else."""
    languages = {language} if language else set(STEMMED)
    telling = [forms for forms in asked if not known.stop.get(forms[0], frozenset()) & languages]
    groups = dict.fromkeys(
        frozenset(lexeme for form in forms for lexeme in lexemes(form, known.of)) for forms in telling or asked
    )
    return [group for group in groups if group][:MAX_QUERY_WORDS]
