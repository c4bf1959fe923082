"""Sentences, in English and Portuguese, as spans of the text: `text[start:end]` is verbatim, line ends and all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mutirao_agents.knowledge.blocks import Block, BlockKind, Layout, scan, stripped


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, heading, table row or line of code; `kind` is that of the block it stands in."""

    start: int
    end: int
    kind: BlockKind


# What may end a sentence, with the quotes, brackets, emphasis and footnote marks that close it.
_END = re.compile(
    r"(?:[.!?…]+|[。！？।؟۔]+)"
    r"(?P<close>(?:[\"'”’»)\]*_`]|\[\^?\w{1,4}(?:[,–-]\s?\w{1,4})*\]|[¹²³⁰⁴-⁹])*)"
    r"(?=\s|$|(?<=[。！？])|(?<=[。！？][”」』）]))"
)
_OPENING = "\"'“‘«([*_`¿¡—–-•"
_WORD_BEFORE = re.compile(r"[^\s(\[{\"“‘«*_/—–]+$")
_BEFORE_CHARS = 40

# Never the end: a name, number or example follows.
_ALWAYS_GOES_ON = frozenset(
    "dr dra drs sr sra srs sras srta prof profa profs profas mr mrs ms mx messrs st sta sto gen col lt sgt capt cel "
    "cap rev hon gov sen rep pres exmo exma ilmo ilma eng enga arq adv av rod pça gal maj ten mons pe fr e.g i.e p.ex "
    "v.g i.a q.v cf vs viz approx aprox ca circa esp incl excl dept univ assn bros ex p.e ref refs tel ver".split()
)
# The end unless a number (or letter, or §) follows: "Fig. 3", "art. 5º", "n.º 7", "pp. 3", "Jan. 5".
_BEFORE_NUMBERS = frozenset(
    "fig figs tab tabs eq eqs no nos nr nº n.º n.ºs nºs n num núm art arts arte p pp pg pgs pág págs vol vols cap caps "
    "chap ch sec secs séc sect par para inc al lin ed eds apt bl lt qd km cv jan feb fev mar apr abr may mai jun jul "
    "aug ago sep sept set oct out nov dec dez app apx anex item ap r lei dec c".split()
)
# The end only when what follows begins as a new sentence does: "the U.S. Army" against "the U.S. The army".
_MAY_END = frozenset(
    "etc inc ltd ltda co corp cia jr sr a.m p.m u.s u.k u.n e.u e.u.a eua d.c a.c d.c b.c a.d ph.d m.d b.a m.a s.a al "
    "s.a.r.l est org orgs trad obs min max máx mín hab aprox".split()
)
_STARTERS = frozenset(
    "the a an it its he she they we you i in on at this that these those there here however but and or so when while "
    "if as for from with by to after before since although because both each all some many most one our their his her "
    "o a os as um uma uns umas ele ela eles elas isso isto este esta estes estas esse essa esses essas aquele aquela em "
    "no na nos nas de do da dos das mas e ou se quando enquanto para por com sem já não também segundo após antes "
    "durante desde embora porém contudo entretanto cada todos todas alguns muitos seu sua seus suas foi são é há ao à "
    "what who how why where que quem como onde".split()
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.?-?)?[^\W\d_]")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
_NUMBER_NEXT = re.compile(r"[\dIVXLC§#º°]+\b|[§#]|[A-Z]\b|[a-z]\)")
_NEXT_WORD = re.compile(r"[^\W\d_]+(?=[^\w.]|$)")


def sentences(text: str, start: int = 0, end: int | None = None, layout: Layout = Layout.PROSE) -> Iterator[Sentence]:
    """The sentences of `text[start:end]` in order.

    They do not overlap, each has a letter or digit, and none has white space at its ends. None crosses a block: a heading, a list
    item or a table row never joins the text beside it. A paragraph wrapped over lines is not parted at line ends.
    """
    for block in scan(text, start, end, layout):
        yield from block_sentences(text, block)


def sentence_spans(
    text: str, start: int = 0, end: int | None = None, layout: Layout = Layout.PROSE
) -> list[tuple[int, int]]:
    """`sentences` as plain `(start, end)` pairs."""
    return [(sentence.start, sentence.end) for sentence in sentences(text, start, end, layout)]


def block_sentences(text: str, block: Block) -> Iterator[Sentence]:
    """The sentences of one block; a heading, row or line of code is one."""
    if block.kind not in (BlockKind.PARAGRAPH, BlockKind.ITEM):
        yield from _said(text, block.start, block.end, block.kind)
        return
    place = block.start
    for found in _END.finditer(text, block.start, block.end):
        if found.end() > place and _ends(text, found, place, block.end):
            yield from _said(text, place, found.end(), block.kind)
            place = found.end()
    yield from _said(text, place, block.end, block.kind)


def _said(text: str, start: int, end: int, kind: BlockKind) -> Iterator[Sentence]:
    """The stretch as a sentence, if it has a letter or digit."""
    first, last = stripped(text, start, end)
    if any(text[place].isalnum() for place in range(first, last)):
        yield Sentence(first, last, kind)


def _ends(text: str, found: re.Match[str], start: int, limit: int) -> bool:
    """Whether the sentence that began at `start` ends with what was found."""
    mark = found.group()[: found.start("close") - found.start()]
    after = _next_place(text, found.end(), limit)
    if after is None:
        return True
    if mark[0] in "。！？।؟۔":
        return True
    follows = text[after]
    if follows.islower():
        return False
    if set(mark) <= {"!", "?"} or "?" in mark or "!" in mark:
        return True
    if mark != ".":
        return follows.isalnum() or found.group("close") != ""
    return _full_stop(text, found, start, after, limit)


def _next_place(text: str, place: int, limit: int) -> int | None:
    """Where the first letter or digit after `place` stands, over white space and opening marks; None at the end."""
    while place < limit and (text[place].isspace() or text[place] in _OPENING):
        place += 1
    return place if place < limit else None


def _full_stop(text: str, found: re.Match[str], start: int, after: int, limit: int) -> bool:
    """Whether a single dot is a full stop and not part of an abbreviation, initial or number."""
    before = _WORD_BEFORE.search(text, max(start, found.start() - _BEFORE_CHARS), found.start())
    word = before.group() if before else ""
    low = word.lower().lstrip("'’")
    if not word or found.group("close").strip("*_"):
        return True
    if low in _ALWAYS_GOES_ON:
        return False
    if low in _BEFORE_NUMBERS and _NUMBER_NEXT.match(text, after, limit):
        return False
    if low in _BEFORE_NUMBERS and low not in ("no", "art", "may", "mar", "set", "out", "par", "para", "item"):
        return _starts_sentence(text, after, limit)
    if low in _MAY_END or _DOTTED.fullmatch(word) or (len(word) == 1 and word.isupper()):
        return _starts_sentence(text, after, limit)
    return True


def _starts_sentence(text: str, after: int, limit: int) -> bool:
    """Whether the word at `after` is one that sentences begin with. "A." is an initial, no word."""
    found = _NEXT_WORD.match(text, after, limit)
    return found is not None and found.group().lower() in _STARTERS
