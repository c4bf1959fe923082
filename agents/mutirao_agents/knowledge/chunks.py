"""Chunks: whole sentences packed to about one length, each a span of its page."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from mutirao.ids import stable_id
from mutirao.knowledge.records import NewChunk

from mutirao_agents.knowledge.blocks import Block, BlockKind, stripped
from mutirao_agents.knowledge.parse import ParsedDocument, PlacedBlock
from mutirao_agents.knowledge.sentences import block_sentences

# A chunk may be this much longer than asked, when otherwise a scrap would be left over at a section's end.
_STRETCH = 1.4
_SCRAP = 0.4
# From this share of the asked length on, a chunk rather ends with its paragraph than with the next one's first sentence.
_FULL_ENOUGH = 0.6
# A longer sentence is cut at a space: a table without line ends, base64, a machine's log.
_LONGEST = 2
_HEADING_CHARS = 300
# Never between a character and what modifies it: combining marks, joiners, variation and skin tone selectors.
_MODIFIER = re.compile("[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u200c\u200d\u20d0-\u20ff"
                       "\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or part of one that is too long, with what a chunk must know of its place."""

    start: int
    end: int
    page: int
    heading: tuple[str, ...]
    begins_section: bool
    begins_block: bool


def chunk_document(document: ParsedDocument, document_id: UUID, chars: int) -> list[NewChunk]:
    """The chunks of a document, in order; the same document always gives the same, ids included.

    A chunk is about `chars` long, lies on one page and in one section, and never cuts a sentence of up to twice
    `chars`. What has no letter or digit is in no chunk.
    """
    chunks: list[NewChunk] = []
    for section in _sections(_pieces(document, chars)):
        for first, last in _packed(section, chars):
            text = document.text[first.start : last.end]
            if any(c.isalnum() for c in text):
                ordinal, heading = len(chunks), heading_text(last.heading)
                chunks.append(
                    NewChunk(
                        id=stable_id("chunk", document_id, ordinal, heading, text),
                        ordinal=ordinal,
                        page=first.page,
                        start=first.start,
                        end=last.end,
                        heading=heading,
                        text=text,
                    )
                )
    return chunks


def heading_text(path: Sequence[str]) -> str:
    """A heading path on one line, outermost first."""
    return " > ".join(" ".join(title.split()) for title in path)[:_HEADING_CHARS]


def _pieces(document: ParsedDocument, chars: int) -> Iterator[_Piece]:
    before: PlacedBlock | None = None
    # A block without a letter has no sentence: the section it would have begun then begins with the next one.
    section = True
    for block in document.blocks:
        heads = block.kind is BlockKind.HEADING
        # A heading stays with the text below it; headings without text between them stay together.
        if before is not None:
            section = section or before.page != block.page or (heads and before.kind is not BlockKind.HEADING)
            # PostgreSQL keeps no NUL in a text.
            section = section or "\x00" in document.text[before.end : block.start]
        fresh = True
        for sentence in block_sentences(document.text, Block(block.kind, block.start, block.end)):
            for start, end in _cut(document.text, sentence.start, sentence.end, chars):
                yield _Piece(start, end, block.page, block.heading, section, fresh)
                section = fresh = False
        before = block


def _cut(text: str, start: int, end: int, chars: int) -> Iterator[tuple[int, int]]:
    """A span, in parts of about `chars` when it is longer than twice that."""
    while end - start > _LONGEST * chars:
        space = max(text.rfind(mark, start + chars // 2, start + chars) for mark in " \n\t,;")
        stop = space + 1 if space > 0 else start + chars
        while stop < end and (_MODIFIER.match(text, stop) or text[stop - 1] == "\u200d") and stop - start < 2 * chars:
            stop += 1
        yield stripped(text, start, stop)
        start = stripped(text, stop, end)[0]
    if start < end:
        yield start, end


def _sections(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    section: list[_Piece] = []
    for piece in pieces:
        if piece.begins_section and section:
            yield section
            section = []
        section.append(piece)
    if section:
        yield section


def _packed(section: Sequence[_Piece], chars: int) -> list[tuple[_Piece, _Piece]]:
    """First and last piece of each chunk of a section."""
    groups: list[tuple[_Piece, _Piece]] = []
    limit = section[-1].end
    for piece in section:
        if groups:
            first, last = groups[-1]
            grown = piece.end - first.start
            all_of_it = limit - piece.start < _SCRAP * chars and limit - first.start <= _STRETCH * chars
            full = piece.begins_block and grown > chars and last.end - first.start >= _FULL_ENOUGH * chars
            if all_of_it or (grown <= chars and not full):
                groups[-1] = (first, piece)
                continue
        groups.append((piece, piece))
    return groups
