"""Blocks: what a text is made of before it is sentences. Paragraphs, headings, list items, table rows, lines of code.

One scanner serves Markdown, plain text and the text of PDF pages, because all three are lines that may be wrapped.
Everything is told by spans; the text itself is never changed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mutirao.knowledge.media import CSV, DOCX, HTML, MARKDOWN, PDF, PLAIN, TSV, essence


class Layout(StrEnum):
    """How the lines of a text belong together."""

    PROSE = "prose"  # paragraphs whose lines may be wrapped; headings, lists, tables by their marks
    LINES = "lines"  # each line stands alone: source code
    ROWS = "rows"  # each record stands alone; a quoted field may hold line ends


class BlockKind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"  # of a list; its span begins after the mark
    ROW = "row"  # of a table
    CODE = "code"  # one line


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text: `text[start:end]` has no white space at its ends. `level` counts from 1 for headings."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


class _Mark(StrEnum):
    """What a line is by itself."""

    BLANK = "blank"
    TEXT = "text"
    HEADING = "heading"
    RULE = "rule"
    UNDERLINE = "underline"
    ROW = "row"
    BULLET = "bullet"
    NUMBER = "number"
    FENCE = "fence"


@dataclass(frozen=True, slots=True)
class _Line:
    mark: _Mark
    start: int  # of what is said, after the mark
    end: int
    level: int = 0
    lead: int = 0  # of the line itself, after its indent


# Not every end of str.splitlines: \x1c-\x1e are data.
_LINE = re.compile("[^\n\r\f\v\x00\x85\u2028\u2029]*(?:\r\n|[\n\r\f\v\x00\x85\u2028\u2029]|\\Z)")
_BREAKS = "\n\r\f\v\x00\x85\u2028\u2029"
SPACE = " \t\u00a0\u202f\u2009\u3000\ufeff" + _BREAKS
"""What never begins or ends a block or sentence."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_WIKI_HEADING = re.compile(r"((?:=[ \t]?){1,6})(?=[^=\s]).*[^=\s][ \t]*=[= \t]*$")
_FENCE = re.compile(r"(`{3,}|~{3,})[^`]*$")
_UNDERLINE = re.compile(r"(=+|-+)$")
_RULE = re.compile(r"(?:[-*_=~.][ \t]*){3,}$|\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?$")
_ROW = re.compile(r"\|.*\S|[^|]*\|[^|]*\|.*|[^\t]*\S\t+[^\t]+\t.*|.*\.{5,}[ \t]*\d+$")
_BULLET = re.compile(
    r"(?:[-*+•●○▪▫◦‣⁃∙·►➢✓\uf0b7\uf0a7\uf0d8]|\[\^?[\w.-]{1,20}\]:)[ \t\u00a0]+(?=\S)|[•●▪◦‣\uf0b7](?=\w)"
)
_DASH = re.compile(r"[–—][ \t\u00a0]+(?=\S)")
_NUMBER = re.compile(r"(?:\d{1,3}[.)]|[a-zA-Z]\)|[ivxIVX]{2,5}[.)]|\((?:\d{1,2}|[a-z]|[ivx]{2,5})\))[ \t\u00a0]+(?=\S)")
_QUOTE = re.compile(r"(?:>[ \t]?)+")
_SECTION = re.compile(r"(\d{1,2}(?:\.\d{1,2}){1,4}\.?)[ \t]+(?=[^\W\d_a-zß-öø-ÿ])")

_TERMINAL = re.compile(r"[.!?…:;。！？؟।][\"'”’»)\]*_]*$")
_FULL_STOP = re.compile(r"[.!?…。！？؟।][\"'”’»)\]*_]*$")
_GOES_ON = re.compile(
    r"(?:[,(/–—-]|\b(?:the|an?|of|in|on|at|to|by|for|from|with|and|or|as|is|are|was|were|be|that|which|who|than|its|their|"
    r"os?|as|uma?|uns|d[eoa]s?|n[oa]s?|em|ao?s?|à|às|por|pel[oa]s?|para|com|sem|e|ou|que|se|é|foi|são|como|entre|sobre))$",
    re.IGNORECASE,
)
# What a raised reference mark leaves on a line of its own: it belongs to the sentence before.
_LEFT_OVER = re.compile(r"[.,;:!?%)\]]|[(\[]\d[\d\s,;–-]*[)\]]\W*$")
_LABEL = re.compile(r"[^\W\d_a-zß-öø-ÿ][^.:;!?]{1,48}:")
# A line that ends this much short of the others was ended on purpose.
_SHORT = 0.75
_MIN_WIDTH = 32
_MAX_HEADING_CHARS = 100
_MIN_CAPITALS = 4
_LONG_LINE_CHARS = 160
_MAX_RECORD_LINES = 50


def layout_of(media_type: str) -> Layout:
    """How the lines of a text of this media type belong together."""
    kind = essence(media_type)
    if kind in (CSV, TSV):
        return Layout.ROWS
    return Layout.PROSE if kind in (PDF, DOCX, HTML, MARKDOWN, PLAIN) else Layout.LINES


def scan(text: str, start: int = 0, end: int | None = None, layout: Layout = Layout.PROSE) -> Iterator[Block]:
    """The blocks of `text[start:end]` in order; they never overlap and are never empty."""
    stop = len(text) if end is None else min(end, len(text))
    if layout is Layout.ROWS:
        yield from _records(text, start, stop)
    elif layout is Layout.LINES:
        yield from (Block(BlockKind.CODE, *span) for span in _line_spans(text, start, stop) if span[0] < span[1])
    else:
        yield from _prose(text, start, stop)


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends; empty spans end where they start."""
    while start < end and (text[start] in SPACE or text[start].isspace()):
        start += 1
    while start < end and (text[end - 1] in SPACE or text[end - 1].isspace()):
        end -= 1
    return start, end


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    place = start
    while place < end:
        found = _LINE.match(text, place, end)
        assert found is not None
        yield stripped(text, place, found.end())
        place = found.end()
        # A NUL or a form feed parts as a blank line does: no sentence, and so no chunk, has one inside.
        if text[place - 1] in "\x00\f":
            yield place, place


def _records(text: str, start: int, end: int) -> Iterator[Block]:
    """Rows of a table in a text file: lines, joined while a quote is open, unless it is never closed."""
    lines = list(_line_spans(text, start, end))
    number = 0
    while number < len(lines):
        last, quotes = number, text.count('"', *lines[number])
        while quotes % 2 and last + 1 < len(lines) and last - number < _MAX_RECORD_LINES:
            last += 1
            quotes += text.count('"', *lines[last])
        if quotes % 2:
            last = number
        span = stripped(text, lines[number][0], lines[last][1])
        if span[0] < span[1]:
            yield Block(BlockKind.ROW, *span)
        number = last + 1


def _prose(text: str, start: int, end: int) -> Iterator[Block]:
    run: list[_Line] = []
    fenced = False
    for first, last in _line_spans(text, start, end):
        line = _marked(text, first, last)
        if line.mark is _Mark.FENCE:
            yield from _run_blocks(text, run)
            run, fenced = [], not fenced
        elif fenced:
            if first < last:
                yield Block(BlockKind.CODE, first, last)
        elif line.mark is _Mark.BLANK:
            yield from _run_blocks(text, run)
            run = []
        else:
            run.append(line)
    yield from _run_blocks(text, run)


def _marked(text: str, start: int, end: int) -> _Line:
    """What one line is; `start` and `end` are without white space."""
    if start == end:
        return _Line(_Mark.BLANK, start, end)
    quote = _QUOTE.match(text, start, end)
    inner = stripped(text, quote.end(), end)[0] if quote else start
    if inner == end:
        return _Line(_Mark.BLANK, end, end)
    for mark, pattern in ((_Mark.FENCE, _FENCE), (_Mark.UNDERLINE, _UNDERLINE), (_Mark.RULE, _RULE)):
        if pattern.match(text, inner, end):
            return _Line(mark, inner, end, lead=start)
    heading = _HEADING.match(text, inner, end)
    if heading:
        return _Line(_Mark.HEADING, *stripped(text, *heading.span(2)), len(heading.group(1)), start)
    wiki = _WIKI_HEADING.match(text, inner, end)
    if wiki:
        last = inner + len(text[inner:end].rstrip("= \t"))
        return _Line(_Mark.HEADING, wiki.end(1), last, wiki.group(1).count("="), start)
    for mark, pattern in ((_Mark.BULLET, _BULLET), (_Mark.BULLET, _DASH), (_Mark.NUMBER, _NUMBER)):
        found = pattern.match(text, inner, end)
        if found:
            return _Line(mark, found.end(), end, lead=start)
    if _ROW.match(text, inner, end):
        return _Line(_Mark.ROW, inner, end, lead=start)
    return _Line(_Mark.TEXT, inner, end, lead=start)


def _run_blocks(text: str, run: Sequence[_Line]) -> Iterator[Block]:
    """The blocks of lines that no blank line parts."""
    widths = sorted(line.end - line.lead for line in run if line.mark in (_Mark.TEXT, _Mark.BULLET, _Mark.NUMBER))
    # One line much longer than the rest (a table's, say) does not tell how wide the text is set.
    width = widths[len(widths) * 9 // 10] if widths else 0
    group: list[_Line] = []
    for line in run:
        if group and not _belongs(text, group, line, width):
            yield from _group_block(text, group, next_line=line)
            group = []
        if line.mark in (_Mark.RULE, _Mark.UNDERLINE):
            continue
        group.append(line)
    yield from _group_block(text, group)


def _belongs(text: str, group: Sequence[_Line], line: _Line, width: int) -> bool:
    """Whether `line` goes on what `group` began."""
    before = group[-1]
    if before.mark in (_Mark.HEADING, _Mark.ROW) or line.mark in (
        _Mark.HEADING, _Mark.ROW, _Mark.RULE, _Mark.UNDERLINE,
    ):  # fmt: skip
        return False
    if line.mark in (_Mark.BULLET, _Mark.NUMBER):
        return not _may_begin_item(text, group, line)
    return not _ended_on_purpose(text, before, line, width)


def _may_begin_item(text: str, group: Sequence[_Line], line: _Line) -> bool:
    """A bullet always begins an item; a dash where a sentence may have ended, a number where a list goes on or begins."""
    mark = text[line.lead : line.start].strip()
    before = group[-1]
    listed = group[0].mark in (_Mark.BULLET, _Mark.NUMBER)
    if line.mark is _Mark.NUMBER:
        first = mark in ("1.", "1)", "(1)", "a)", "(a)", "i)", "i.", "(i)")
        return listed or first or text[before.end - 1] in ":;"
    if mark in ("–", "—"):
        return listed or bool(_TERMINAL.search(text, max(before.start, before.end - 8), before.end))
    return True


def _ended_on_purpose(text: str, before: _Line, line: _Line, width: int) -> bool:
    """Whether `before` was ended by its writer and not by the right margin."""
    tail = (max(before.start, before.end - 16), before.end)
    if _FULL_STOP.search(text, *tail) and not _SECTION.match(text, line.start, line.end):
        return before.end - before.lead > _LONG_LINE_CHARS
    if text[line.start].islower() or _LEFT_OVER.match(text, line.start, line.end) or _GOES_ON.search(text, *tail):
        return False
    return bool(_SECTION.match(text, line.start, line.end)) or _room_was_left(text, before, line, width)


def _room_was_left(text: str, before: _Line, line: _Line, width: int) -> bool:
    """Whether the first word of `line` would have fitted behind `before`, and more than just so."""
    if _LABEL.fullmatch(text, line.start, line.end):
        return True
    length = before.end - before.lead
    word = re.compile(r"\S*").match(text, line.start, line.end)
    assert word is not None
    room = length + 1 + len(word.group())
    if text[before.end - 1] == ":" and text[line.start].isalnum():
        return room <= width
    return width >= _MIN_WIDTH and room <= _SHORT * width


def _group_block(text: str, group: Sequence[_Line], next_line: _Line | None = None) -> Iterator[Block]:
    if not group:
        return
    first, last = group[0], group[-1]
    start, end = stripped(text, first.start, last.end)
    if start == end:
        return
    level = first.level if first.mark is _Mark.HEADING else 0
    if not level and len(group) == 1:
        level = _heading_level(text, first, next_line)
    if level:
        yield Block(BlockKind.HEADING, start, end, level)
    elif first.mark is _Mark.ROW:
        yield Block(BlockKind.ROW, start, end)
    else:
        kind = BlockKind.PARAGRAPH if first.mark is _Mark.TEXT else BlockKind.ITEM
        yield Block(kind, start, end)


def _heading_level(text: str, line: _Line, next_line: _Line | None) -> int:
    """The level of a line that reads like a heading without a heading's mark, else 0."""
    said = text[line.start : line.end]
    if len(said) > _MAX_HEADING_CHARS or not re.search(r"[^\W\d_]", said):
        return 0
    if next_line is not None and next_line.mark is _Mark.UNDERLINE:
        return 1 if text[next_line.start] == "=" else 2
    if _TERMINAL.search(said):
        return 0
    section = _SECTION.match(said)
    if section:
        return section.group(1).strip(".").count(".") + 1
    letters = [c for c in said if c.isalpha()]
    capitals = len(letters) >= _MIN_CAPITALS and all(c.isupper() for c in letters)
    return 1 if capitals and said.count("(") == said.count(")") else 0
