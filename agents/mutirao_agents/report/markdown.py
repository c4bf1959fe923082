"""`report.md`. Its body has no number that is not in a sentence: neither numbered headings nor a date of making."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

from mutirao_agents.evidence import Evidence
from mutirao_agents.report.citations import cited_ids
from mutirao_agents.report.prose import Origin, Prose, Sentence
from mutirao_agents.text.tokens import visible

WORDS = {
    "en": {
        "sources": "Sources",
        "version": "version",
        "page": "page",
        "characters": "characters",
        "differ": "The documents differ:",
    },
    "pt": {
        "sources": "Fontes",
        "version": "versão",
        "page": "página",
        "characters": "caracteres",
        "differ": "Os documentos divergem:",
    },
}
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~]|&(?=#?\w+;)|^[-+=](?=\s|$))")


def words(language: str) -> dict[str, str]:
    """The report's own words in a language; English where it does not speak it."""
    return WORDS.get(language, WORDS["en"])


def markdown(topic: str, language: str, prose: Prose, evidence: Mapping[str, Evidence]) -> str:
    """The report: title, sections, sentences with their markers `[E1]`, and the sources with their quotes."""
    lines = [f"# {escaped(topic)}", ""]
    for section, entries in groupby(prose["sentences"], key=lambda entry: entry["section"]):
        lines += [f"## {escaped(section)}", "", *_section(list(entries), language)]
    lines += [f"## {words(language)['sources']}", ""]
    lines += [line for name in cited_ids(prose) for line in _source(evidence[name], language)]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\1", text)


def _section(entries: list[Sentence], language: str) -> Iterator[str]:
    for dispute, group in groupby(entries, key=lambda entry: entry["dispute"]):
        if dispute is not None:
            yield from (f"*{words(language)['differ']}*", "")
            for entry in group:
                yield f"- {_marked(entry)}"
        else:
            yield " ".join(_marked(entry) for entry in group)
        yield ""


def _marked(entry: Sentence) -> str:
    text = escaped(entry["text"])
    quoted = f"“{text}”" if entry["origin"] == Origin.QUOTE else text
    return f"{quoted} {''.join(f'[{name}]' for name in entry['citations'])}"


def place(item: Evidence, language: str) -> str:
    """Where a quote stands: version of the document, page, characters."""
    say = words(language)
    span = f"{item['start']}–{item['end']}"
    return f"{say['version']} {item['version']}, {say['page']} {item['page']}, {say['characters']} {span}"


def _source(item: Evidence, language: str) -> Iterator[str]:
    yield f"- **[{item['id']}]** {escaped(visible(item['document_name']))}, {place(item, language)}:"
    yield f"  > {escaped(visible(item['quote']))}"
    yield ""
