"""Choosing evidence: which sentences of the passages found answer which question best."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mutirao_agents.context import Passage
from mutirao_agents.contradictions import contradict
from mutirao_agents.evidence import Evidence, evidence, quotes, same
from mutirao_agents.text.display import shown
from mutirao_agents.text.language import detect, stem, terms
from mutirao_agents.text.numbers import digits

if TYPE_CHECKING:
    from mutirao_agents.researcher import Question

# What a sentence's score is made of; each part is 0 to 1.
TOPIC, ASKED, CUES, RANK, LANGUAGE, FIGURES = 1.0, 0.8, 0.8, 0.4, 0.5, 0.3
OF_HEADING = 0.5  # what a topic word in the heading or the document's name counts, against one in the sentence
REPETITION = 0.6  # what is taken off for saying what chosen evidence says, at most
MIN_FIT = 0.15  # what a sentence must have of a question's own words or cues to stand in its section
RANKS_THAT_FIT = 3  # a passage so high for a question fits it without sharing a word
ENOUGH_TOPIC_WORDS = 3
BEST = 40  # how many of a section's candidates are compared at each choice


@dataclass
class Finding:
    """A passage that was found: its best rank (1 is best) over all queries, and by section."""

    passage: Passage
    best: int = 1_000
    by_section: dict[str, int] = field(default_factory=dict)

    def note(self, rank: int, sections: Sequence[str]) -> None:
        """It stood at `rank` for a query of these sections."""
        self.best = min(self.best, rank)
        for section in sections:
            self.by_section[section] = min(self.by_section.get(section, 1_000), rank)


@dataclass(frozen=True)
class Candidate:
    """A sentence that can be quoted, with its stems and those of its surroundings."""

    finding: Finding
    start: int
    end: int
    stems: frozenset[str]
    around: frozenset[str]
    language: str | None
    figures: bool


def select(
    found: Sequence[Finding], topic: str, questions: Sequence["Question"], limit: int, language: str | None
) -> list[Evidence]:
    """At most `limit` pieces of evidence, numbered, in the order of the questions; empty when nothing is on the topic.

    Each sentence is used once, for the question it fits best. What another document contradicts comes with its
    counterpart. Sources in `language` come first, others are used where they say more.
    """
    asked = frozenset(terms(topic))
    relevant = on_topic(found, asked, language)
    candidates = [candidate for finding in relevant for candidate in _candidates(finding)]
    weights = _weights(candidates)
    choice = _Choice(
        {question["section"]: _ranked(candidates, question, asked, weights, language) for question in questions}
    )
    quota = math.ceil(limit / max(len(questions), 1))
    for most in (quota, limit):  # a second round gives the places of questions without answers to the others
        while len(choice.chosen) < limit and choice.one_each(limit, most):
            pass
    choice.add_counterparts(limit)
    return _numbered(choice.chosen, questions)


def on_topic(found: Sequence[Finding], asked: frozenset[str], language: str | None) -> list[Finding]:
    """The passages that share a word with the topic, if any of them shares enough of it to be about it.

    Without any, passages in another language than the asked one are taken by meaning alone, as no word could match.
    Where some are in the asked language, none was about the topic: dense retrieval always finds something.
    """
    shared = {id(finding): len(asked & _surroundings(finding.passage)) for finding in found}
    needed = min(math.ceil(len(asked) / 2), ENOUGH_TOPIC_WORDS)
    if asked and max(shared.values(), default=0) >= max(needed, 1):
        return [finding for finding in found if shared[id(finding)]]
    languages = {finding.passage.document.language or detect(finding.passage.text) for finding in found}
    return [*found] if language is not None and languages and language not in languages | {None} else []


def _surroundings(passage: Passage) -> frozenset[str]:
    name = passage.document.name.rpartition(".")[0].replace("-", " ").replace("_", " ")
    return frozenset(terms(f"{passage.text} {passage.heading} {name}"))


def _candidates(finding: Finding) -> list[Candidate]:
    passage = finding.passage
    name = passage.document.name.rpartition(".")[0].replace("-", " ").replace("_", " ")
    around = frozenset(terms(f"{passage.heading} {name}"))
    found = []
    for start, end in quotes(passage):
        text = shown(passage.text[start:end])
        language = detect(text) or passage.document.language
        stems = frozenset(terms(text))
        found.append(Candidate(finding, start, end, stems, around, language, bool(digits(text))))
    return found


def _weights(candidates: Sequence[Candidate]) -> Mapping[str, float]:
    """How much a stem tells, 0 to 1: one that every sentence has tells nothing."""
    seen = Counter(term for candidate in candidates for term in candidate.stems)
    total = max(len(candidates), 2)
    return {term: max(0.05, math.log(total / count) / math.log(total)) for term, count in seen.items()}


def _ranked(
    candidates: Sequence[Candidate],
    question: "Question",
    topic: frozenset[str],
    weights: Mapping[str, float],
    language: str | None,
) -> list[Evidence]:
    own = frozenset(terms(" ".join([question["question"], *question.get("also", [])]))) - topic
    cues = frozenset(stem(cue) for cue in question.get("cues", []))
    scored = []
    for candidate in candidates:
        rank = candidate.finding.by_section.get(question["section"], candidate.finding.best + RANKS_THAT_FIT)
        asked = _share(own, candidate.stems, weights)
        cued = min(1.0, len(cues & candidate.stems) / 2)
        figures = FIGURES if question.get("numbers") and candidate.figures else 0.0
        if asked + cued + figures < MIN_FIT and (cues or rank > RANKS_THAT_FIT):
            continue
        score = (
            TOPIC * _share(topic, candidate.stems, weights)
            + TOPIC * OF_HEADING * _share(topic, candidate.around - candidate.stems, weights)
            + ASKED * asked
            + CUES * cued
            + RANK / rank
            + (LANGUAGE if candidate.language == language else 0.0)
            + figures
        )
        scored.append(_evidence(candidate, question, score))
    return sorted(scored, key=lambda item: (-item["score"], item["document_name"], item["start"]))


def _share(asked: frozenset[str], found: frozenset[str], weights: Mapping[str, float]) -> float:
    """The weighted share of the asked stems that are found; stems no sentence has do not count."""
    total = sum(weights.get(term, 0.0) for term in asked)
    return sum(weights.get(term, 0.0) for term in asked & found) / total if total else 0.0


def _evidence(candidate: Candidate, question: "Question", score: float) -> Evidence:
    return evidence(
        candidate.finding.passage,
        candidate.start,
        candidate.end,
        section=question["section"],
        question=question["question"],
        score=score,
    )


class _Choice:
    """What is chosen so far, and what waits for each section, best first."""

    def __init__(self, waiting: Mapping[str, list[Evidence]]) -> None:
        self.waiting = waiting
        self.chosen: list[Evidence] = []

    def one_each(self, limit: int, most: int) -> bool:
        """Give each section its best free evidence, while it has fewer than `most`; False when none got any."""
        before = len(self.chosen)
        for section, waiting in self.waiting.items():
            has = sum(item["section"] == section for item in self.chosen)
            if waiting and has < most and len(self.chosen) < limit:
                self.take(max(waiting[:BEST], key=lambda item: item["score"] - REPETITION * self._repetition(item)))
        return len(self.chosen) > before

    def take(self, item: Evidence) -> None:
        """Choose one; what says the same waits no longer."""
        self.chosen.append(item)
        for waiting in self.waiting.values():
            waiting[:] = [other for other in waiting if not same(item, other)]

    def add_counterparts(self, limit: int) -> None:
        """Bring in what contradicts chosen evidence, in place of the weakest evidence that nothing contradicts."""
        for item in [*self.chosen]:
            rivals = (other for waiting in self.waiting.values() for other in waiting if contradict(item, other))
            rival = next(rivals, None)
            if rival is None or item not in self.chosen:
                continue
            self.take(Evidence(**(rival | {"section": item["section"], "question": item["question"]})))
            if len(self.chosen) > limit and not self._drop_weakest():
                self.chosen.pop()
                return

    def _drop_weakest(self) -> bool:
        alone = [one for one in self.chosen if not any(contradict(one, other) for other in self.chosen)]
        if alone:
            self.chosen.remove(min(alone, key=lambda one: one["score"]))
        return bool(alone)

    def _repetition(self, item: Evidence) -> float:
        ours = frozenset(terms(item["quote"]))
        theirs = [frozenset(terms(other["quote"])) for other in self.chosen]
        return max((len(ours & other) / max(len(ours | other), 1) for other in theirs), default=0.0)


def _numbered(chosen: Sequence[Evidence], questions: Sequence["Question"]) -> list[Evidence]:
    order = {question["section"]: place for place, question in enumerate(questions)}
    ordered = sorted(chosen, key=lambda item: (order[item["section"]], -item["score"]))
    return [Evidence(**(item | {"id": f"E{number}"})) for number, item in enumerate(ordered, start=1)]
