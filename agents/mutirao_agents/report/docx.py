"""`report.docx`: the same report for Word."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from docx import Document
from docx.shared import Pt

from mutirao_agents.evidence import Evidence
from mutirao_agents.report.citations import cited_ids
from mutirao_agents.report.markdown import words
from mutirao_agents.report.prose import Origin, Prose

# A fixed time: the same report is the same file.
_MADE = datetime(2000, 1, 1, tzinfo=UTC)
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])


def docx(topic: str, language: str, prose: Prose, evidence: Mapping[str, Evidence]) -> bytes:
    """The file: headings, sentences with their markers, quotes in italics, and the list of sources."""
    document: Any = Document()
    properties = document.core_properties
    properties.title, properties.author, properties.language = _plain(topic)[:255], "Mutirão", language
    properties.created = properties.modified = _MADE
    document.add_heading(_plain(topic), level=0)
    for section, entries in groupby(prose["sentences"], key=lambda entry: entry["section"]):
        document.add_heading(_plain(section), level=1)
        for dispute, group in groupby(entries, key=lambda entry: entry["dispute"]):
            if dispute is not None:
                document.add_paragraph().add_run(words(language)["differ"]).italic = True
                for entry in group:
                    _sentence(document.add_paragraph(style="List Bullet"), entry)
            else:
                paragraph = document.add_paragraph()
                for entry in group:
                    _sentence(paragraph, entry)
    _sources(document, language, [evidence[name] for name in cited_ids(prose)])
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _sentence(paragraph: Any, entry: Mapping[str, Any]) -> None:
    run = paragraph.add_run(_plain(entry["text"]))
    run.italic = entry["origin"] == Origin.QUOTE
    marker = paragraph.add_run(" " + "".join(f"[{name}]" for name in entry["citations"]) + " ")
    marker.font.size = Pt(8)


def _sources(document: Any, language: str, items: list[Evidence]) -> None:
    say = words(language)
    document.add_heading(say["sources"], level=1)
    for item in items:
        paragraph = document.add_paragraph()
        paragraph.add_run(f"[{item['id']}] ").bold = True
        place = f"{say['page']} {item['page']}, {say['characters']} {item['start']}–{item['end']}"
        paragraph.add_run(f"{_plain(item['document_name'])}, {place}: ")
        paragraph.add_run(_plain(" ".join(item["quote"].split()))).italic = True


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return text.translate(_CONTROL).encode("utf-8", "replace").decode()
