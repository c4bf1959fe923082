"""Words as keyword search counts them, the same for documents and queries, and the language a text is written in."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

_MAX_WORD_CHARS = 64
# PostgreSQL keeps positions up to 16,383 in a tsvector; what is behind them shares the last.
_MAX_POSITION = 16_383

# A number with its separators | one ideograph | a word, with snake_case kept whole.
_TOKEN = re.compile(r"\d+(?:[.,\u00a0\u202f]\d+)+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]|\w+")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+")
# Soft hyphens, zero-width characters and the mark of a byte order are not part of any word.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
# A word broken at a line's end; U+FFFE is what PDFium writes there.
_BROKEN = re.compile(r"(\w+)(?:\ufffe\s*|-[ \t]*\r?\n[ \t]*)(\w+)")
_CASE_CHANGE = re.compile(r"(?<=[a-z\d])(?=[A-Z])|_+")
_TILDES = {"cao": "ção", "coes": "ções", "ao": "ão", "oes": "ões"}
_TILDE = re.compile(r"(?:cao|coes|ao|oes)$")

# Words that one of the languages has and the others do not, or seldom; folded.
_MARKS: Mapping[str, frozenset[str]] = {
    language: frozenset(marks.split())
    for language, marks in {
        "en": "the of and to in is that for with was on are by this from at be which have has it not or an their its "
        "were will would can been they he she you we what how who when where why did does",
        "pt": "a de ser deve entre sobre nao uma um da do das dos em no na nos nas ao aos pelo pela pelos pelas sao "
        "tambem mais foi que os as e o com para por se sua seu ou ate ja ha isso esta este qual quais quem quando "
        "quantos quantas onde como foram",
        "es": "a de ser entre sobre el la los las del y en una un con por es lo al mas su se pero como esta fue son que "
        "para una muy donde cual quien cuando cuantos fueron tambien hay",
        "fr": "a de le la les des du et est une un dans pour que qui sur avec pas par sont aux ce cette ou",
        "de": "der die das und ist nicht mit von zu den im ein eine auf fur dem des sich auch werden",
        "it": "a il lo gli della di che e per con non una del sono le nel alla dei da anche piu questo",
    }.items()
}
STEMMED = ("en", "pt")
_SAMPLE_CHARS = 8_000
_MIN_SHARE = 0.08
_MIN_LEAD = 1.15


class Word(NamedTuple):
    """A word of a text: `position` counts from 1; `forms` are spellings that all mean it, the first as it stands."""

    position: int
    forms: tuple[str, ...]


def fold(word: str) -> str:
    """A word without case and accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    return plain[:_MAX_WORD_CHARS]


def with_tilde(folded: str) -> str:
    """A folded word with the accents of its Portuguese ending, which alone tell its stemmer what it is."""
    return _TILDE.sub(lambda found: _TILDES[found.group()], folded)


def words(text: str) -> Iterator[Word]:
    """The words of `text` in order. Forms keep accents (stemmers need them) and are lower case."""
    clean = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    joined = {broken.start(1): broken.group(1) + broken.group(2) for broken in _BROKEN.finditer(clean)}
    position = 0
    for token in _TOKEN.finditer(clean):
        whole = token.group().strip("_")
        if whole:
            position = min(position + 1, _MAX_POSITION)
            yield Word(position, tuple(dict.fromkeys(_forms(whole, joined.get(token.start())))))


def _forms(token: str, joined: str | None) -> Iterator[str]:
    yield token[:_MAX_WORD_CHARS].lower()
    if _THOUSANDS.fullmatch(token):
        yield re.sub(r"\D", "", token)
    if joined:
        yield joined[:_MAX_WORD_CHARS].lower()
    parts = [part for part in _CASE_CHANGE.split(token) if part]
    if len(parts) > 1:
        yield from (part[:_MAX_WORD_CHARS].lower() for part in parts)


def tsvector(found: Iterable[Word], stems: Mapping[str, tuple[str, ...]]) -> str:
    """The text form of a tsvector: each form, folded, and its stems stand at their word's position."""
    positions: dict[str, set[int]] = {}
    for word in found:
        for form in word.forms:
            for lexeme in lexemes(form, stems):
                positions.setdefault(lexeme, set()).add(word.position)
    return " ".join(f"{quoted(lexeme)}:{','.join(map(str, sorted(at)))}" for lexeme, at in sorted(positions.items()))


def lexemes(form: str, stems: Mapping[str, tuple[str, ...]]) -> set[str]:
    """What is indexed for one form, and looked for when a query has it."""
    return {lexeme for lexeme in (fold(form), *map(fold, stems.get(form, ()))) if lexeme}


def quoted(lexeme: str) -> str:
    """A lexeme as the text form of a tsvector or tsquery wants it."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def language_of(text: str) -> str | None:
    """`en`, `pt`, or None when it is another language or too short to tell."""
    middle = max(0, len(text) // 2 - _SAMPLE_CHARS // 2)
    sample = text if len(text) <= 3 * _SAMPLE_CHARS else "\n".join(
        (text[:_SAMPLE_CHARS], text[middle : middle + _SAMPLE_CHARS], text[-_SAMPLE_CHARS:])
    )  # fmt: skip
    found = [fold(word) for word in re.findall(r"[^\W\d_]+", sample)]
    counts = sorted(((sum(word in marks for word in found), name) for name, marks in _MARKS.items()), reverse=True)
    (best, language), (second, _) = counts[:2]
    if not found or best < _MIN_SHARE * len(found) or best < _MIN_LEAD * second or language not in STEMMED:
        return None
    return language
