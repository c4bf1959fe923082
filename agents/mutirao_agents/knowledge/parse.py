"""Documents to text and blocks.

A text-like file's text is its bytes decoded and nothing else, so that
`open(path, encoding="utf-8", newline="").read()[start:end]` is what a citation quotes. Binary formats are read by a child
process (`extract`) that is limited in memory and time and is killed when its job is cancelled.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutirao.errors import DocumentUnreadable, TooLarge
from mutirao.knowledge.media import CSV, DOCX, HTML, PDF, TSV, charset_of, decode, essence
from mutirao.knowledge.terms import language_of
from mutirao.settings import KnowledgeSettings

from mutirao_agents.knowledge.blocks import BlockKind, layout_of, scan
from mutirao_agents.knowledge.extract import Limits

_BINARY = {PDF: "pdf", DOCX: "docx", HTML: "html"}
# Run by path, for `-m` would import this package and with it LangGraph: 2 s and 100 MB a document. `-I` keeps the
# script's folder and the environment off the child's import path.
_CHILD = [sys.executable, "-I", str(Path(__file__).with_name("extract.py"))]

_FURNITURE_LINES = 4
_FURNITURE_PAGES = 3
_PAGE_NUMBER = re.compile(r"(?:p(?:age|ágina|ág|g)?\.?\s*)?\d+(?:\s*(?:of|de|/|\||-)\s*\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block with its page (from 1) and the titles it stands under, outermost first; a heading is in its own path."""

    kind: BlockKind
    page: int
    start: int
    end: int
    heading: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ParsedDocument:
    """A document's text and what it is made of; every offset counts characters of `text`.

    `page_starts` has one entry a page, and one for a document without pages. `media_type` says the charset of a text
    file that is not UTF-8.
    """

    text: str
    page_starts: list[int]
    blocks: list[PlacedBlock]
    language: str | None
    media_type: str


async def parse(name: str, data: bytes, media_type: str, settings: KnowledgeSettings) -> ParsedDocument:
    """Take a document's text out, and its blocks.

    Raises:
        DocumentUnreadable: it is damaged, protected, or has no text; the message says which and what to do.
        TooLarge: it has more pages or characters than the settings allow.
    """
    kind = _BINARY.get(essence(media_type))
    if kind is None:
        text, media_type = await asyncio.to_thread(_decoded, data, media_type)
        page_starts = [0]
    else:
        text, page_starts = await _extract(name, data, kind, settings)
    if len(text) > settings.max_document_chars:
        raise _too_long(name, settings)
    if not any(c.isalnum() for c in text):
        what = "it is scanned: run OCR on it first" if kind == "pdf" else "there is nothing to find in it"
        raise DocumentUnreadable(f"{name!r} holds no text; {what}", name=name)
    return await asyncio.to_thread(parsed, text, page_starts, media_type)


def parsed(text: str, page_starts: list[int], media_type: str) -> ParsedDocument:
    """A document whose text is known already; the same text always gives the same blocks."""
    blocks = list(_placed(text, page_starts, media_type))
    return ParsedDocument(
        text=text, page_starts=page_starts, blocks=blocks, language=language_of(text), media_type=media_type
    )


def _decoded(data: bytes, media_type: str) -> tuple[str, str]:
    declared = charset_of(media_type)
    if declared:
        try:
            return data.decode(declared), media_type
        except (UnicodeDecodeError, LookupError):
            media_type = essence(media_type)
    text, charset = decode(data)
    return text, media_type if charset == "utf-8" else f"{media_type}; charset={charset}"


def _placed(text: str, page_starts: Sequence[int], media_type: str) -> Iterator[PlacedBlock]:
    layout = layout_of(media_type)
    furniture = _furniture(text, page_starts)
    path: list[tuple[int, str]] = []
    for page, (start, end) in enumerate(_page_spans(text, page_starts), start=1):
        # A title without a number is a guess on a page of print: it holds for its page only.
        path = [(level, title) for level, title in path if title[:1].isdigit()]
        for first, last in _without(furniture.get(page, []), start, end):
            for block in scan(text, first, last, layout):
                if block.kind is BlockKind.HEADING:
                    path = [(level, title) for level, title in path if level < block.level]
                    path.append((block.level, text[block.start : block.end]))
                yield PlacedBlock(block.kind, page, block.start, block.end, tuple(title for _, title in path))
                if essence(media_type) in (CSV, TSV) and not path:
                    # The rows of a table stand under its first one: alone, "3,Silva,12.5" says nothing.
                    path = [(1, text[block.start : block.end])]


def _page_spans(text: str, page_starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Span of each page's text, without the form feed between pages."""
    for start, following in zip(page_starts, [*page_starts[1:], len(text) + 1], strict=True):
        yield start, following - 1


def _without(holes: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    for first, last in holes:
        yield start, first
        start = last
    yield start, end


def _furniture(text: str, page_starts: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """Running heads, feet and page numbers, by page: lines that stand at the edge of most pages.

    The first page that has one keeps it, so that nothing a document says is lost.
    """
    edges: dict[int, list[tuple[str, tuple[int, int]]]] = {}
    for page, span in enumerate(_page_spans(text, page_starts), start=1):
        lines = [found.span() for found in re.finditer(r"[^\r\n]*\S[^\r\n]*", text[span[0] : span[1]])]
        near = lines[:_FURNITURE_LINES] + lines[max(_FURNITURE_LINES, len(lines) - _FURNITURE_LINES) :]
        edges[page] = [(_edge_key(text[span[0] + a : span[0] + b]), (span[0] + a, span[0] + b)) for a, b in near]
    counts = Counter(key for found in edges.values() for key in {key for key, _ in found})
    needed = max(_FURNITURE_PAGES, len(page_starts) // 2)
    seen: set[str] = set()
    holes: dict[int, list[tuple[int, int]]] = {}
    for page, found in edges.items():
        holes[page] = [span for key, span in found if key in seen and counts[key] >= needed]
        seen.update(key for key, _ in found)
    return holes


def _edge_key(line: str) -> str:
    plain = " ".join(line.casefold().split())
    return "#" if _PAGE_NUMBER.fullmatch(plain) else plain


async def _extract(name: str, data: bytes, kind: str, settings: KnowledgeSettings) -> tuple[str, list[int]]:
    limits = Limits(
        kind=kind,
        max_pages=settings.max_document_pages,
        max_chars=settings.max_document_chars,
        memory_bytes=settings.parse_memory_bytes,
        cpu_seconds=int(settings.parse_seconds) + 1,
    )
    output = await _child_output(name, data, limits, settings.parse_seconds)
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:
        raise DocumentUnreadable(
            f"{name!r} made its reader crash; the file is damaged: open it in another program and save it again",
            name=name,
        ) from None
    if "error" in answer:
        raise _refusal(name, answer, settings)
    return answer["text"], answer["page_starts"]


async def _child_output(name: str, data: bytes, limits: Limits, seconds: float) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *_CHILD, limits.dump(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(data)
    except TimeoutError:
        raise DocumentUnreadable(
            f"reading {name!r} took longer than {seconds:g} s; MUTIRAO_PARSE_SECONDS raises the limit", name=name
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output


def _refusal(name: str, answer: dict[str, Any], settings: KnowledgeSettings) -> Exception:
    if answer["code"] == "too_many_chars":
        return _too_long(name, settings)
    if answer["code"] == "too_many_pages":
        return TooLarge(f"{name!r}: {answer['error']}; MUTIRAO_MAX_DOCUMENT_PAGES raises the limit", name=name)
    if answer["code"] == "memory":
        return DocumentUnreadable(
            f"{name!r}: {answer['error']}; MUTIRAO_PARSE_MEMORY_BYTES raises the limit", name=name
        )
    return DocumentUnreadable(f"{name!r} cannot be read: {answer['error']}", name=name)


def _too_long(name: str, settings: KnowledgeSettings) -> TooLarge:
    return TooLarge(
        f"the text of {name!r} is longer than {settings.max_document_chars} characters; "
        "MUTIRAO_MAX_DOCUMENT_CHARS raises the limit, or split the document", name=name,
    )  # fmt: skip
