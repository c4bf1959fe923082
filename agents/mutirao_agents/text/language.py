"""Which language a text is written in, and the terms it shares with another text.

Small on purpose: stop words tell four languages apart well enough for a sentence, and terms are cut to a stem of a few
letters so that *composting* meets *compostagem*. Nothing here decides what is true.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

STEM_LETTERS = 6
ENOUGH_CHARS = 5_000  # to tell the language of a text
MIN_TERM_LETTERS = 3

_STOP_WORDS = {
    "en": "the of and to in is are was were be been it its this that these those for on with as by from at an or which "
    "who has have had not they their there than then but when how what where can will would should may might about "
    "into does did do each all any some more most other such also both between during after before",
    "pt": "o os um uma de do da dos das e em no na nos nas que para por com se como mais não ao aos à às é são foi foram "
    "ser está estão ou mas quando quanto onde qual quais seu sua seus suas pela pelo pelas pelos isso este esta "
    "esse essa entre sem já também até há cada todos todas muito depois antes sobre nem ele ela eles elas",
    "es": "el los las del y en un una que por con para se su sus es son fue fueron no más pero como cuando donde está "
    "están al lo le les ha han este esta estos estas entre sin ya también hasta hay cada todos muy",
    "fr": "le les des du et en un une que qui pour par avec se sa son ses est sont fut ne pas plus mais comme quand où "
    "aux au ce cette ces dans sur sans entre il elle ils elles été leur leurs chaque tous très",
}
STOP_WORDS: Mapping[str, frozenset[str]] = {code: frozenset(words.split()) for code, words in _STOP_WORDS.items()}
_ALL_STOP_WORDS = frozenset().union(*STOP_WORDS.values())
_LETTERS_OF = {"pt": "ãõç", "es": "ñ", "fr": "èœûç"}
_LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def words(text: str) -> list[str]:
    """The words of a text in lower case, accents kept, numbers left out."""
    return [word.casefold() for word in _LETTERS.findall(unicodedata.normalize("NFC", text))]


def detect(text: str) -> str | None:
    """`en`, `pt`, `es` or `fr`; None when the text is too short or too mixed to tell."""
    found = words(text[:ENOUGH_CHARS])
    scores = {code: float(sum(word in stops for word in found)) for code, stops in STOP_WORDS.items()}
    for code, letters in _LETTERS_OF.items():
        scores[code] += 0.5 * sum(letter in word for word in found for letter in letters)
    ranked = sorted(scores.items(), key=lambda entry: -entry[1])
    (best, most), (_, second) = ranked[0], ranked[1]
    return best if most >= 1 and most > second else None


def fold(text: str) -> str:
    """Lower case without accents; for comparing, never for showing."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The first letters of a folded word, without a plural `s`: enough to match forms and cognates."""
    folded = fold(word)
    if len(folded) > MIN_TERM_LETTERS and folded.endswith("s") and not folded.endswith("ss"):
        folded = folded[:-1]
    return folded[:STEM_LETTERS]


def terms(text: str) -> list[str]:
    """Stems of the content words in order, with repeats: no stop word of any language, no word below three letters."""
    return [stem(word) for word in words(text) if len(word) >= MIN_TERM_LETTERS and word not in _ALL_STOP_WORDS]


def overlap(asked: Iterable[str], found: Iterable[str]) -> float:
    """Share of the asked stems that are found, 0 to 1; 0 when nothing is asked."""
    wanted = set(asked)
    return len(wanted & set(found)) / len(wanted) if wanted else 0.0
