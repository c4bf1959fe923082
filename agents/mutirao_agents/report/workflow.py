"""The graph of the `report` workflow: researcher → reasoner → writer → verify → render."""

import asyncio
import json
import re
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from mutirao.errors import InputRejected, NoEvidence, NotFound, StepFailed
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import ModelBudget, Spent
from mutirao_agents.context import job_context
from mutirao_agents.contradictions import contradictions, date_statement
from mutirao_agents.evidence import Evidence, document_ids, elsewhere
from mutirao_agents.reasoner import Step, reasoner
from mutirao_agents.report.citations import citations
from mutirao_agents.report.docx import docx
from mutirao_agents.report.markdown import markdown
from mutirao_agents.report.prose import Prose, compose
from mutirao_agents.report.quality import quality
from mutirao_agents.report.templates import DEFAULT_LANGUAGE, DEFAULT_TEMPLATE, TEMPLATES, questions
from mutirao_agents.report.verify import in_source
from mutirao_agents.researcher import MAX_EVIDENCE, Question, researcher
from mutirao_agents.text.language import detect
from mutirao_agents.text.tokens import visible
from mutirao_agents.workflows import workflow
from mutirao_agents.writer import Draft, Plan, Writing, writer

AUTO = "auto"
PASSAGES_THAT_TELL = 8
UUID_WITH_TIME = 7
_NUMBERED = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[IVX]+[.)])\s+")
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


class SectionRequest(BaseModel):
    """A section of your own."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=120)
    question: str = Field(min_length=3, max_length=300, description="What the section must answer.")


class ReportInput(BaseModel):
    """What a report is asked for. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    topic: str = Field(min_length=3, max_length=300, description="Also the report's title.")
    collections: list[str] = Field(min_length=1, max_length=32, description="Where the evidence comes from.")
    language: str = Field(
        AUTO, pattern=r"^(auto|[a-z]{2})$", description="Of the report, as `pt`; `auto` tells by the topic."
    )
    template: str = Field(DEFAULT_TEMPLATE, pattern=f"^({'|'.join(TEMPLATES)})$", description="Which sections.")
    sections: list[SectionRequest] = Field(default_factory=list, max_length=30, description="Instead of a template.")
    max_evidence: int = Field(MAX_EVIDENCE, ge=1, le=200, description="Most quotes.")
    passes: int = Field(1, ge=0, le=10, description="Passes of the reasoner; each is a model call.")
    writing: str = Field(
        AUTO,
        pattern=f"^({'|'.join([AUTO, *Writing])})$",
        description="How the model writes: `section` at a time, or `sentence`, which suits small models.",
    )
    budget: ModelBudget = Field(default_factory=ModelBudget, description="Of model calls, tokens and seconds.")


class ReportState(TypedDict, total=False):
    """The report at work: plain data."""

    topic: str
    collections: list[str]
    language: str
    questions: list[Question]
    max_evidence: int
    passes: int
    writing: str
    budget: dict[str, Any]
    spent: Spent
    queries: list[str]
    evidence: list[Evidence]
    steps: list[Step]
    ranking: list[str]
    outline: list[Plan]
    drafts: list[Draft]
    prose: Prose
    quality: dict[str, Any]
    title: str
    sentences: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    artifacts: list[str]


class ReportOutput(TypedDict, total=False):
    """The report as data (`citations.py` says how), the reasoning, the counts, and the names of the files."""

    title: str
    language: str
    sentences: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    steps: list[Step]
    quality: dict[str, Any]
    artifacts: list[str]


async def prepare(state: ReportInput) -> dict[str, Any]:
    """The questions of the sections, in the report's language."""
    topic = visible(state.topic)
    language = state.language if state.language != AUTO else await _language(topic, state.collections)
    return {
        "topic": topic,
        "collections": state.collections,
        "language": language,
        "questions": _own_questions(state.sections) or questions(state.template, topic, language),
        "max_evidence": state.max_evidence,
        "passes": state.passes,
        "writing": state.writing,
        "budget": state.budget.model_dump(),
    }


async def _language(topic: str, collections: list[str]) -> str:
    """The language of the topic; where a few words do not tell, that of most documents found by them."""
    told = detect(topic)
    if told is not None:
        return told
    passages = await job_context().knowledge.search(collections, topic, PASSAGES_THAT_TELL)
    spoken = Counter(passage.document.language or detect(passage.text) for passage in passages)
    return next((code for code, _ in spoken.most_common() if code is not None), DEFAULT_LANGUAGE)


def _own_questions(sections: list[SectionRequest]) -> list[Question]:
    """Sections as they were asked for. A number before a title goes: headings are not numbered."""
    asked = [
        Question(section=_NUMBERED.sub("", visible(section.title)) or visible(section.title), question=section.question)
        for section in sections
    ]
    titles = Counter(question["section"].casefold() for question in asked)
    double = [title for title, count in titles.items() if count > 1]
    if double:
        raise InputRejected(f"two sections are called {double[0]!r}; give each section a title of its own")
    return asked


async def verify(state: ReportState) -> dict[str, Any]:
    """The finished prose: every quote is looked up in its document, every sentence checked against its quote."""
    texts = await _texts(state["evidence"])
    found = {item["id"]: item for item in state["evidence"] if in_source(item, texts)}
    moved = [item["id"] for item in state["evidence"] if item["id"] not in found]
    if not found:
        raise NoEvidence("no quote stands in its document any more; were the documents replaced meanwhile? Try again")
    disputes = contradictions([*found.values()])
    dates = _dates(found, texts, [name for group in disputes for name in group])
    known = found | {item["id"]: item for item in dates.values()}
    prose = compose(state["outline"], state["drafts"], known, disputes, dates)
    counted = quality(prose, known, moved, state["spent"])
    if counted["faults"]:
        raise StepFailed("the finished report did not pass its own checks: " + "; ".join(counted["faults"][:3]))
    return {"evidence": [*known.values()], "prose": prose, "quality": counted}


async def _texts(evidence: list[Evidence]) -> dict[str, str]:
    """The texts of the documents quoted, by id; without those that were deleted meanwhile."""
    knowledge = job_context().knowledge
    texts = {}
    for name in document_ids(evidence):
        with suppress(NotFound):
            texts[str(name)] = await knowledge.text(name)
    return texts


def _dates(evidence: dict[str, Evidence], texts: dict[str, str], disputed: list[str]) -> dict[str, Evidence]:
    """For each document that takes part in a dispute, the words that say how old it is, as evidence of its own."""
    dates: dict[str, Evidence] = {}
    number = max(int(name[1:]) for name in evidence)
    for item in (evidence[name] for name in disputed):
        text = texts[item["document_id"]]
        span = date_statement(text)
        if span is None or item["document_id"] in dates:
            continue
        number += 1
        dates[item["document_id"]] = elsewhere(item, text, *span, name=f"E{number}")
    return dates


async def render(state: ReportState) -> dict[str, Any]:
    """The files."""
    job = job_context()
    topic, language, prose = state["topic"], state["language"], state["prose"]
    evidence = {item["id"]: item for item in state["evidence"]}
    listed = citations(topic, language, prose, evidence)
    brief = {name: value for name, value in state["quality"].items() if name != "written"}
    text = markdown(topic, language, prose, evidence)
    word = await asyncio.to_thread(docx, topic, language, prose, evidence, made_at(job.job_id))
    files = (
        ("report.md", text.encode(), "text/markdown; charset=utf-8"),
        ("report.docx", word, _DOCX),
        ("citations.json", _json(listed), "application/json"),
        ("quality.json", _json(state["quality"] | {"steps": state["steps"]}), "application/json"),
    )
    made = [await job.files.put(*file) for file in files]
    return {
        "title": topic,
        "sentences": listed["sentences"],
        "citations": listed["citations"],
        "quality": brief,
        "artifacts": [file.name for file in made],
    }


def made_at(job_id: UUID) -> datetime | None:
    """When a job was submitted, by its id; None for an id that does not tell."""
    if job_id.version != UUID_WITH_TIME:
        return None
    return datetime.fromtimestamp((job_id.int >> 80) // 1_000, UTC)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


@workflow(name="report", description="Writes a report on a topic in which every sentence is backed by a quote.")
def report() -> StateGraph[Any, Any, Any, Any]:
    """prepare → researcher → reasoner → writer → verify → render."""
    graph = StateGraph(ReportState, input_schema=ReportInput, output_schema=ReportOutput)
    graph.add_node("prepare", prepare)
    graph.add_node("researcher", researcher(must_find=True).compile())
    graph.add_node("reasoner", reasoner().compile())
    graph.add_node("writer", writer().compile())
    graph.add_node("verify", verify)
    graph.add_node("render", render)
    order = [START, "prepare", "researcher", "reasoner", "writer", "verify", "render", END]
    for first, second in pairwise(order):
        graph.add_edge(first, second)
    return graph
