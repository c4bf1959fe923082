"""Chunks: whole sentences, verbatim spans, one page and one section each, the same every time."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.knowledge.media import MARKDOWN, PDF, PLAIN
from mutirao_agents.knowledge.blocks import Block
from mutirao_agents.knowledge.chunks import chunk_document
from mutirao_agents.knowledge.parse import ParsedDocument, parsed
from mutirao_agents.knowledge.sentences import block_sentences

DOCUMENT = UUID(int=7)
CHARS = 200


def sentences_of(document: ParsedDocument) -> list[tuple[int, int]]:
    return [
        (sentence.start, sentence.end)
        for block in document.blocks
        for sentence in block_sentences(document.text, Block(block.kind, block.start, block.end))
    ]


def pages(*texts: str) -> ParsedDocument:
    starts = [0]
    for text in texts[:-1]:
        starts.append(starts[-1] + len(text) + 1)
    return parsed("\f".join(texts), starts, PDF)


def test_chunks_are_about_as_long_as_asked() -> None:
    text = " ".join(f"Sentence number {n} says a little." for n in range(100))
    chunks = chunk_document(parsed(text, [0], PLAIN), DOCUMENT, CHARS)
    assert all(0.6 * CHARS <= len(chunk.text) <= CHARS for chunk in chunks[:-1])
    assert 0.4 * CHARS <= len(chunks[-1].text) <= 1.4 * CHARS


def test_a_heading_begins_a_chunk_and_is_kept_with_it() -> None:
    text = "# A\n\n## B\n\nUnder B.\n\n## C\n\nUnder C. More under C.\n"
    chunks = chunk_document(parsed(text, [0], MARKDOWN), DOCUMENT, CHARS)
    assert [(chunk.heading, chunk.text) for chunk in chunks] == [
        ("A > B", "A\n\n## B\n\nUnder B."),
        ("A > C", "C\n\nUnder C. More under C."),
    ]


def test_no_chunk_crosses_a_page() -> None:
    document = pages("One page. With text", "and the next. Here.", "", "Fourth.")
    chunks = chunk_document(document, DOCUMENT, CHARS)
    assert [(chunk.page, chunk.text) for chunk in chunks] == [
        (1, "One page. With text"), (2, "and the next. Here."), (4, "Fourth."),
    ]  # fmt: skip


def test_the_same_document_gives_the_same_chunks_and_another_one_other_ids() -> None:
    document = parsed("One. " * 200, [0], PLAIN)
    first = chunk_document(document, DOCUMENT, CHARS)
    assert chunk_document(document, DOCUMENT, CHARS) == first
    other = chunk_document(document, UUID(int=8), CHARS)
    assert [chunk.text for chunk in other] == [chunk.text for chunk in first]
    assert not {chunk.id for chunk in other} & {chunk.id for chunk in first}
    assert len({chunk.id for chunk in first}) == len(first) > 3


@pytest.mark.parametrize("text", ["word " * 2_000, "x" * 10_000, "e\u0301" * 5_000, "👩‍🌾a" * 2_000, "a,b;" * 2_000])
def test_a_sentence_too_long_is_cut_but_never_inside_a_character(text: str) -> None:
    chunks = chunk_document(parsed(text, [0], PLAIN), DOCUMENT, CHARS)
    assert all(len(chunk.text) <= 2 * CHARS for chunk in chunks)
    assert all(chunk.text[0] not in "\u0301\u200d" and chunk.text[-1] != "\u200d" for chunk in chunks)
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text.replace(" ", "")


def test_two_megabytes_on_one_line_are_cut() -> None:
    chunks = chunk_document(parsed("lorem ipsum " * 170_000, [0], PLAIN), DOCUMENT, 700)
    assert 1_500 < len(chunks) < 6_000


TEXTS = st.lists(
    st.sampled_from(["One sentence here. ", "Outra frase, nº 5. ", "\n\n", "\n", "# Title\n", "- item\n", "| a | b |\n", "\x00",
                     "x" * 500 + " ", "e\u0301", "שלום. ", "👩‍🌾 "]),
    max_size=60,
).map("".join)  # fmt: skip


@given(st.lists(TEXTS, min_size=1, max_size=3), st.integers(100, 400))
def test_chunks_are_ordered_verbatim_spans_that_cut_no_sentence(texts: list[str], chars: int) -> None:
    document = pages(*texts)
    chunks = chunk_document(document, DOCUMENT, chars)
    place = 0
    for ordinal, chunk in enumerate(chunks):
        page_start = document.page_starts[chunk.page - 1]
        assert page_start <= chunk.start < chunk.end <= page_start + len(texts[chunk.page - 1])
        assert place <= chunk.start
        assert chunk.ordinal == ordinal
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert "\x00" not in chunk.text
        place = chunk.end
    for start, end in sentences_of(document):
        inside = [chunk for chunk in chunks if chunk.start <= start and end <= chunk.end]
        assert len(inside) == 1 or end - start > 2 * chars
