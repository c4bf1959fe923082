"""Documents that state the same thing with different numbers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product

from mutirao_agents.evidence import Evidence
from mutirao_agents.knowledge.sentences import sentence_spans
from mutirao_agents.text.display import shown
from mutirao_agents.text.language import stem, terms
from mutirao_agents.text.numbers import is_number, values_before
from mutirao_agents.text.tokens import Kind, Token, tokens

ALIKE = 0.62  # share of common content words from which two sentences are about the same thing
ALMOST_THE_SAME = 0.8
MIN_COMMON = 3
HEAD_CHARS = 1_000  # where a document says how old it is
_MONTHS = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
)
MONTHS = frozenset(_MONTHS.split())
_YEAR = re.compile(r"\b(?:1[5-9]|20|21)\d\d\b")
_SAYS_ITS_DATE = re.compile(
    r"^\W*(?:version|date|dated|last\s+(?:updated|revised|modified)|updated|revised|published|issued|as of|"
    r"versão|data|atualizad[oa]|revisad[oa]|publicad[oa]|emitid[oa])\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """What is compared of a sentence: its content words, the numbers before each noun, all its numbers, its names."""

    terms: frozenset[str]
    counts: Mapping[str, frozenset[Fraction]]
    numbers: frozenset[Fraction | None]
    names: frozenset[str]


def contradict(first: Evidence, second: Evidence) -> bool:
    """Whether two quotes of different documents state the same thing with different numbers.

    The same thing: the same language, mostly the same content words, no name on one side against another name on the
    other. Different numbers: some noun has a number on both sides, and no number in common; or, where nearly every word
    is alike, the numbers as a whole differ.
    """
    language = first["language"]
    if first["document_id"] == second["document_id"] or language != second["language"]:
        return False
    pairs = product(_statements(first["quote"], language), _statements(second["quote"], language))
    return any(_differ(ours, theirs) for ours, theirs in pairs)


def contradictions(items: Sequence[Evidence]) -> list[list[str]]:
    """Groups of evidence ids that contradict each other, each group and the groups in the order of `items`."""
    groups: list[set[str]] = []
    for first, second in combinations(items, 2):
        if not contradict(first, second):
            continue
        both = {first["id"], second["id"]}
        for group in [group for group in groups if group & both]:
            groups.remove(group)
            both |= group
        groups.append(both)
    order = {item["id"]: place for place, item in enumerate(items)}
    ordered = [sorted(group, key=lambda name: order[name]) for group in groups]
    return sorted(ordered, key=lambda group: order[group[0]])


def date_statement(text: str) -> tuple[int, int] | None:
    """The span near a document's head that says how old it is, as `Version date: 3 May 2021.`; None without one."""
    for start, end in sentence_spans(text, 0, min(len(text), HEAD_CHARS)):
        sentence = text[start:end]
        if len(sentence) <= 160 and _SAYS_ITS_DATE.match(shown(sentence)) and _YEAR.search(sentence):
            return start, end
    return None


def date_of(statement: str) -> tuple[int, int, int]:
    """Year, month and day of a date statement, 0 for what it does not say; for ordering."""
    iso = re.search(r"\b(\d{4})-(\d\d)-(\d\d)\b", statement)
    if iso is not None:
        return int(iso[1]), int(iso[2]), int(iso[3])
    year = _YEAR.search(statement)
    names = [token.norm for token in tokens(statement) if token.norm in MONTHS]
    day = re.search(r"\b(\d{1,2})(?:st|nd|rd|th|º)?\s+(?:de\s+)?[^\W\d]{3,}", statement)
    return int(year[0]) if year else 0, _month(names[0]) if names else 0, int(day[1]) if day else 0


def _month(name: str) -> int:
    starts = {
        start: number
        for number, both in enumerate(
            ("jan", "feb fev", "mar", "apr abr", "may mai", "jun", "jul", "aug ago", "sep set", "oct out", "nov",
             "dec dez"), start=1
        )
        for start in both.split()
    }  # fmt: skip
    return starts.get(name[:3], 0)


@lru_cache(maxsize=4_096)
def _statements(quote: str, language: str | None) -> tuple[Statement, ...]:
    sentences = [shown(quote[start:end]) for start, end in sentence_spans(quote, 0, len(quote))]
    return tuple(
        Statement(
            terms=frozenset(terms(sentence)) - _MONTH_STEMS,
            counts=_counts(sentence, language),
            numbers=_all_values(sentence, language),
            names=_names(sentence),
        )
        for sentence in sentences
    )


def _differ(ours: Statement, theirs: Statement) -> bool:
    common = len(ours.terms & theirs.terms)
    alike = common / max(len(ours.terms), len(theirs.terms), 1)
    names_clash = ours.names - theirs.names and theirs.names - ours.names
    if common < MIN_COMMON or alike < ALIKE or names_clash:
        return False
    shared = ours.counts.keys() & theirs.counts.keys()
    if any(not ours.counts[noun] & theirs.counts[noun] for noun in shared):
        return True
    return not shared and alike >= ALMOST_THE_SAME and ours.numbers != theirs.numbers


def _counts(sentence: str, language: str | None) -> dict[str, frozenset[Fraction]]:
    """The numbers that stand before each noun; dates and years are not counts."""
    found: dict[str, set[Fraction]] = {}
    sequence = tokens(sentence)
    for place, token in enumerate(sequence):
        if token.kind not in (Kind.WORD, Kind.SYMBOL) or is_number(token) or token.norm in MONTHS or token.norm == "-":
            continue
        number = values_before(sequence, place, language)
        if number is not None and not _is_year(sequence[place - 1]) and not (token.norm == "de" and number < 32):
            found.setdefault(stem(token.norm) if token.kind is Kind.WORD else token.norm, set()).add(number)
    return {noun: frozenset(numbers) for noun, numbers in found.items()}


def _all_values(sentence: str, language: str | None) -> frozenset[Fraction | None]:
    sequence = tokens(sentence)
    return frozenset(
        values_before(sequence, place + 1, language) for place, token in enumerate(sequence) if is_number(token)
    )


def _names(sentence: str) -> frozenset[str]:
    later = tokens(sentence)[1:]
    return frozenset(token.norm for token in later if token.text[0].isupper() and token.norm not in MONTHS)


def _is_year(token: Token) -> bool:
    return token.kind is Kind.NUMBER and _YEAR.fullmatch(token.norm) is not None


_MONTH_STEMS = {stem(name) for name in MONTHS}
