"""Checks a report against its sources from the outside: reads files, imports nothing of Mutirão.

`python tests/citation_check.py REPORT_FOLDER SOURCE_FOLDER…`: every quote of `citations.json` is looked up in the source
file it names, at its offset; every sentence must cite; every number of a sentence must be in a quote it cites.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f]\d+)*")


def text_of(path: Path, citation: dict[str, Any]) -> tuple[str, int, int]:
    """A source's text and the span of the quote in it: of the whole file, or of the page for a PDF."""
    if citation["document"]["media_type"].startswith("application/pdf"):
        import pypdfium2

        page = pypdfium2.PdfDocument(path)[citation["page"] - 1].get_textpage().get_text_range()
        return page, citation["start"] - citation["page_start"], citation["end"] - citation["page_start"]
    with path.open(encoding="utf-8", newline="") as file:
        return file.read(), citation["start"], citation["end"]


def problems(report: Path, sources: list[Path]) -> list[str]:
    """What is wrong; empty when every quote and number is backed."""
    listed = json.loads((report / "citations.json").read_text(encoding="utf-8"))
    files = {path.name: path for folder in sources for path in folder.rglob("*") if path.is_file()}
    found, quotes = [], {}
    for citation in listed["citations"]:
        quotes[citation["id"]] = citation["quote"]
        name = Path(citation["document"]["name"]).name
        if name not in files:
            found.append(f"{citation['id']}: no source {name!r}")
            continue
        text, start, end = text_of(files[name], citation)
        if text[start:end] != citation["quote"]:
            found.append(f"{citation['id']}: {text[start:end]!r} stands there, not {citation['quote']!r}")
    for sentence in listed["sentences"]:
        cited = [quotes[name] for name in sentence["citations"] if name in quotes]
        if not cited or len(cited) < len(sentence["citations"]):
            found.append(f"not cited: {sentence['text']!r}")
        known = {number for quote in cited for number in NUMBER.findall(quote)}
        missing = set(NUMBER.findall(sentence["text"])) - known
        if missing:
            found.append(f"numbers {sorted(missing)} of {sentence['text']!r} are in no quote it cites")
    return found + _body_numbers((report / "report.md").read_text(encoding="utf-8"), listed["topic"], quotes)


def _body_numbers(report: str, topic: str, quotes: dict[str, str]) -> list[str]:
    """Numbers of the report's own text, above its sources, that no quote has."""
    body = re.split(r"^## (?:Sources|Fontes)$", report, flags=re.MULTILINE)[0].partition("\n")[2]
    plain = re.sub(r"\[E\d+\]", "", body).replace("\\", "")
    known = {number for quote in quotes.values() for number in NUMBER.findall(quote)} | set(NUMBER.findall(topic))
    return [
        f"number {number!r} of the report is in no quote" for number in NUMBER.findall(plain) if number not in known
    ]


def main() -> int:
    """Print what is wrong; exit status 1 when something is."""
    found = problems(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
    print("\n".join(found) or "every quote is at its offset, every sentence cites, every number is backed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
