"""A quote as people read it: without the mark-up of its file, on one line, every number kept."""

import re
from html import unescape

from mutirao_agents.text.numbers import digits
from mutirao_agents.text.tokens import visible

_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"</?[A-Za-z][^<>]*>"), " "),
    (re.compile(r"\[\^[^\]\s]+\]:?"), ""),  # footnotes
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # images
    (re.compile(r"\[([^\]]+)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)"), r"\1"),  # links
    (re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(?:#{1,6}|[-*+•])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"\A\s*\d{1,2}[.)][ \t]+(?=\D)"), ""),  # the marker of a numbered list
    (re.compile(r"(?<!\w)(\*\*\*|\*\*|\*|___|__|_|~~)(?=\S)(.+?)(?<=\S)\1(?!\w)", re.DOTALL), r"\2"),
    (re.compile(r"`+([^`]+)`+"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])"), r"\1"),
    (re.compile(r"[ \t]*\|[ \t]*"), "; "),  # cells of a table row
)


def shown(quote: str) -> str:
    """`quote` without Markdown and HTML mark-up, white space folded.

    Only footnote marks, link targets and the number of a list item go with the mark-up. Were the cleaning to make a
    number that the quote does not have, the quote is given with white space folded and nothing else.
    """
    plain = quote
    for pattern, replacement in _STEPS:
        plain = pattern.sub(replacement, plain)
    plain = visible(unescape(plain)).strip("; ").strip()
    raw = visible(quote)
    return plain if plain and not digits(plain) - digits(raw) else raw


def sentence(text: str) -> str:
    """`text` as a sentence: visible, first letter large, one stop at its end."""
    plain = visible(text).strip()
    if plain and plain[0].islower():
        plain = plain[0].upper() + plain[1:]
    return plain if plain.endswith((".", "!", "?", "…", ".”", '."', "!”", "?”")) else f"{plain.rstrip(',;:- ')}."
