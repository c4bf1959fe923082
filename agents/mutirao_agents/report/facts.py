"""What a sentence states, and what of it a quote does not state: the reasons why a sentence is not kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import pairwise

from mutirao_agents.report.guards import negation, qualifier
from mutirao_agents.text.language import STOP_WORDS, detect
from mutirao_agents.text.numbers import is_number
from mutirao_agents.text.tokens import Kind, Token, tokens


class Reason(StrEnum):
    """Why a sentence of the model does not stand in the report as it was written."""

    UNCITED = "uncited"  # it cites no evidence
    QUOTE_MOVED = "quote_moved"  # the evidence it cites is not in its document, at its offset, word for word
    LANGUAGE = "language"  # it is not in the language of the evidence
    NUMBER = "number"  # a number is not in the evidence
    UNIT = "unit"  # a number is there, but of something else
    NAME = "name"  # a name is not there
    NEGATION = "negation"  # it denies what the evidence does not, or the reverse
    QUALIFIER = "qualifier"  # a qualifier, comparison or cause was put in or left out
    WORDS = "words"  # a word is not there
    ORDER = "order"  # the words are there, but not so put together
    DISPUTED = "disputed"  # another document gives other numbers
    REPEATED = "repeated"  # the report says it already


_FREE = frozenset().union(*STOP_WORDS.values())


def unlike(text: str, quote: str) -> list[Reason]:
    """What `text` states otherwise than a quoted sentence, in the order of `Reason`; empty when nothing is found.

    The checks compare words and numbers as they are written. They explain; what decides is `readings`.
    """
    said, quoted = tokens(text), tokens(quote)
    ours, theirs = detect(text), detect(quote)
    checks = (
        (Reason.LANGUAGE, ours is not None and theirs is not None and ours != theirs),
        (Reason.NUMBER, bool(_numbers(said) - _numbers(quoted))),
        (Reason.UNIT, bool(_measures(said) - _measures(quoted))),
        (Reason.NAME, bool(_names(said) - {token.text for token in quoted})),
        (Reason.NEGATION, _only(said, negation) != _only(quoted, negation)),
        (Reason.QUALIFIER, _only(said, qualifier) != _only(quoted, qualifier)),
        (Reason.WORDS, bool(_content(said) - {token.norm for token in quoted})),
    )
    return [reason for reason, found in checks if found]


def nearest(text: str, sentences: Sequence[str]) -> str | None:
    """The quoted sentence that shares most words with `text`."""
    said = {token.norm for token in tokens(text)}
    return max(sentences, key=lambda quote: len(said & {token.norm for token in tokens(quote)}), default=None)


def _numbers(sequence: Sequence[Token]) -> Counter[str]:
    return Counter(token.norm for token in sequence if is_number(token))


def _measures(sequence: Sequence[Token]) -> Counter[tuple[str, str]]:
    """Each number with what follows it: `40 %`, `12 schools`, `55 °C`."""
    found: Counter[tuple[str, str]] = Counter()
    for place, (number, unit) in enumerate(pairwise(sequence)):
        if is_number(number) and unit.kind is not Kind.STOP:
            scale = sequence[place + 2 : place + 3] if unit.norm == "°" else ()
            found[number.norm, unit.norm + "".join(token.norm for token in scale)] += 1
    return found


def _names(sequence: Sequence[Token]) -> set[str]:
    """Words with a capital letter that do not begin a sentence."""
    found = set()
    for before, token in pairwise(sequence):
        if token.kind is Kind.WORD and token.text[0].isupper() and before.norm not in {".", "!", "?", '"'}:
            found.add(token.text)
    return found


def _only(sequence: Sequence[Token], kind: Callable[[Token], bool]) -> Counter[str]:
    return Counter(token.norm for token in sequence if kind(token))


def _content(sequence: Sequence[Token]) -> set[str]:
    return {token.norm for token in sequence if token.kind is Kind.WORD and token.norm not in _FREE}
