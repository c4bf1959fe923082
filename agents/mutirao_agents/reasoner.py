"""The reasoner: recorded steps from evidence to claims, and the order in which the evidence should be used.

The chain of thought is data. A step names the evidence it stands on; ids that do not exist are taken out, a step
without any is dropped, and so is a claim with a number its evidence does not have: the model computes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NotRequired

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import Asking, ModelBudget, Spent
from mutirao_agents.context import job_context
from mutirao_agents.evidence import Evidence
from mutirao_agents.text.display import shown
from mutirao_agents.text.numbers import written

PASSES = 1
MOST_EVIDENCE_SHOWN = 6  # per pass: a small model loses the thread of a long list
MOST_CHARS = 160  # of one quote in the prompt
TIME_SHARE = 0.3  # of the budget's time, at most
MOST_STEPS = 3  # of one pass
MOST_STEP_CHARS = 400
_SYSTEM = "You reason about evidence. Use only the evidence given. Name it by its id."


class Step(TypedDict):
    """One step of reasoning. `confidence` is 0 to 1; `origin` says whether the model or the rule made it."""

    thought: str
    claim: str
    evidence_ids: list[str]
    confidence: float
    origin: Literal["model", "rule"]


class ReasonInput(TypedDict):
    """What the reasoner needs. `passes` is the test-time budget: N passes cost N model calls."""

    topic: str
    evidence: list[Evidence]
    passes: NotRequired[int]
    budget: NotRequired[dict[str, Any]]
    spent: NotRequired[Spent]


class ReasonOutput(TypedDict):
    """`ranking` is all evidence ids, section by section, best first."""

    steps: list[Step]
    ranking: list[str]
    spent: Spent


class ReasonState(ReasonInput):
    """The reasoner at work."""

    steps: list[Step]
    ranking: list[str]


class ModelStep(BaseModel):
    """A step as the model is asked for it. Limits are asked for, not demanded: a longer answer is cut, never lost."""

    thought: str = Field("", json_schema_extra={"maxLength": 160})
    claim: str = Field(json_schema_extra={"maxLength": 160})
    evidence: list[str] = Field(json_schema_extra={"maxItems": 3})
    confidence: float = Field(0.5, json_schema_extra={"minimum": 0, "maximum": 1})


class ModelSteps(BaseModel):
    """An answer of the model."""

    steps: list[ModelStep] = Field(json_schema_extra={"minItems": 1, "maxItems": MOST_STEPS})


def reasoner(*, passes: int = PASSES) -> StateGraph[ReasonState, None, ReasonInput, ReasonOutput]:
    """The reasoner as a graph: `think` asks the model `passes` times, `conclude` votes and orders the evidence.

    Without a usable answer the steps are those of a rule: one for each question, on its evidence, best first.
    """

    async def think(state: ReasonInput) -> dict[str, Any]:
        job = job_context()
        asking = Asking(job, ModelBudget.model_validate(state.get("budget", {})), state.get("spent"), TIME_SHARE)
        steps: list[Step] = []
        total = state.get("passes", passes)
        for done in range(total):
            if asking.calls_left == 0:
                break
            shown_now = _turn(state["evidence"], done)
            answer = await asking.json(ModelSteps, _SYSTEM, _prompt(state["topic"], shown_now), tokens=140)
            steps += checked(answer.steps if answer else [], {item["id"]: item for item in state["evidence"]})
            job.progress(done + 1, total, "passes")
        return {"steps": steps, "spent": asking.spent()}

    async def conclude(state: ReasonState) -> dict[str, Any]:
        steps = [*rule_steps(state["evidence"]), *state["steps"]]
        return {"steps": steps, "ranking": ranking(state["evidence"], state["steps"])}

    graph = StateGraph(ReasonState, input_schema=ReasonInput, output_schema=ReasonOutput)
    graph.add_node("think", think)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "think")
    graph.add_edge("think", "conclude")
    graph.add_edge("conclude", END)
    return graph


def checked(steps: Sequence[ModelStep], evidence: Mapping[str, Evidence]) -> list[Step]:
    """The steps that stand on evidence that exists and claim no number it does not have."""
    kept = []
    for step in steps[:MOST_STEPS]:
        ids = [name for name in dict.fromkeys(step.evidence) if name in evidence]
        numbers = sum((written(evidence[name]["quote"]) for name in ids), Counter[str]())
        if not ids or written(step.claim).keys() - numbers.keys():
            continue
        kept.append(
            Step(
                thought=shown(step.thought)[:MOST_STEP_CHARS],
                claim=shown(step.claim)[:MOST_STEP_CHARS],
                evidence_ids=ids,
                confidence=round(min(1.0, max(0.0, step.confidence)), 2) if isfinite(step.confidence) else 0.0,
                origin="model",
            )
        )
    return kept


def rule_steps(evidence: Sequence[Evidence]) -> list[Step]:
    """One step for each question: its best evidence is the claim, word for word."""
    best = max((item["score"] for item in evidence), default=1.0) or 1.0
    steps = []
    for question in dict.fromkeys(item["question"] for item in evidence):
        mine = sorted((item for item in evidence if item["question"] == question), key=lambda item: -item["score"])
        steps.append(
            Step(
                thought=f"{question} {len(mine)} quotes answer it, the best first.",
                claim=shown(mine[0]["quote"]),
                evidence_ids=[item["id"] for item in mine],
                confidence=round(min(1.0, max(0.0, mine[0]["score"] / best)), 2),
                origin="rule",
            )
        )
    return steps


def ranking(evidence: Sequence[Evidence], steps: Sequence[Step]) -> list[str]:
    """Evidence ids section by section: what more passes were sure of comes first, then what scored higher."""
    votes: Counter[str] = Counter()
    for step in steps:
        for name in step["evidence_ids"]:
            votes[name] += round(100 * step["confidence"])
    sections = {section: place for place, section in enumerate(dict.fromkeys(item["section"] for item in evidence))}
    ordered = sorted(evidence, key=lambda item: (sections[item["section"]], -votes[item["id"]], -item["score"]))
    return [item["id"] for item in ordered]


def _turn(evidence: Sequence[Evidence], done: int) -> list[Evidence]:
    """The evidence of one pass: the best of each section, another part of the list in each pass."""
    best = sorted(evidence, key=lambda item: -item["score"])
    first = done * MOST_EVIDENCE_SHOWN % max(len(best), 1)
    return [*best[first:], *best[:first]][:MOST_EVIDENCE_SHOWN]


def _prompt(topic: str, evidence: Sequence[Evidence]) -> str:
    lines = "\n".join(f"{item['id']}: {shown(item['quote'])[:MOST_CHARS]}" for item in evidence)
    return f"Topic: {topic}\nEvidence:\n{lines}\n\nWhat follows for the topic? Give up to 2 short steps as JSON."
