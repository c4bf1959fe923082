"""Evidence: sentences of documents, word for word, with the place they stand at."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import cast
from uuid import UUID

from mutirao.knowledge.media import PDF
from typing_extensions import TypedDict

from mutirao_agents.context import Passage
from mutirao_agents.knowledge.blocks import BlockKind, layout_of
from mutirao_agents.knowledge.sentences import Sentence, sentences
from mutirao_agents.text.display import shown
from mutirao_agents.text.language import detect, words
from mutirao_agents.text.numbers import written

MIN_WORDS = 6
MIN_CHARS = 35
MAX_CHARS = 420
SAME_WORDS = 0.9  # share of common words from which two quotes with the same numbers say the same thing


class Evidence(TypedDict):
    """A quote that a report may cite: `document_text[start:end] == quote`. Plain data, for checkpoints.

    `page` counts from 1 and `page_start` is the offset of its text; for PDFs, offsets minus `page_start` are offsets in
    the page's text. `question` is the question it answers, `score` how well (for ranking only).
    """

    id: str
    document_id: str
    document_name: str
    document_sha256: str
    version: int
    media_type: str
    language: str | None
    page: int
    page_start: int
    start: int
    end: int
    quote: str
    heading: str
    section: str
    question: str
    score: float


_POINTING_BACK = (
    "it its they them their he him his she her this these those that such here there both neither either so thus "
    "therefore hence however instead otherwise nevertheless moreover furthermore also then but and or yet meanwhile "
    "similarly likewise afterwards ele ela eles elas isso isto aquilo este esta estes estas esse essa esses essas "
    "aquele aquela aqueles aquelas seu sua seus suas ambos ambas nela nele neles nelas dela dele delas deles nesse "
    "nessa neste nesta disso disto daí assim porém contudo entretanto todavia portanto logo mas e ou também além "
    "depois então"
)
_CONTEXT_NEEDED = frozenset(_POINTING_BACK.split())
_PART_OF_THEM = re.compile(
    r"\W*[^\W\d_]+(?:-[^\W\d_]+)? (?:of (?:them|these|those)|del[ae]s)\b|"
    r"\W*(?:one|two|three|four|five|six|seven|eight|nine|ten|some|others|most|none|all) "
    r"(?:did|do|was|were|is|are|had|has|have|could|can|will|would)\b",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"all rights reserved|todos os direitos reservados|copyright|©|\bcookies?\b|table of contents|public domain|"
    r"domínio público|\bCC0\b|click here|clique aqui|"
    r"^(?:version date|data da versão|versão consolidada|last updated|updated|atualizado)\b|"
    r"^(?:collected|compiled|written|prepared|edited|approved|reunido|elaborado|escrito|editado|aprovado) (?:by|por|pel[ao])\b",
    re.IGNORECASE,
)
_ORDERS_A_READER = re.compile(
    r"\b(?:ignore|disregard|forget|override|ignor[ea]|desconsider[ea]|esqueça)\b.{0,40}"
    r"\b(?:instruction|prompt|previous|instruç|instruco|comando|anterior)|"
    r"\byou are now (?:a|an|the|in)\b|\bvocê agora é\b|\bas an ai\b|\b(?:system|assistant) ?:|"
    r"\bdo not cite\b|\bnão cite\b|"
    r"\b(?:language model|modelo de linguagem|chatbot)\b",
    re.IGNORECASE | re.DOTALL,
)
_LETTER = re.compile(r"[^\W\d_]")


def needs_context(text: str) -> bool:
    """Whether a sentence points at the sentence before it, by its first words: *it*, *however*, *two of them*."""
    found = words(text[:40])
    return bool(found) and (found[0] in _CONTEXT_NEEDED or _PART_OF_THEM.match(text) is not None)


def orders_its_reader(text: str) -> bool:
    """Whether a text tries to instruct whoever reads it: nothing that a report could state as a fact."""
    return _ORDERS_A_READER.search(text) is not None


def quotable(quote: str, heading: str = "") -> bool:
    """Whether a quote can stand alone in a report: a sentence, neither heading, crumb of a list nor boilerplate."""
    if len(quote) > MAX_CHARS:
        return False
    text = shown(quote)
    if len(text) < MIN_CHARS or len(words(text)) < MIN_WORDS:
        return False
    if quote.lstrip().startswith(("#", "```", "<", "~~~")) or text.rstrip().endswith(("?", ":", ",", ";", "-", "…")):
        return False
    if heading and text.rstrip(".").casefold() == shown(heading).rstrip(".").casefold():
        return False
    if _broken(text) or _BOILERPLATE.search(text) or orders_its_reader(text):
        return False
    return not _row_of_numbers(quote)


def quotes(passage: Passage) -> list[tuple[int, int]]:
    """Spans of a passage that can be quoted, relative to its text: sentences of paragraphs and list items.

    A sentence that needs the one before it comes together with it, or not at all. A paragraph that gives orders to its
    reader is left out whole: after "ignore your instructions" the next sentence says what to say instead.
    """
    text = passage.text
    found = [*sentences(text, layout=layout_of(passage.document.media_type))]
    orders = _paragraphs_with_orders(text)
    spans: list[tuple[int, int]] = []
    for place, here in enumerate(found):
        if here.kind not in (BlockKind.PARAGRAPH, BlockKind.ITEM) or here.end - here.start > MAX_CHARS:
            continue
        begin = here.start
        if needs_context(shown(text[here.start : here.end])):
            begin = _with_sentence_before(text, found, place)
        hostile = any(first < here.end and begin < last for first, last in orders)
        if begin >= 0 and not hostile and quotable(text[begin : here.end], passage.heading):
            spans.append((begin, here.end))
    return spans


def _with_sentence_before(text: str, found: Sequence[Sentence], place: int) -> int:
    """Where the sentence before begins; -1 when it cannot help."""
    if place == 0:
        return -1
    before, here = found[place - 1], found[place]
    apart = "\n\n" in text[before.end : here.start] or before.kind is not here.kind
    ended = text[: before.end].rstrip('"”’)*_').endswith((".", "!"))
    return -1 if apart or not ended or needs_context(shown(text[before.start : before.end])) else before.start


def _paragraphs_with_orders(text: str) -> list[tuple[int, int]]:
    bounds = [0, *(match.end() for match in re.finditer(r"\n\s*\n", text)), len(text)]
    return [(first, last) for first, last in pairwise(bounds) if orders_its_reader(text[first:last])]


def evidence(passage: Passage, start: int, end: int, *, section: str, question: str, score: float) -> Evidence:
    """A span of a passage as evidence, still without a number."""
    quote = passage.text[start:end]
    document = passage.document
    return Evidence(
        id="",
        document_id=str(document.id),
        document_name=document.name,
        document_sha256=document.sha256,
        version=document.version,
        media_type=document.media_type,
        language=detect(quote) or document.language,
        page=passage.page,
        page_start=passage.page_start,
        start=passage.start + start,
        end=passage.start + end,
        quote=quote,
        heading=passage.heading,
        section=section,
        question=question,
        score=round(score, 4),
    )


def elsewhere(item: Evidence, text: str, start: int, end: int, *, name: str) -> Evidence:
    """Another span of the document `item` is from, whose whole text is given, as evidence of that name."""
    page_start = text.rfind("\f", 0, start) + 1 if item["media_type"] == PDF else 0
    page = text.count("\f", 0, start) + 1 if item["media_type"] == PDF else 1
    place = {"start": start, "end": end, "quote": text[start:end], "page": page, "page_start": page_start}
    return cast(Evidence, {**item, **place, "id": name, "heading": "", "score": 0.0})


def document_ids(items: Iterable[Evidence]) -> list[UUID]:
    """The documents that are quoted, each once, in order."""
    return [UUID(text) for text in dict.fromkeys(item["document_id"] for item in items)]


def same(first: Evidence, second: Evidence) -> bool:
    """Whether two quotes are the same place, overlap, or say the same words with the same numbers."""
    if (
        first["document_id"] == second["document_id"]
        and first["start"] < second["end"]
        and second["start"] < first["end"]
    ):
        return True
    (our_numbers, ours), (their_numbers, theirs) = _said(first["quote"]), _said(second["quote"])
    return our_numbers == their_numbers and len(ours & theirs) >= SAME_WORDS * max(len(ours | theirs), 1)


@lru_cache(maxsize=4_096)
def _said(quote: str) -> tuple[Counter[str], frozenset[str]]:
    text = shown(quote)
    return written(text), frozenset(words(text))


def _broken(text: str) -> bool:
    first = _LETTER.search(text)
    if first is not None and first.group().islower() and not text[: first.start()].strip("\"“«'(*_ "):
        return True  # a sentence cut at its head
    letters = len(_LETTER.findall(text))
    return "\ufffd" in text or any("\ud800" <= sign <= "\udfff" for sign in text) or letters < 0.55 * len(text)


def _row_of_numbers(quote: str) -> bool:
    if quote.count("|") >= 2:
        return True
    return len(words(quote)) < 2 * sum(written(quote).values())
