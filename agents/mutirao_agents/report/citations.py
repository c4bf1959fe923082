"""`citations.json`: every sentence of a report with the evidence it cites, and every quote with its place.

::

    {"schema": 1, "topic": str, "language": str,
     "sentences": [{"text", "section", "origin": "model" | "quote", "citations": ["E1"], "dispute": int | null}],
     "citations": [{"id": "E1", "document": {"id", "name", "version", "sha256", "media_type"},
                    "page", "page_start", "start", "end", "quote"}]}

Offsets count characters of the document's text, so that `text[start:end] == quote`. For text files (Markdown, plain
text, CSV, source code) that text is the file itself: `open(path, encoding="utf-8", newline="").read()`. For PDF it is
the pages' text as pypdfium2 gives it, and `start - page_start` is the offset in the text of page `page` (from 1). For
other formats the API serves it at `/api/v1/documents/<id>/text`.
"""

from collections.abc import Mapping
from typing import Any

from mutirao_agents.evidence import Evidence
from mutirao_agents.report.prose import Prose

SCHEMA = 1


def cited_ids(prose: Prose) -> list[str]:
    """Ids of the evidence a report cites, each once, in the order of their first citation."""
    return [*dict.fromkeys(name for entry in prose["sentences"] for name in entry["citations"])]


def citations(topic: str, language: str, prose: Prose, evidence: Mapping[str, Evidence]) -> dict[str, Any]:
    """The content of `citations.json`."""
    return {
        "schema": SCHEMA,
        "topic": topic,
        "language": language,
        "sentences": [dict(entry) for entry in prose["sentences"]],
        "citations": [_citation(evidence[name]) for name in cited_ids(prose)],
    }


def _citation(item: Evidence) -> dict[str, Any]:
    return {
        "id": item["id"],
        "document": {
            "id": item["document_id"],
            "name": item["document_name"],
            "version": item["version"],
            "sha256": item["document_sha256"],
            "media_type": item["media_type"],
        },
        "page": item["page"],
        "page_start": item["page_start"],
        "start": item["start"],
        "end": item["end"],
        "quote": item["quote"],
    }
