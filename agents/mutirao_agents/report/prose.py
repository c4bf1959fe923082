"""The finished prose: what stands in the report, sentence by sentence, and what became of each the model wrote."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from typing_extensions import TypedDict

from mutirao_agents.contradictions import date_of
from mutirao_agents.evidence import Evidence
from mutirao_agents.knowledge.sentences import sentence_spans
from mutirao_agents.report.facts import Reason
from mutirao_agents.report.verify import WHOLE_QUOTE, Verdict, check, parts
from mutirao_agents.text.display import sentence as as_sentence
from mutirao_agents.text.display import shown
from mutirao_agents.text.numbers import digits
from mutirao_agents.text.tokens import bare, tokens
from mutirao_agents.writer import Draft, Plan


class Origin(StrEnum):
    """Who wrote a sentence of the report."""

    MODEL = "model"  # the model, and a quote says the same
    QUOTE = "quote"  # a document, word for word


class Outcome(StrEnum):
    """What became of a sentence the model wrote."""

    KEPT = "kept"
    REPLACED = "replaced"  # by the quote it cites
    DROPPED = "dropped"


class Sentence(TypedDict):
    """A sentence of the report. `dispute` numbers the statements on which documents differ, None elsewhere."""

    text: str
    section: str
    origin: str
    citations: list[str]
    dispute: int | None


class Written(TypedDict):
    """A sentence the model wrote, and what became of it."""

    text: str
    section: str
    cited: list[str]
    outcome: str
    reasons: list[str]


class Prose(TypedDict):
    """The whole. Plain data, for checkpoints."""

    sentences: list[Sentence]
    written: list[Written]


def compose(
    plan: Sequence[Plan],
    drafts: Sequence[Draft],
    evidence: Mapping[str, Evidence],
    disputes: Sequence[Sequence[str]] = (),
    dates: Mapping[str, Evidence] | None = None,
) -> Prose:
    """The report's prose: every sentence of the drafts that a quote says, and quotes for all else that was planned.

    Args:
        plan: the sections in order, with the evidence each is to use.
        drafts: what the model wrote for the sections; missing sections are made of quotes.
        evidence: the evidence by id, only what is word for word in its document.
        disputes: groups of evidence ids that contradict each other.
        dates: for documents by id, the evidence that says how old they are.

    The same place of a document is used once. Sentences on which documents differ are never the model's: all sides are
    quoted next to each other, the oldest first.
    """
    composer = _Composer(evidence, disputes, dates or {})
    drafted = {draft["section"]: draft for draft in drafts}
    for section in plan:
        draft = drafted.get(section["section"])
        for entry in draft["sentences"] if draft is not None else []:
            composer.write(section["section"], entry["text"], entry["evidence"])
        for name in section["evidence"]:
            composer.quote(section["section"], name)
    return Prose(sentences=composer.sentences, written=composer.written)


class _Composer:
    """Puts sentences down one after the other, and knows what is said already."""

    def __init__(
        self, evidence: Mapping[str, Evidence], disputes: Sequence[Sequence[str]], dates: Mapping[str, Evidence]
    ) -> None:
        self.sentences: list[Sentence] = []
        self.written: list[Written] = []
        self._evidence = evidence
        self._dates = dates
        groups = [[name for name in group if name in evidence] for group in disputes]
        self._disputed = {
            name: (number, group) for number, group in enumerate(groups) for name in group if len(group) > 1
        }
        self._used: set[tuple[str, int]] = set()
        self._said: set[object] = set()
        self._dated: set[str] = set()

    def write(self, section: str, text: str, cited: Sequence[str]) -> None:
        """Take what the model wrote: as a whole where a quote says all of it, else sentence by sentence."""
        known = [self._evidence[name] for name in dict.fromkeys(cited) if name in self._evidence]
        pieces = [text[start:end] for start, end in sentence_spans(text, 0, len(text))]
        if len(pieces) == 1 or check(text, known).supported:
            pieces = [text]
        whole = {item["id"] for item in known if len(parts(item["quote"])) > 1}
        if whole and not all(check(piece, known).supported for piece in pieces):
            # Half of a quote would stand, and the half it was chosen for would not.
            pieces.sort(key=lambda piece: check(piece, known).supported)
        for piece in pieces:
            self._judge(section, piece, list(cited), known)

    def quote(self, section: str, name: str) -> bool:
        """Put a quote down, with its other sides where it is disputed; False when it is in the report already."""
        item = self._evidence.get(name)
        if item is None or self._is_used(name):
            return False
        if name in self._disputed:
            self._dispute(section, *self._disputed[name])
            return True
        return self._put(section, shown(item["quote"]), Origin.QUOTE, [name], WHOLE_QUOTE)

    def _judge(self, section: str, text: str, cited: list[str], known: Sequence[Evidence]) -> None:
        verdict = check(text, known)
        if cited and not known:
            verdict = Verdict(None, reasons=(Reason.QUOTE_MOVED,))
        if verdict.evidence is not None and verdict.evidence in self._disputed:
            verdict = Verdict(None, reasons=(Reason.DISPUTED,))
        if verdict.evidence is not None:
            kept = self._put(section, as_sentence(shown(text)), Origin.MODEL, [verdict.evidence], verdict.part)
            outcome = Outcome.KEPT if kept else Outcome.DROPPED
            verdict = Verdict(verdict.evidence, reasons=() if kept else (Reason.REPEATED,))
        else:
            quoted = any(self.quote(section, item["id"]) for item in known)
            outcome = Outcome.REPLACED if quoted else Outcome.DROPPED
        reasons: list[str] = [*verdict.reasons]
        entry = Written(text=text, section=section, cited=cited, outcome=outcome, reasons=reasons)
        self.written.append(entry)

    def _dispute(self, section: str, number: int, group: Sequence[str]) -> None:
        for name in sorted(group, key=lambda name: self._age(self._evidence[name])):
            item = self._evidence[name]
            date = self._dates.get(item["document_id"])
            known = date is not None and date["id"] in self._dated
            citations = [name, date["id"]] if date is not None and known else [name]
            put = self._put(section, shown(item["quote"]), Origin.QUOTE, citations, WHOLE_QUOTE, number)
            if put and date is not None and not known:
                self._dated.add(date["id"])
                self._put(section, shown(date["quote"]), Origin.QUOTE, [date["id"]], WHOLE_QUOTE, number)

    def _age(self, item: Evidence) -> tuple[bool, tuple[int, int, int]]:
        date = self._dates.get(item["document_id"])
        return (date is None, date_of(date["quote"]) if date is not None else (0, 0, 0))

    def _put(
        self, section: str, text: str, origin: Origin, citations: list[str], part: int, dispute: int | None = None
    ) -> bool:
        said = bare(tokens(text))
        if said in self._said or self._is_used(citations[0], part):
            return False
        self._said.add(said)
        self._said.update(bare(tokens(piece)) for piece in parts(text))
        self._used.add((citations[0], part))
        self.sentences.append(Sentence(text=text, section=section, origin=origin, citations=citations, dispute=dispute))
        return True

    def _is_used(self, name: str, part: int = WHOLE_QUOTE) -> bool:
        """Whether this part of a quote, or one that overlaps with it, is in the report."""
        if part == WHOLE_QUOTE:
            return any(used == name for used, _ in self._used)
        return (name, part) in self._used or (name, WHOLE_QUOTE) in self._used


def faults(prose: Prose, evidence: Mapping[str, Evidence]) -> list[str]:
    """What is wrong with finished prose, found anew from its text alone; empty for everything `compose` gives.

    Every sentence has a citation, every citation is known, every number written with digits is in a cited quote, a
    quote has the words of its document, and nothing is said twice.
    """
    found = []
    said: set[object] = set()
    for entry in prose["sentences"]:
        text, cited = entry["text"], entry["citations"]
        known = [evidence[name]["quote"] for name in cited if name in evidence]
        if not cited or len(known) < len(cited):
            found.append(f"{text!r} cites {cited}, which is not all evidence")
        extra = digits(text).keys() - {number for quote in known for number in digits(quote)}
        if extra:
            found.append(f"{text!r} has {sorted(extra)}, which no quote it cites has")
        if entry["origin"] == Origin.QUOTE and not any(
            bare(tokens(text)) == bare(tokens(shown(quote))) for quote in known
        ):
            found.append(f"{text!r} is no quote of {cited}")
        if bare(tokens(text)) in said:
            found.append(f"{text!r} stands there twice")
        said.add(bare(tokens(text)))
    return found
