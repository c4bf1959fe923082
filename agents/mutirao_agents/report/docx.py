"""`report.docx`: the same report for Word. The same report gives the same bytes."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from docx import Document
from docx.shared import Pt

from mutirao_agents.evidence import Evidence
from mutirao_agents.report.citations import cited_ids
from mutirao_agents.report.markdown import place, words
from mutirao_agents.report.prose import Origin, Prose, Sentence
from mutirao_agents.text.tokens import visible

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first a ZIP file can tell
MOST_PROPERTY_CHARS = 255


def docx(
    topic: str, language: str, prose: Prose, evidence: Mapping[str, Evidence], asked_at: datetime | None = None
) -> bytes:
    """The file: headings, sentences with their markers, quotes in quotation marks and italics, and the sources.

    `asked_at`, when the report was asked for, is its date of making in the file's properties; it stands nowhere else.
    """
    document: Any = Document()
    properties = document.core_properties
    properties.title, properties.author, properties.language = visible(topic)[:MOST_PROPERTY_CHARS], "Mutirão", language
    properties.comments = ""  # the default template's name stands there
    properties.created = properties.modified = (asked_at or datetime(*_ZIP_TIME)).replace(tzinfo=None)  # noqa: DTZ001
    document.add_heading(visible(topic), level=0)
    for section, entries in groupby(prose["sentences"], key=lambda entry: entry["section"]):
        document.add_heading(visible(section), level=1)
        _section(document, language, list(entries))
    _sources(document, language, [evidence[name] for name in cited_ids(prose)])
    file = io.BytesIO()
    document.save(file)
    return _timeless(file.getvalue())


def _section(document: Any, language: str, entries: Sequence[Sentence]) -> None:
    for dispute, group in groupby(entries, key=lambda entry: entry["dispute"]):
        if dispute is None:
            paragraph = document.add_paragraph()
            for entry in group:
                _sentence(paragraph, entry)
        else:
            document.add_paragraph().add_run(words(language)["differ"]).italic = True
            for entry in group:
                _sentence(document.add_paragraph(style="List Bullet"), entry)


def _sentence(paragraph: Any, entry: Sentence) -> None:
    quoted = entry["origin"] == Origin.QUOTE
    text = visible(entry["text"])
    paragraph.add_run(f"“{text}”" if quoted else text).italic = quoted
    marker = paragraph.add_run(" " + "".join(f"[{name}]" for name in entry["citations"]) + " ")
    marker.font.size = Pt(8)


def _sources(document: Any, language: str, items: Sequence[Evidence]) -> None:
    document.add_heading(words(language)["sources"], level=1)
    for item in items:
        paragraph = document.add_paragraph()
        paragraph.add_run(f"[{item['id']}] ").bold = True
        paragraph.add_run(f"{visible(item['document_name'])}, {place(item, language)}: ")
        paragraph.add_run(f"“{visible(item['quote'])}”").italic = True


def _timeless(data: bytes) -> bytes:
    """The same ZIP file without the time it was made at."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, _ZIP_TIME), old.read(name), zipfile.ZIP_DEFLATED)
    return made.getvalue()
