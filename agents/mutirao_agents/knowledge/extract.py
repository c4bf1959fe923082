"""Take the text out of a binary document: the program of a short-lived child process.

Documents are hostile, so this runs alone, limited in memory and time, and imports nothing of Mutirão. It reads the file
on standard input, its only argument is `Limits` as JSON, and it writes `{"text", "page_starts"}` or `{"error", "code"}`.

The text of a PDF is that of PDFium page by page, joined by form feeds. DOCX and HTML become Markdown-like lines:
headings with `#`, list items with `-`, table rows with `|`.
"""

import io
import json
import re
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

PAGE_BREAK = "\f"
_REMEDY = "; the file is damaged: open it in another program and save it again"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one document may take. `kind` is `pdf`, `docx` or `html`."""

    kind: str
    max_pages: int
    max_chars: int
    memory_bytes: int
    cpu_seconds: int

    def dump(self) -> str:
        return json.dumps(asdict(self))


class Refused(Exception):
    """The document cannot be read; `code` is that of the error its caller raises."""

    def __init__(self, message: str, code: str = "document_unreadable") -> None:
        super().__init__(message)
        self.code = code


def main() -> None:
    """Read, extract, write."""
    limits = Limits(**json.loads(sys.argv[1]))
    _limit(limits)
    try:
        answer = extract(sys.stdin.buffer.read(), limits)
    except Refused as error:
        answer = {"error": str(error), "code": error.code}
    except MemoryError:
        answer = {"error": f"reading it takes more than {limits.memory_bytes} bytes of memory", "code": "memory"}
    except Exception as error:  # noqa: BLE001 (parsers raise anything on a broken file)
        answer = {"error": f"{type(error).__name__}: {error}"[:500] + _REMEDY, "code": "document_unreadable"}
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii"))


def extract(data: bytes, limits: Limits) -> dict[str, Any]:
    """Text and page starts. Raises Refused, or whatever a parser raises."""
    pages = {"pdf": _pdf_pages, "docx": _docx_pages, "html": _html_pages}[limits.kind](data, limits)
    parts: list[str] = []
    starts: list[int] = []
    chars = 0
    for page in pages:
        starts.append(chars)
        parts.append(page)
        chars += len(page) + len(PAGE_BREAK)
        if chars > limits.max_chars:
            raise Refused(f"its text is longer than {limits.max_chars} characters", "too_many_chars")
    return {"text": PAGE_BREAK.join(parts), "page_starts": starts}


def _limit(limits: Limits) -> None:
    """Give up what a parser does not need, for good."""
    wanted = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # macOS has no limit on the address space; the caller's clock still holds
            continue


def _pdf_pages(data: bytes, limits: Limits) -> Iterator[str]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused("it is protected by a password; save it without one") from None
        raise Refused(f"PDFium cannot open it ({error}); the file is damaged or cut short: upload it again") from None
    if len(document) > limits.max_pages:
        raise Refused(f"it has {len(document)} pages, more than {limits.max_pages}", "too_many_pages")
    for number in range(len(document)):
        try:
            page = document[number]
            text_page = page.get_textpage()
            yield text_page.get_text_range()
            text_page.close()
            page.close()
        except pypdfium2.PdfiumError as error:
            raise Refused(f"page {number + 1} cannot be read ({error}); print it to a new PDF") from None


_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _docx_pages(data: bytes, limits: Limits) -> Iterator[str]:
    import docx

    document = docx.Document(io.BytesIO(data))
    names = {style.style_id: (style.name or "") for style in document.styles}
    blocks = list(_docx_blocks(document.element.body, names))
    for part in document.part.package.iter_parts():
        if str(part.partname) == "/word/footnotes.xml":
            blocks += list(_docx_footnotes(part.blob, names))
    yield _joined(blocks)


def _docx_blocks(parent: Any, names: dict[str, str]) -> Iterator[str]:
    for child in parent:
        if child.tag == f"{_W}p":
            yield _docx_paragraph(child, names)
        elif child.tag == f"{_W}tbl":
            for row in child.iterchildren(f"{_W}tr", f"{_W}sdt"):
                cells = [" ".join(_docx_cell(cell, names).split()) for cell in row.iter(f"{_W}tc") if _own(cell, child)]
                yield f"| {' | '.join(cells)} |" if any(cells) else ""
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}smartTag", f"{_W}customXml"):
            yield from _docx_blocks(child, names)


def _own(cell: Any, table: Any) -> bool:
    """Whether a cell is of this table and not of one inside it."""
    return next(cell.iterancestors(f"{_W}tbl")) is table


def _docx_cell(cell: Any, names: dict[str, str]) -> str:
    return " ".join(_docx_paragraph(paragraph, names, mark=False) for paragraph in cell.iter(f"{_W}p"))


def _docx_paragraph(paragraph: Any, names: dict[str, str], *, mark: bool = True) -> str:
    text = "".join(_docx_text(paragraph)).strip()
    if not mark or not text:
        return text
    properties = paragraph.find(f"{_W}pPr")
    style = properties.find(f"{_W}pStyle") if properties is not None else None
    name = names.get(style.get(f"{_W}val"), "").lower() if style is not None else ""
    level = re.fullmatch(r"heading (\d)", name)
    if name == "title" or level:
        return f"{'#' * (min(int(level.group(1)), 6) if level else 1)} {' '.join(text.split())}"
    if name.startswith("list") or (properties is not None and properties.find(f"{_W}numPr") is not None):
        return f"- {text}"
    return text


def _docx_text(paragraph: Any) -> Iterator[str]:
    """The text of a paragraph's runs, without deleted ones; line breaks, tabs and footnote marks stay."""
    for node in paragraph.iter():
        if not isinstance(node.tag, str):
            continue
        tag = node.tag.removeprefix(_W)
        if tag == "t" and next(node.iterancestors(f"{_W}p")) is paragraph:
            raised = node.getparent().find(f"{_W}rPr/{_W}vertAlign[@{_W}val='superscript']") is not None
            yield (node.text or "").translate(_SUPERSCRIPT) if raised else (node.text or "")
        elif tag in ("br", "cr"):
            yield "\n"
        elif tag == "tab" and node.getparent().tag == f"{_W}r":
            yield "\t"
        elif tag == "noBreakHyphen":
            yield "-"
        elif tag == "footnoteReference":
            yield f"[^{node.get(f'{_W}id')}]"


def _docx_footnotes(blob: bytes, names: dict[str, str]) -> Iterator[str]:
    from lxml import etree

    root = etree.fromstring(blob, etree.XMLParser(resolve_entities=False, no_network=True))
    for note in root.iter(f"{_W}footnote"):
        text = " ".join(_docx_paragraph(p, names, mark=False) for p in note.iter(f"{_W}p")).strip()
        if text:
            yield f"[^{note.get(f'{_W}id')}]: {text}"


def _joined(blocks: list[str]) -> str:
    """Blocks parted by blank lines; list items and table rows that follow each other by line ends."""
    before = ""
    parts: list[str] = []
    for block in blocks:
        if not block:
            before = ""
            continue
        tight = before[:2] == block[:2] and block[:2] in ("- ", "| ")
        parts.append(("\n" if tight else "\n\n") if parts else "")
        parts.append(block)
        before = block
    return "".join(parts)


_SKIPPED = {
    "script", "style", "template", "noscript", "svg", "math", "nav", "iframe", "object", "select", "button", "head",
}  # fmt: skip
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "ol", "p", "pre",
    "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LAYOUT_MARKS = ("table", "h1", "h2", "h3", "ul", "ol", "article")
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


def _html_pages(data: bytes, limits: Limits) -> Iterator[str]:
    from lxml import html

    source = _XML_DECLARATION.sub("", _html_text(data))
    if not source.strip():
        return
    root = html.document_fromstring(source.encode("utf-8"), parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
    title = " ".join((root.findtext(".//title") or "").split())
    page = _HtmlPage()
    page.read(root)
    heading = [f"# {title}"] if title and root.find(".//h1") is None else []
    yield _joined(heading + page.blocks)


def _html_text(data: bytes) -> str:
    declared = _META_CHARSET.search(data[:4096])
    for charset in ("utf-8-sig", declared.group(1).decode() if declared else "windows-1252", "windows-1252"):
        try:
            return data.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("iso-8859-1")


class _HtmlPage:
    """Walks a page once, without recursion, and gathers its blocks."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._line: list[str] = []
        self._mark = ""
        self._row: list[str] | None = None
        self._verbatim = 0
        self._layout_tables: set[Any] = set()

    def read(self, root: Any) -> None:
        """Gather the blocks of a parsed page."""
        from lxml import etree

        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, node in walk:
            if event in ("comment", "pi"):
                self._say(node.tail)
            elif self._hidden(node):
                if event == "start":
                    walk.skip_subtree()
                else:
                    self._say(node.tail)
            elif event == "start":
                self._open(node)
            else:
                self._close(node)
        self._flush()

    def _hidden(self, node: Any) -> bool:
        if node.tag in _SKIPPED or "hidden" in node.attrib:
            return True
        style = (node.get("style") or "").replace(" ", "").lower()
        return "display:none" in style or "visibility:hidden" in style

    def _open(self, node: Any) -> None:
        tag = node.tag
        if tag == "table" and any(node.find(f".//{inner}") is not None for inner in _LAYOUT_MARKS):
            self._layout_tables.add(node)
        if tag == "tr" and self._of_data(node):
            self._flush()
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._line = []
        elif tag == "br":
            self._line.append("\n")
        elif tag in _BLOCKS:
            self._break()
            if tag == "li" or tag in _HEADINGS:
                self._mark = "- " if tag == "li" else "#" * int(tag[1]) + " "
            self._verbatim += tag == "pre"
        self._say(node.text, raised=tag == "sup")

    def _close(self, node: Any) -> None:
        tag = node.tag
        if tag in ("td", "th") and self._row is not None:
            self._row.append(" ".join("".join(self._line).split()))
            self._line = []
        elif tag == "tr" and self._row is not None:
            if any(self._row):
                self.blocks.append(f"| {' | '.join(self._row)} |")
            self._row, self._line = None, []
        elif tag in _BLOCKS:
            self._break()
            self._verbatim -= tag == "pre"
            self._mark = "" if tag == "li" or tag in _HEADINGS else self._mark
        self._say(node.tail)

    def _of_data(self, row: Any) -> bool:
        """Whether a row belongs to a table of data; tables that only lay out a page are blocks."""
        table = next(row.iterancestors("table"), None)
        return table is not None and table not in self._layout_tables

    def _say(self, text: str | None, *, raised: bool = False) -> None:
        if text:
            plain = text if self._verbatim else re.sub(r"[ \t\r\n\f]+", " ", text)
            self._line.append(plain.translate(_SUPERSCRIPT) if raised else plain)

    def _break(self) -> None:
        if self._row is None:
            self._flush()
        else:
            self._line.append(" ")

    def _flush(self) -> None:
        said, self._line = "".join(self._line), []
        if self._verbatim:
            text = said.strip("\r\n")
        else:
            text = "\n".join(" ".join(line.split(" ")).strip() for line in said.split("\n")).strip()
            text = re.sub(" {2,}", " ", text)
        if text.strip():
            self.blocks.append(f"```\n{text}\n```" if self._verbatim else self._mark + text)
            self._mark = ""


if __name__ == "__main__":
    main()
