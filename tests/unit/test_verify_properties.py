"""What holds for any evidence and any answer of a model, also for the strangest."""

import random
import re
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutirao.samples import sample_documents
from mutirao_agents.evidence import Evidence
from mutirao_agents.report.citations import citations
from mutirao_agents.report.docx import docx
from mutirao_agents.report.markdown import markdown
from mutirao_agents.report.prose import Outcome, Prose, compose, faults
from mutirao_agents.report.readings import is_reading
from mutirao_agents.report.verify import check, parts
from mutirao_agents.text.display import shown
from mutirao_agents.text.numbers import digits
from mutirao_agents.text.tokens import bare, tokens, visible
from mutirao_agents.writer import Draft, DraftSentence, Plan

from tests.unit.test_verify_pairs import of

WORDS = (
    "the The cisterns of not may planned about Recife Ana água não 12 1,234.5 1.234,5 40% −5 °C ½ m² CO2 ٣٤ १२ １２ 2\u00ad3 "
    "1\u202f000 7\u200b8 שלום مرحبا e\u0301 **bold** [x](http://1.2/3) [E1] [E99] [^2] | ; , ( ) which twelve doze meia 10–20 "
    "\u202e \ud83c\udf31 <b> `c` # - and e . ! \\1 &amp; 1**2**".split(" ")
)
text = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), min_size=1, max_size=14).map(" ".join)
sentences = text.map(lambda words: f"{words}.")


def item(name: str, quote: str) -> Evidence:
    return Evidence(**(of(quote, name) | {"document_id": f"d{name}", "document_name": f"{name}.md"}))


@st.composite
def reports(draw: st.DrawFn) -> tuple[dict[str, Evidence], Prose]:
    quotes = draw(st.lists(sentences.filter(lambda quote: shown(quote) != ""), min_size=1, max_size=5))
    evidence = {f"E{n}": item(f"E{n}", quote) for n, quote in enumerate(quotes, start=1)}
    names = st.lists(st.sampled_from([*evidence, "E99", "", "page 3"]), max_size=3)
    written = st.sampled_from(quotes) | sentences | st.sampled_from(quotes).map(lambda quote: f"In addition, {quote}")
    entries = st.lists(st.builds(DraftSentence, text=written, evidence=names), max_size=5)
    plan = [Plan(section="One", evidence=[*evidence]), Plan(section="Two", evidence=[*evidence])]
    drafts = [Draft(section=name, sentences=draw(entries)) for name in ("One", "Two")]
    disputes = [[*evidence][:2]] if draw(st.booleans()) else []
    return evidence, compose(plan, drafts, evidence, disputes)


@settings(max_examples=150, deadline=None)
@given(reports())
def test_no_sentence_has_a_number_that_its_quotes_do_not_have(made: tuple[dict[str, Evidence], Prose]) -> None:
    evidence, prose = made
    for entry in prose["sentences"]:
        quoted = set().union(*(digits(evidence[name]["quote"]) for name in entry["citations"]))
        assert digits(entry["text"]).keys() <= quoted


@settings(max_examples=100, deadline=None)
@given(reports())
def test_finished_prose_has_no_fault_and_renders(made: tuple[dict[str, Evidence], Prose]) -> None:
    evidence, prose = made
    assert faults(prose, evidence) == []
    assert markdown("Topic", "en", prose, evidence).startswith("# Topic")
    assert docx("Topic", "en", prose, evidence) == docx("Topic", "en", prose, evidence)
    assert len(citations("Topic", "en", prose, evidence)["sentences"]) == len(prose["sentences"])


@settings(max_examples=100, deadline=None)
@given(reports())
def test_every_written_sentence_is_accounted_for(made: tuple[dict[str, Evidence], Prose]) -> None:
    _, prose = made
    kept = [entry for entry in prose["written"] if entry["outcome"] == Outcome.KEPT]
    assert len(kept) == sum(entry["origin"] == "model" for entry in prose["sentences"])
    assert all(entry["reasons"] for entry in prose["written"] if entry["outcome"] != Outcome.KEPT)
    cited = [name for entry in prose["sentences"] for name in entry["citations"]]
    assert "E99" not in cited


@settings(max_examples=150, deadline=None)
@given(sentences, sentences)
def test_what_is_supported_has_the_tokens_of_the_quote_in_their_order(quote: str, said: str) -> None:
    if check(said, [of(quote)]).supported:
        quoted = iter(bare(tokens(shown(quote))))
        adding = re.sub(r"^(also|additionally|furthermore|moreover|in addition|além disso|também|ademais),", "", said)
        commas = [key for key in bare(tokens(adding)) if key[1] != ","]
        assert all(key in quoted for key in commas)


@settings(max_examples=150, deadline=None)
@given(text)
def test_cleaning_a_quote_invents_no_number_and_leaves_nothing_invisible(quote: str) -> None:
    cleaned = shown(quote)
    assert not digits(cleaned) - digits(visible(quote))
    assert not [sign for sign in cleaned if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Cn", "Co"}]
    assert "\n" not in cleaned


def sample_sentences() -> list[str]:
    found = []
    for path in sample_documents():
        if path.suffix != ".html":
            found += [part for part in parts(path.read_text(encoding="utf-8")) if 40 < len(part) < 300]
    return found


def changed(sentence: str, chance: random.Random) -> list[str]:
    """The sentence with one thing changed: a word out, in, moved or replaced, a digit, two numbers exchanged."""
    found = sentence.split(" ")
    place = chance.randrange(len(found))
    numbers = [index for index, word in enumerate(found) if re.search(r"\d", word)]
    made = [
        [*found[:place], *found[place + 1 :]],
        [*found[:place], chance.choice(["not", "não", "never", "only", "about", "Recife", "7"]), *found[place:]],
        [*found[:place], *found[place + 1 :], found[place]],
        [*found[:place], chance.choice(string.ascii_lowercase) * 5, *found[place + 1 :]],
        found[: max(2, len(found) // 2)],
    ]
    for index in numbers:
        digit = re.search(r"\d", found[index])
        assert digit is not None
        other = str((int(digit[0]) + chance.randint(1, 9)) % 10)
        made.append([*found[:index], found[index].replace(digit[0], other, 1), *found[index + 1 :]])
    if len(numbers) > 1:
        first, second = chance.sample(numbers, 2)
        swapped = [*found]
        swapped[first], swapped[second] = swapped[second], swapped[first]
        made.append(swapped)
    return [" ".join(words) for words in made]


@pytest.mark.parametrize("seed", range(4))
def test_a_real_sentence_with_one_thing_changed_is_never_supported(seed: int) -> None:
    chance = random.Random(seed)
    chosen = chance.sample(sample_sentences(), 60)
    tried = 0
    for sentence in chosen:
        assert is_reading(sentence, sentence)
        for wrong in changed(sentence, chance):
            if bare(tokens(wrong)) != bare(tokens(sentence)):
                tried += 1
                assert not check(wrong, [of(sentence)]).supported, (wrong, sentence)
    assert tried > 300
