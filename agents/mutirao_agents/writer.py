"""The writer: an outline of sections, and sentences that cite evidence by its id and by nothing else.

Code turns ids into references, so a source, a page or an address cannot be invented. What the writer writes is a draft:
`report.verify` decides which sentences stand.
"""

import asyncio
import re
from collections.abc import Awaitable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NotRequired

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import Asking, ModelBudget, Spent
from mutirao_agents.context import job_context
from mutirao_agents.evidence import Evidence
from mutirao_agents.text.display import shown

MARKER = re.compile(r"\s*[\[(]\s*(E\d+(?:\s*[,;]\s*E\d+)*)\s*[\])]")
_ID = re.compile(r"E\d+")
_SMALL_MODEL = "builtin"
MOST_CHARS = 1_000  # of one sentence; no quote is half as long
MOST_SENTENCES = 6  # of a section that the model writes at once
_SYSTEM = (
    "You write reports from evidence. Take over the words, names and numbers of the evidence exactly; you may leave "
    "out a clause that begins with which or who. Add nothing. Every sentence names the id of the one piece of evidence "
    "it says."
)
_AGAIN = {
    "en": "Write this sentence again. Keep every name and number.",
    "pt": "Escreva esta frase de novo. Mantenha todos os nomes e números.",
}


class Writing(StrEnum):
    """How the model is asked."""

    SECTION = "section"  # one call a section: for models that can follow a schema and cite
    SENTENCE = "sentence"  # one call a sentence, with one quote: for small models, which mix up ids


class Plan(TypedDict):
    """A section of the outline, and the evidence it uses, in order."""

    section: str
    evidence: list[str]


class DraftSentence(TypedDict):
    """What the model wrote, and the ids it cites, which exist."""

    text: str
    evidence: list[str]


class Draft(TypedDict):
    """A section as the model wrote it."""

    section: str
    sentences: list[DraftSentence]


class SectionSentence(BaseModel):
    """A sentence as the model is asked for it. Limits are asked for, not demanded: a longer answer is never lost."""

    text: str = Field(json_schema_extra={"maxLength": 400})
    evidence: list[str] = Field(default_factory=list, json_schema_extra={"minItems": 1, "maxItems": 3})


class SectionText(BaseModel):
    """An answer of the model."""

    sentences: list[SectionSentence] = Field(json_schema_extra={"maxItems": MOST_SENTENCES})


class WriteInput(TypedDict):
    """What the writer needs. `ranking` orders the evidence; without it, it is used in the order it comes."""

    topic: str
    evidence: list[Evidence]
    ranking: NotRequired[list[str]]
    language: NotRequired[str]
    writing: NotRequired[str]
    budget: NotRequired[dict[str, Any]]
    spent: NotRequired[Spent]


class WriteOutput(TypedDict):
    """The outline, and what the model wrote of it: nothing for sections it was not asked for."""

    outline: list[Plan]
    drafts: list[Draft]
    spent: Spent


class WriteState(WriteInput):
    """The writer at work."""

    outline: list[Plan]
    drafts: list[Draft]


def writer(*, writing: Writing | Literal["auto"] = "auto") -> StateGraph[WriteState, None, WriteInput, WriteOutput]:
    """The writer as a graph: `outline` plans the sections, `draft` writes them within the budget.

    Args:
        writing: how the model is asked; `auto` is by sentence for the built-in model, by section for others. The input
            may say otherwise.
    """

    async def outline(state: WriteInput) -> dict[str, Any]:
        return {"outline": plan(state["evidence"], state.get("ranking"))}

    async def draft(state: WriteState) -> dict[str, Any]:
        job = job_context()
        asking = Asking(job, ModelBudget.model_validate(state.get("budget", {})), state.get("spent"))
        evidence = {item["id"]: item for item in state["evidence"]}
        asked = Writing(_chosen(state.get("writing", "auto"), writing, job.settings.model.model))
        calls = _calls(asked, state, evidence, asking)
        done = 0

        async def one(section: str, call: Awaitable[list[DraftSentence]]) -> tuple[str, list[DraftSentence]]:
            nonlocal done
            sentences = await call
            done += 1
            job.progress(done, len(calls), "drafts")
            return section, sentences

        drafts: dict[str, list[DraftSentence]] = {}
        for section, sentences in await asyncio.gather(*(one(*call) for call in calls)):
            drafts.setdefault(section, []).extend(sentences)
        kept = [Draft(section=section, sentences=sentences) for section, sentences in drafts.items()]
        return {"drafts": kept, "spent": asking.spent()}

    graph = StateGraph(WriteState, input_schema=WriteInput, output_schema=WriteOutput)
    graph.add_node("outline", outline)
    graph.add_node("draft", draft)
    graph.add_edge(START, "outline")
    graph.add_edge("outline", "draft")
    graph.add_edge("draft", END)
    return graph


def plan(evidence: Sequence[Evidence], ranking: Sequence[str] | None = None) -> list[Plan]:
    """The outline: the sections in which there is evidence, each with its evidence in order."""
    sections: dict[str, list[str]] = {item["section"]: [] for item in evidence}
    by_id = {item["id"]: item for item in evidence}
    for name in ranking if ranking is not None else by_id:
        if name in by_id:
            sections[by_id[name]["section"]].append(name)
    return [Plan(section=section, evidence=names) for section, names in sections.items()]


def cited(text: str, known: Mapping[str, Evidence]) -> DraftSentence:
    """`text` without its markers `[E1]`, and the ids of evidence they name; other ids are nothing."""
    text = text[:MOST_CHARS]
    names = [name for marker in MARKER.findall(text) for name in _ID.findall(marker)]
    return DraftSentence(
        text=shown(MARKER.sub("", text)), evidence=[name for name in dict.fromkeys(names) if name in known]
    )


def _chosen(asked: str, default: str, model: str) -> str:
    chosen = default if asked == "auto" else asked
    return (Writing.SENTENCE if model == _SMALL_MODEL else Writing.SECTION) if chosen == "auto" else chosen


def _calls(
    writing: Writing, state: WriteState, evidence: Mapping[str, Evidence], asking: Asking
) -> list[tuple[str, Awaitable[list[DraftSentence]]]]:
    """The calls to make, by section in order; chosen before the first is made, so that timing decides nothing."""
    if writing is Writing.SECTION:
        asked = state["outline"][: asking.calls_left]
        return [(section["section"], _section(asking, section, evidence, state["topic"])) for section in asked]
    language = state.get("language", "en")
    turns = [
        (turn, place, section["section"], evidence[name])
        for place, section in enumerate(state["outline"])
        for turn, name in enumerate(section["evidence"])
        if evidence[name]["language"] == language and _tokens_for(evidence[name]["quote"]) <= asking.tokens
    ]
    turns = sorted(turns, key=lambda entry: entry[:2])[: asking.calls_left]
    return [
        (section, _sentence(asking, item, language))
        for _, _, section, item in sorted(turns, key=lambda entry: (entry[1], entry[0]))
    ]


async def _section(asking: Asking, section: Plan, evidence: Mapping[str, Evidence], topic: str) -> list[DraftSentence]:
    known = {name: evidence[name] for name in section["evidence"][:MOST_SENTENCES]}
    lines = "\n".join(f"{name}: {shown(item['quote'])}" for name, item in known.items())
    prompt = f"Report: {topic}\nSection: {section['section']}\nEvidence:\n{lines}\n\nWrite the section."
    answer = await asking.json(SectionText, _SYSTEM, prompt)
    found = []
    for entry in answer.sentences if answer is not None else []:
        sentence = cited(entry.text, known)
        named = [name for name in entry.evidence if name in known]
        if sentence["text"]:
            found.append(DraftSentence(text=sentence["text"], evidence=[*dict.fromkeys(named + sentence["evidence"])]))
    return found


async def _sentence(asking: Asking, item: Evidence, language: str) -> list[DraftSentence]:
    """What the model answers to one quote cites that quote."""
    prompt = f"{_AGAIN.get(language, _AGAIN['en'])}\n\n{shown(item['quote'])}"
    answer = await asking.text("", prompt, tokens=_tokens_for(item["quote"]))
    text = cited(answer or "", {})["text"]
    return [DraftSentence(text=text, evidence=[item["id"]])] if text else []


def _tokens_for(quote: str) -> int:
    """Enough for the quote again, and little more: what a small model adds is never used."""
    return 12 + len(quote) * 2 // 5
