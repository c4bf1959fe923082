"""The researcher: plans queries, searches the collections, reads what comes, and keeps evidence."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired

from langgraph.graph import END, START, StateGraph
from mutirao.errors import NoEvidence
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import Asking, ModelBudget, Spent
from mutirao_agents.context import JobContext, job_context
from mutirao_agents.evidence import Evidence
from mutirao_agents.selection import Finding, select
from mutirao_agents.text.language import detect, terms

PASSAGES_PER_QUERY = 8
MODEL_QUERIES = 3
MAX_EVIDENCE = 15
TIME_SHARE = 0.2  # of the budget's time, at most
_SYSTEM = "You plan searches in a document collection."


class Question(TypedDict):
    """What a section must answer. `cues` are words that its answers tend to have, in any language; `numbers` asks for
    figures; `also` are the same question in other languages."""

    section: str
    question: str
    cues: NotRequired[list[str]]
    numbers: NotRequired[bool]
    also: NotRequired[list[str]]


class ResearchInput(TypedDict):
    """What the researcher needs. `language` is preferred in what it keeps (`en`, `pt`, …)."""

    topic: str
    collections: list[str]
    questions: list[Question]
    language: NotRequired[str]
    max_evidence: NotRequired[int]
    budget: NotRequired[dict[str, Any]]
    spent: NotRequired[Spent]


class ResearchOutput(TypedDict):
    """`evidence` is numbered E1, E2, … in the order of the questions."""

    queries: list[str]
    evidence: list[Evidence]
    spent: Spent


class ResearchState(ResearchInput):
    """The researcher at work."""

    queries: list[str]
    evidence: list[Evidence]


class PlannedQueries(BaseModel):
    """What the model is asked for. Limits are asked for, not demanded: a longer answer is cut, never lost."""

    queries: list[str] = Field(json_schema_extra={"minItems": 1, "maxItems": MODEL_QUERIES})


def researcher(
    *, passages: int = PASSAGES_PER_QUERY, must_find: bool = False
) -> StateGraph[ResearchState, None, ResearchInput, ResearchOutput]:
    """The researcher as a graph: `plan` makes queries, `read` searches and keeps evidence.

    Args:
        passages: how many passages are read for each query.
        must_find: raise NoEvidence when nothing in the collections is about the topic, instead of giving no evidence.
    """

    async def plan(state: ResearchInput) -> dict[str, Any]:
        job = job_context()
        asking = Asking(job, ModelBudget.model_validate(state.get("budget", {})), state.get("spent"), TIME_SHARE)
        planned = await _model_queries(asking, state)
        queries = [state["topic"], *_questions(state["questions"]), *planned]
        return {"queries": [*dict.fromkeys(queries)], "spent": asking.spent()}

    async def read(state: ResearchState) -> dict[str, Any]:
        job = job_context()
        found = await _search(job, state, passages)
        limit = state.get("max_evidence", MAX_EVIDENCE)
        language = state.get("language") or detect(state["topic"])
        kept = await asyncio.to_thread(select, found, state["topic"], state["questions"], limit, language)
        if must_find and not kept:
            names = ", ".join(repr(name) for name in state["collections"])
            raise NoEvidence(
                f"nothing in {names} is about {state['topic']!r}: add documents on it with `mutirao knowledge add`, or "
                "word the topic as the documents do",
                topic=state["topic"],
            )
        job.progress(len(kept), limit, "pieces of evidence")
        return {"evidence": kept}

    graph = StateGraph(ResearchState, input_schema=ResearchInput, output_schema=ResearchOutput)
    graph.add_node("plan", plan)
    graph.add_node("read", read)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "read")
    graph.add_edge("read", END)
    return graph


def _questions(questions: Iterable[Question]) -> list[str]:
    return [text for question in questions for text in (question["question"], *question.get("also", []))]


async def _model_queries(asking: Asking, state: ResearchInput) -> list[str]:
    """Queries of the model's own: those that are short, and share a word with the topic or a question."""
    if asking.calls_left == 0:
        return []
    prompt = f"Topic: {state['topic']}\n\nWrite {MODEL_QUERIES} short search queries on this topic."
    answer = await asking.json(PlannedQueries, _SYSTEM, prompt, tokens=70)
    if answer is None:
        return []
    known = {term for text in (state["topic"], *_questions(state["questions"])) for term in terms(text)}
    cleaned = [" ".join(query.split()) for query in answer.queries]
    return [query for query in cleaned if 3 <= len(query) <= 120 and known & set(terms(query))][:MODEL_QUERIES]


async def _search(job: JobContext, state: ResearchState, limit: int) -> list[Finding]:
    """The passages of all queries, each once, with its best rank for each question and over all."""
    found: dict[Any, Finding] = {}
    owners = _owners(state["questions"])
    for done, query in enumerate(state["queries"], start=1):
        passages = await job.knowledge.search(state["collections"], query, limit)
        for rank, passage in enumerate(passages, start=1):
            finding = found.setdefault(passage.chunk_id, Finding(passage))
            finding.note(rank, owners.get(query, ()))
        job.progress(done, len(state["queries"]), "queries")
    return [*found.values()]


def _owners(questions: Sequence[Question]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for question in questions:
        for text in (question["question"], *question.get("also", [])):
            owners.setdefault(text, []).append(question["section"])
    return owners
