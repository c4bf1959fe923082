"""The readings of a quoted sentence: the ways it may be written again without saying anything else.

A sentence is true to a quote when it is one of its readings. A reading keeps every word, number and mark of the quote
in its order, except that

* a connective at the head goes (*However, …*), or an adding one comes (*In addition, …*);
* a comma before the last *and* or *or* of a list comes or goes;
* an abbreviation in brackets goes, and so does a clause between commas that begins with *which*, *who*, *including*, …,
  when the sentence has no negation, condition, comparison or other qualifier (rough numbers as *about 40* may stay),
  and no number goes with the clause.

Leaving out more is what makes a true sentence false: the subject of another clause, *planned*, *up to*, *in 2019*,
*(adults only)*, *; closed on Mondays*.
"""

from collections.abc import Iterator, Sequence

from mutirao_agents.report.guards import ADDING, APPROXIMATIONS, ASIDES, LINKING, negation, qualifier
from mutirao_agents.text.language import detect
from mutirao_agents.text.numbers import is_number
from mutirao_agents.text.tokens import Kind, Token, bare, tokens

MIN_WORDS = 4  # a shorter rest is no sentence
MOST_ASIDES = 4
GUARDED_LANGUAGES = frozenset({"en", "pt"})  # those whose qualifiers are known
Keys = tuple[tuple[Kind, str], ...]
_COMMA = (Kind.STOP, ",")
_LAST_OF_A_LIST = frozenset({"and", "or", "e", "ou"})


def readings(sentence: str) -> set[Keys]:
    """The readings of a quoted sentence, as keys of tokens."""
    found: set[Keys] = set()
    for start in _headless(tokens(sentence)):
        found.add(_compared(start))
        if _may_be_shortened(start, sentence):
            found.update(_compared(shorter) for shorter in _shortened(start))
    return found


def is_reading(text: str, sentence: str) -> bool:
    """Whether `text` is one of the readings of a quoted sentence."""
    said = tokens(text)
    allowed = readings(sentence)
    return any(_compared(rest) in allowed for rest in (said, *_without_head(said, ADDING)))


def _compared(sequence: Sequence[Token]) -> Keys:
    keys = bare(sequence)
    return tuple(
        key
        for place, key in enumerate(keys)
        if not (
            key == _COMMA and place + 1 < len(keys) and keys[place + 1][1] in _LAST_OF_A_LIST and _COMMA in keys[:place]
        )
    )


def _headless(sequence: list[Token]) -> Iterator[list[Token]]:
    yield sequence
    yield from _without_head(sequence, LINKING)


def _without_head(sequence: list[Token], heads: frozenset[tuple[str, ...]]) -> Iterator[list[Token]]:
    for length in (1, 2):
        head = tuple(token.norm for token in sequence[:length])
        if head in heads and len(sequence) > length + MIN_WORDS and sequence[length].key == _COMMA:
            yield sequence[length + 1 :]


def _may_be_shortened(sequence: Sequence[Token], sentence: str) -> bool:
    guarded = any(negation(token) or (qualifier(token) and token.norm not in APPROXIMATIONS) for token in sequence)
    return not guarded and detect(sentence) in GUARDED_LANGUAGES


def _shortened(sequence: list[Token]) -> Iterator[list[Token]]:
    asides = [*_abbreviations(sequence), *_clauses(sequence)][:MOST_ASIDES]
    for choice in range(1, 1 << len(asides)):
        left_out = {place for bit, span in enumerate(asides) if choice >> bit & 1 for place in range(*span)}
        rest = [token for place, token in enumerate(sequence) if place not in left_out]
        if sum(token.kind is Kind.WORD for token in rest) >= MIN_WORDS:
            yield rest


def _abbreviations(sequence: Sequence[Token]) -> Iterator[tuple[int, int]]:
    for place in range(len(sequence) - 2):
        opened, inside, closed = sequence[place : place + 3]
        if opened.norm == "(" and closed.norm == ")" and inside.kind is Kind.WORD and inside.text.isupper():
            yield place, place + 3


def _clauses(sequence: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Relative clauses: one that ends the sentence, or one between the only two commas there are."""
    commas = [place for place, token in enumerate(sequence) if token.key == _COMMA]
    for comma in commas:
        if comma + 1 >= len(sequence) or sequence[comma + 1].norm not in ASIDES:
            continue
        if len(commas) == 2 and comma == commas[0]:
            aside = comma, commas[1] + 1
        elif comma == commas[-1]:
            aside = comma, len(sequence)
        else:
            continue
        if not any(is_number(token) or token.norm in APPROXIMATIONS for token in sequence[slice(*aside)]):
            yield aside
