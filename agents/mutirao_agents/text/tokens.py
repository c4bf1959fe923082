"""Texts as tokens, for comparing what a sentence says with what a quote says.

Two texts that give the same tokens say the same thing to a reader: only white space, the case of letters, the kind of
quotation mark or dash, and invisible characters are folded. Everything else, punctuation included, must be alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

THOUSANDS_SPACES = "\u00a0\u2009\u202f\u2007"
_DASHES = "‐‑‒–—―−"
_QUOTES = '“”„‟«»‹›‘‛"'
_PATTERN = re.compile(
    rf"(?P<number>\d+(?:[.,'’٫٬{THOUSANDS_SPACES}]\d+)*)"
    r"|(?P<word>[^\W\d_](?:\w|['’](?=[^\W\d_]))*)"
    rf"|(?P<spaced_dash>(?<=\s)[-{_DASHES}](?=\s)|—)"
    rf"|(?P<stop>[,;:.!?…()\[\]{{}}{_QUOTES}’'])"
    r"|(?P<symbol>\S)"
)


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    NUMBER = "number"  # digits, with their separators, as they are written
    STOP = "stop"  # punctuation that parts clauses
    SYMBOL = "symbol"  # everything else that is visible: %, °, €, a dash inside a range


@dataclass(frozen=True, slots=True)
class Token:
    """`norm` is compared, `text` is shown; tokens are equal when their kind and norm are."""

    kind: Kind
    text: str
    norm: str

    @property
    def key(self) -> tuple[Kind, str]:
        return self.kind, self.norm


def visible(text: str) -> str:
    """`text` in composed form, without control, formatting and unpaired characters; white space folded to one space.

    An invisible character between two digits becomes a space: it must never join two numbers into a third.
    """
    composed = unicodedata.normalize("NFC", text)
    cleaned = []
    for place, letter in enumerate(composed):
        if letter.isspace():
            cleaned.append(letter if letter in THOUSANDS_SPACES else " ")
        elif _hidden(letter):
            cleaned.append(" " if _between_digits(composed, place) else "")
        else:
            cleaned.append(letter)
    return re.sub(r" {2,}", " ", "".join(cleaned)).strip()


def tokens(text: str) -> list[Token]:
    """The tokens of a text, in order."""
    return [_token(match) for match in _PATTERN.finditer(visible(text))]


def bare(sequence: Sequence[Token]) -> tuple[tuple[Kind, str], ...]:
    """What is compared of a sentence: its keys without quotation marks at its ends and without its last stop."""
    keys = [token.key for token in sequence]
    ends = {(Kind.STOP, mark) for mark in '".!?…;:,'}
    while keys and keys[-1] in ends:
        keys.pop()
    while keys and keys[0] == (Kind.STOP, '"'):
        keys.pop(0)
    return tuple(keys)


def _token(match: re.Match[str]) -> Token:
    text = match.group()
    if match.lastgroup == "number":
        return Token(Kind.NUMBER, text, text.replace("’", "'").translate(_SPACES))
    if match.lastgroup == "word":
        return Token(Kind.WORD, text, text.casefold().replace("’", "'"))
    if match.lastgroup == "spaced_dash":
        return Token(Kind.STOP, text, "-")
    if match.lastgroup == "stop":
        return Token(Kind.STOP, text, _stop(text))
    return Token(Kind.SYMBOL, text, "-" if text in _DASHES else text)


_SPACES = str.maketrans(dict.fromkeys(THOUSANDS_SPACES, "\u00a0"))


def _stop(mark: str) -> str:
    if mark in _QUOTES:
        return '"'
    return "'" if mark == "’" else mark


def _hidden(letter: str) -> bool:
    # U+FFFE and U+FFFF are not characters: no XML file may hold them.
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn"} or ord(letter) & 0xFFFE == 0xFFFE


def _between_digits(text: str, place: int) -> bool:
    before, after = text[:place][-1:], text[place + 1 : place + 2]
    return before.isdigit() and after.isdigit()
