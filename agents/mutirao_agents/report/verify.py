"""Verification: a sentence of the model stands in the report only when a quote it cites says it.

Pure and deterministic. The rule is `readings`: the sentence must be one of the ways a cited sentence may be written
again. Whatever else it says, however likely, it is replaced by the quote itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mutirao_agents.evidence import Evidence, needs_context
from mutirao_agents.knowledge.sentences import sentence_spans
from mutirao_agents.report.facts import Reason, nearest, unlike
from mutirao_agents.report.readings import is_reading
from mutirao_agents.text.display import shown
from mutirao_agents.text.tokens import bare, tokens

WHOLE_QUOTE = -1
# A second, independent net under `readings`.
FATAL = frozenset({Reason.NUMBER, Reason.UNIT, Reason.NAME, Reason.NEGATION})


@dataclass(frozen=True)
class Verdict:
    """`evidence` is the id of the quote that says the sentence, None when none does; `part` is which of the quote's
    sentences it is, or WHOLE_QUOTE. `reasons` is empty when it is supported."""

    evidence: str | None
    part: int = WHOLE_QUOTE
    reasons: tuple[Reason, ...] = ()

    @property
    def supported(self) -> bool:
        return self.evidence is not None


def in_source(item: Evidence, texts: Mapping[str, str]) -> bool:
    """Whether a quote stands in its document at its offset, word for word. `texts` are document texts by id."""
    text = texts.get(item["document_id"])
    return text is not None and 0 <= item["start"] < item["end"] and text[item["start"] : item["end"]] == item["quote"]


def check(text: str, cited: Sequence[Evidence]) -> Verdict:
    """Whether one of the cited quotes says `text`, a sentence or a few; the quotes must be `in_source`."""
    if not cited:
        return Verdict(None, reasons=(Reason.UNCITED,))
    for item in cited:
        quote = shown(item["quote"])
        if bare(tokens(text)) == bare(tokens(quote)) and not FATAL & {*unlike(text, quote)}:
            return Verdict(item["id"])
        for part, sentence in enumerate(parts(item["quote"])):
            # A sentence that points at the one before it cannot stand alone.
            if not (part > 0 and needs_context(sentence)) and _says(sentence, text):
                return Verdict(item["id"], part if len(parts(item["quote"])) > 1 else WHOLE_QUOTE)
    return Verdict(None, reasons=_why_not(text, cited))


def parts(quote: str) -> list[str]:
    """The sentences of a quote as they are shown."""
    return [shown(quote[start:end]) for start, end in sentence_spans(quote, 0, len(quote))]


def _says(sentence: str, text: str) -> bool:
    return is_reading(text, sentence) and not FATAL & {*unlike(text, sentence)}


def _why_not(text: str, cited: Sequence[Evidence]) -> tuple[Reason, ...]:
    sentence = nearest(text, [sentence for item in cited for sentence in parts(item["quote"])])
    return tuple(unlike(text, sentence or "")) or (Reason.ORDER,)
