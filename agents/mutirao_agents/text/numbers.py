"""The numbers of a text: digits in English and Portuguese writing, number words, fractions."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from mutirao_agents.text.tokens import THOUSANDS_SPACES, Kind, Token, tokens

WORDS: Mapping[str, Fraction] = {
    word: Fraction(value)
    for value, names in {
        "0": "zero",
        "2": "two dois duas both ambos ambas",
        "3": "three três",
        "4": "four quatro",
        "5": "five cinco",
        "6": "six seis",
        "7": "seven sete",
        "8": "eight oito",
        "9": "nine nove",
        "10": "ten dez",
        "11": "eleven onze",
        "12": "twelve doze dozen dozens dúzia dúzias",
        "13": "thirteen treze",
        "14": "fourteen quatorze catorze",
        "15": "fifteen quinze",
        "16": "sixteen dezesseis dezasseis",
        "17": "seventeen dezessete dezassete",
        "18": "eighteen dezoito",
        "19": "nineteen dezenove dezanove",
        "20": "twenty vinte score",
        "30": "thirty trinta",
        "40": "forty quarenta",
        "50": "fifty cinquenta",
        "60": "sixty sessenta",
        "70": "seventy setenta",
        "80": "eighty oitenta",
        "90": "ninety noventa",
        "100": "hundred hundreds cem cento centena centenas",
        "200": "duzentos duzentas",
        "300": "trezentos trezentas",
        "400": "quatrocentos quatrocentas",
        "500": "quinhentos quinhentas",
        "600": "seiscentos seiscentas",
        "700": "setecentos setecentas",
        "800": "oitocentos oitocentas",
        "900": "novecentos novecentas",
        "1000": "thousand thousands mil milhar milhares",
        "1000000": "million millions milhão milhões",
        "1000000000": "billion billions bilhão bilhões",
        "1/2": "half halves metade metades meio meia",
        "1/3": "third thirds terço terços",
        "1/4": "quarter quarters",
        "1": "single once única único",
    }.items()
    for word in names.split()
}
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth primeiro primeira segundo segunda terceiro "
    "terceira quarto quarta quinto quinta sexto sexta sétimo sétima oitavo oitava nono nona décimo décima twice double "
    "doubled tripled dobro triplo"
)
ORDINALS = frozenset(_ORDINALS.split())


def written(text: str) -> Counter[str]:
    """The numbers of a text as they are written, each as often as it stands there: digits, fractions, number words.

    A number counts as found in another text only when it is written alike there: `1.234` is one thing in English and
    another in Portuguese, so nothing is converted.
    """
    return Counter(token.norm for token in tokens(text) if is_number(token))


def digits(text: str) -> Counter[str]:
    """Only the numbers written with digits, as `written` gives them; also those inside words, as 2 in CO2."""
    return Counter(run for token in tokens(text) for run in _digit_runs(token))


def is_number(token: Token) -> bool:
    """Whether a token states a number: digits, a fraction or other numeral sign, a number word, a word with digits."""
    if token.kind is Kind.NUMBER or token.norm in WORDS or token.norm in ORDINALS:
        return True
    return any(unicodedata.category(letter) in {"Nd", "No", "Nl"} for letter in token.norm)


def value(token: Token, language: str | None) -> Fraction | None:
    """What a number token is worth when read in a language; None when it is not a plain number."""
    if token.norm in WORDS:
        return WORDS[token.norm]
    if token.kind is not Kind.NUMBER:
        return None
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in token.norm)
    for space in THOUSANDS_SPACES + "'":
        plain = plain.replace(space, "")
    thousands, point = (".", ",") if language in ("pt", "es", "fr") else (",", ".")
    try:
        return Fraction(plain.replace("٬", "").replace("٫", point).replace(thousands, "").replace(point, "."))
    except ValueError:
        return None


def values_before(sequence: Sequence[Token], place: int, language: str | None) -> Fraction | None:
    """The value of the number that ends just before a place, `40 thousand` read as one; None when there is none."""
    end = place
    found: Fraction | None = None
    while place > 0 and end - place < 3:
        before = value(sequence[place - 1], language)
        if before is None or (found is not None and found < 100):
            break
        found = before if found is None else found * before
        place -= 1
    return found


def _digit_runs(token: Token) -> list[str]:
    if token.kind is Kind.NUMBER:
        return [token.norm]
    runs, run = [], ""
    for letter in token.norm + " ":
        if letter.isdigit():
            run += letter
        elif run:
            runs.append(run)
            run = ""
    return runs
