"""Sentences are spans: verbatim, in order, whole, and never across the blocks of a text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao_agents.knowledge.blocks import BlockKind, Layout
from mutirao_agents.knowledge.sentences import sentence_spans, sentences


def said(text: str, layout: Layout = Layout.PROSE) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text, layout=layout)]


ONE_SENTENCE = [
    "Dr. Silva met Mr. J. R. R. Tolkien and Mrs. Dalloway.",
    "A Dra. Inês e o Sr. Caetano Prado falaram com a Profa. Lúcia.",
    "The yard uses approx. 5 buckets, i.e. one a day, e.g. on Mondays.",
    "O art. 5º da Lei n.º 11.445/2007 (cf. Fig. 3) vale p. ex. aqui.",
    "See Fig. 3, Tab. 2, No. 7, pp. 12–14 and vol. II of the report.",
    "Veja a pág. 12, o cap. 3 e o n. 4 do relatório.",
    "It weighed 3.5 kg at 10.30 and cost R$ 1.234,56 in version 2.0.1.",
    "The U.S. Army and the U.K. Treasury agreed with Smith et al. Jones.",
    "It is described at http://example.org/a.b/c.html and in notes.txt today.",
    "In Jan. 2020 and on 5 Dec. 1999 it rained.",
    "George W. Bush and A. B. Lincoln were there.",
    "He works for Foo Inc. Bar division.",
    "Wait... what?",
    "“Why?” he asked.",
    "The house was built by\nMaria in 1990, with\nfive rooms and a\nroof.",
    "the (very\r\nlong) line\r\nwas wrapped here.",
    "Às 8 h. da manhã o séc. XX parecia longe.",
    "Ela comprou 2 kg (aprox. 4 lb) de café.",
]


@pytest.mark.parametrize("text", ONE_SENTENCE)
def test_this_is_one_sentence(text: str) -> None:
    assert said(text) == [text]


PARTED = [
    ("He said no. Then he left.", ["He said no.", "Then he left."]),
    ("She left at 5 p.m. The shop closed.", ["She left at 5 p.m.", "The shop closed."]),
    ("He lives in the U.S. The army left.", ["He lives in the U.S.", "The army left."]),
    ("Vitamin C. The dose was small.", ["Vitamin C.", "The dose was small."]),
    ("Custa R$ 1.234,56 etc. O resto não.", ["Custa R$ 1.234,56 etc.", "O resto não."]),
    ('He said "Go." Then he left.', ['He said "Go."', "Then he left."]),
    ("Disse “Vá.” Depois saiu.", ["Disse “Vá.”", "Depois saiu."]),
    ("It rained.[1] It stopped.¹² It is dry.", ["It rained.[1]", "It stopped.¹²", "It is dry."]),
    ("Never! Really? Yes.", ["Never!", "Really?", "Yes."]),
    ("Well… Perhaps. Or not...", ["Well…", "Perhaps.", "Or not..."]),
    ("It rained. 12 people came.", ["It rained.", "12 people came."]),
    ("**Bold.** *It.* And.", ["**Bold.**", "*It.*", "And."]),
    ("I like art. She does not.", ["I like art.", "She does not."]),
    ("これは文です。次の文です。終わり", ["これは文です。", "次の文です。", "終わり"]),
    ("هذه جملة. هل هذه جملة؟ نعم.", ["هذه جملة.", "هل هذه جملة؟", "نعم."]),
    ("See section 3. The next one.", ["See section 3.", "The next one."]),
    ("Fim. ¿Y ahora? Sim.", ["Fim.", "¿Y ahora?", "Sim."]),
    ("É de 12 hab. O resto é mato.", ["É de 12 hab.", "O resto é mato."]),
    ("One.\n\nTwo.\x00Three.\fFour.", ["One.", "Two.", "Three.", "Four."]),
]


@pytest.mark.parametrize(("text", "parts"), PARTED)
def test_these_are_several(text: str, parts: list[str]) -> None:
    assert said(text) == parts


def test_headings_items_and_rows_stay_apart() -> None:
    text = (
        "# Title\nText goes\non. Next.\n\nSetext\n======\n- one\n- two is\n  longer. Yes.\n  - nested\n1. First\n2. Second\n"
        "[^1]: A note.\n\n| a | b |\n|---|---|\n| 1 | 2 |\nAfter.\n\n> quoted\n> text.\n\n```\ncode. Here\n```\nEnd"
    )
    found = [(sentence.kind.value, text[sentence.start : sentence.end]) for sentence in sentences(text)]
    assert found == [
        ("heading", "Title"), ("paragraph", "Text goes\non."), ("paragraph", "Next."), ("heading", "Setext"),
        ("item", "one"), ("item", "two is\n  longer."), ("item", "Yes."), ("item", "nested"), ("item", "First"),
        ("item", "Second"), ("item", "A note."), ("row", "| a | b |"), ("row", "| 1 | 2 |"), ("paragraph", "After."),
        ("paragraph", "quoted\n> text."), ("code", "code. Here"), ("paragraph", "End"),
    ]  # fmt: skip


def test_short_lines_of_a_printed_page_are_not_run_together() -> None:
    text = (
        "3.2 Study design\r\nThe study is a randomised trial with twelve sites in England and Wales, and one in\r\n"
        "Scotland.\r\nSponsor: X\r\nDuration 10 Months\r\nInclusion criteria:\r\n• adults able and\r\nwilling\r\n"
        "• no children(6)\r\n.\r\n"
    )
    assert said(text) == [
        "3.2 Study design",
        "The study is a randomised trial with twelve sites in England and Wales, and one in\r\nScotland.",
        "Sponsor: X",
        "Duration 10 Months",
        "Inclusion criteria:",
        "adults able and\r\nwilling",
        "no children(6)\r\n.",
    ]


def test_lines_of_code_and_records_of_a_table_stand_alone() -> None:
    assert said("a = 1.\nb = 2\n\nc", Layout.LINES) == ["a = 1.", "b = 2", "c"]
    table = 'id,text\n1,"two\nlines. Here"\n2,"open\n3,end\n'
    assert said(table, Layout.ROWS) == ["id,text", '1,"two\nlines. Here"', '2,"open', "3,end"]


def test_only_the_asked_part_is_looked_at() -> None:
    text = "First one. Second one. Third one."
    assert [text[a:b] for a, b in sentence_spans(text, 11, 22)] == ["Second one."]
    assert sentence_spans(text, 5, 5) == []
    assert sentence_spans(text, 0, 10_000)[-1] == (23, 33)


def test_what_has_no_letter_or_digit_is_no_sentence() -> None:
    assert said("---\n\n***\n\n...\n\n👍 🎉\n\n\ufeff\n\n| | |\n") == []


def test_a_byte_order_mark_is_part_of_no_sentence() -> None:
    assert said("\ufeffHello there. Bye.") == ["Hello there.", "Bye."]


@pytest.mark.parametrize(
    "text", ["a" * 2_000_000, "a. " * 600_000, "- \n" * 300_000, "((((" * 300_000, '"\n' * 200_000]
)
def test_two_megabytes_take_seconds_not_minutes(text: str) -> None:
    before = time.process_time()
    for layout in Layout:
        sentence_spans(text, layout=layout)
    assert time.process_time() - before < 30


PARTS = st.sampled_from(
    ["Dr. ", "A sentence. ", "no. 5 ", "\n", "\r\n", "\n\n", "# ", "- ", "1. ", "| a | b |", "```\n", "---\n", "“", "”", ".",
     "e.g. ", "3.5", "...", "\t", "\x00", "\f", "\ufeff", "e\u0301", "👩‍🌾", "שלום. ", "。", "> ", "=", "[^1]: ", "Ação "]
)  # fmt: skip


@given(st.lists(st.one_of(PARTS, st.text(max_size=8)), max_size=40).map("".join), st.sampled_from(Layout))
def test_spans_are_ordered_in_range_apart_and_stripped(text: str, layout: Layout) -> None:
    place = 0
    for start, end in sentence_spans(text, layout=layout):
        assert place <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert any(c.isalnum() for c in text[start:end])
        place = end


@given(st.lists(st.one_of(PARTS, st.text(max_size=8)), max_size=40).map("".join))
def test_no_letter_of_prose_is_lost(text: str) -> None:
    spans = sentence_spans(text)
    outside = "".join(
        text[a:b] for a, b in zip([0, *(e for _, e in spans)], [*(s for s, _ in spans), len(text)], strict=True)
    )
    # What is outside are marks: of lists (which may be letters or digits), notes, and the languages of code fences.
    assert len([c for c in outside if c.isalnum()]) <= 25 * (outside.count("\n") + outside.count("\r") + 4)


@given(st.integers(20, 100), st.sampled_from(ONE_SENTENCE[:14]))
def test_wrapping_does_not_part_a_sentence(width: int, text: str) -> None:
    import textwrap

    long = f"{text[:-1]}, and that is how the whole of this rather long story went on until its end."
    wrapped = textwrap.fill(" ".join(long.split()), width, break_long_words=False, break_on_hyphens=False)
    assert len(said(wrapped)) == 1


def test_kinds_are_told() -> None:
    assert {sentence.kind for sentence in sentences("# A\n\nB.\n\n- c")} == {
        BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.ITEM,
    }  # fmt: skip
