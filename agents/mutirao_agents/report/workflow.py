"""The graph of the `report` workflow: researcher → reasoner → writer → verify → render."""

import json
from itertools import pairwise
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from mutirao.errors import NoEvidence
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import ModelBudget, Spent
from mutirao_agents.context import ArtifactRef, job_context
from mutirao_agents.contradictions import contradictions, date_statement
from mutirao_agents.evidence import Evidence, document_ids
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
from mutirao_agents.workflows import workflow
from mutirao_agents.writer import Draft, Plan, writer

AUTO = "auto"
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


class SectionRequest(BaseModel):
    """A section of your own."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=120)
    question: str = Field(min_length=3, max_length=300, description="What the section must answer.")


class ReportInput(BaseModel):
    """What a report is asked for. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    topic: str = Field(min_length=3, max_length=300, description="Also the report's title.")
    collections: list[str] = Field(min_length=1, max_length=32, description="Where the evidence comes from.")
    language: str = Field(AUTO, pattern=r"^(auto|[a-z]{2})$", description="Of titles; `auto` is the topic's.")
    template: str = Field(DEFAULT_TEMPLATE, pattern=f"^({'|'.join(TEMPLATES)})$", description="Which sections.")
    sections: list[SectionRequest] = Field(default_factory=list, max_length=30, description="Instead of a template.")
    max_evidence: int = Field(MAX_EVIDENCE, ge=1, le=200, description="Most quotes.")
    passes: int = Field(1, ge=0, le=10, description="Passes of the reasoner; each is a model call.")
    budget: ModelBudget = Field(default_factory=ModelBudget, description="Of model calls, tokens and seconds.")


class ReportState(TypedDict, total=False):
    """The report at work: plain data."""

    topic: str
    collections: list[str]
    language: str
    questions: list[Question]
    max_evidence: int
    passes: int
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
    artifacts: list[str]


class ReportOutput(TypedDict, total=False):
    """The counts, the reasoning, and the names of the files."""

    topic: str
    language: str
    steps: list[Step]
    quality: dict[str, Any]
    artifacts: list[str]


async def prepare(state: ReportInput) -> dict[str, Any]:
    """The questions of the sections, in the report's language."""
    language = state.language if state.language != AUTO else detect(state.topic) or DEFAULT_LANGUAGE
    asked = [Question(section=section.title, question=section.question) for section in state.sections]
    return {
        "topic": " ".join(state.topic.split()),
        "collections": state.collections,
        "language": language,
        "questions": asked or questions(state.template, " ".join(state.topic.split()), language),
        "max_evidence": state.max_evidence,
        "passes": state.passes,
        "budget": state.budget.model_dump(),
    }


async def verify(state: ReportState) -> dict[str, Any]:
    """The finished prose: every quote is looked up in its document, every sentence checked against its quote."""
    job = job_context()
    texts = {str(name): await job.knowledge.text(name) for name in document_ids(state["evidence"])}
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
        raise NoEvidence("the finished report did not pass its own checks: " + "; ".join(counted["faults"][:3]))
    return {"evidence": [*known.values()], "prose": prose, "quality": counted}


def _dates(evidence: dict[str, Evidence], texts: dict[str, str], disputed: list[str]) -> dict[str, Evidence]:
    """For each document that takes part in a dispute, the words that say how old it is, as evidence of its own."""
    dates: dict[str, Evidence] = {}
    number = max((int(name[1:]) for name in evidence), default=0)
    for name in disputed:
        item = evidence[name]
        span = date_statement(texts[item["document_id"]])
        if span is None or item["document_id"] in dates:
            continue
        number += 1
        text = texts[item["document_id"]]
        place = {"start": span[0], "end": span[1], "quote": text[span[0] : span[1]], "page": 1, "page_start": 0}
        dates[item["document_id"]] = cast(Evidence, {**item, **place, "id": f"E{number}"})
    return dates


async def render(state: ReportState) -> dict[str, Any]:
    """The files."""
    files = job_context().files
    topic, language, prose = state["topic"], state["language"], state["prose"]
    evidence = {item["id"]: item for item in state["evidence"]}
    listed = citations(topic, language, prose, evidence)
    made: list[ArtifactRef] = [
        await files.put(
            "report.md", markdown(topic, language, prose, evidence).encode(), "text/markdown; charset=utf-8"
        ),
        await files.put("report.docx", docx(topic, language, prose, evidence), _DOCX),
        await files.put("citations.json", _json(listed), "application/json"),
        await files.put("quality.json", _json(state["quality"] | {"steps": state["steps"]}), "application/json"),
    ]
    brief = {name: value for name, value in state["quality"].items() if name != "written"}
    return {"artifacts": [file.name for file in made], "quality": brief}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


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
