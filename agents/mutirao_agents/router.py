"""The router: sends a task to the few agents that fit it, with weights it can explain.

Like the gate of a mixture of experts it scores every agent, keeps the best, and shares the whole between them. Here the
scores are words that the task and the agent's description share, so that a weight can be read: `because` names them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send
from mutirao.errors import InvalidInput
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mutirao_agents.budget import Asking, ModelBudget
from mutirao_agents.context import job_context
from mutirao_agents.text.language import terms

MOST_AGENTS = 2
MODEL_VOTE = 0.5  # what the model's vote adds to an agent's score, whose own score is 0 to 1
_SYSTEM = "You choose who does a task."


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of an agent: its name, what it does, and tasks it has done well."""

    name: str
    does: str
    examples: tuple[str, ...] = ()


class Weight(TypedDict):
    """How much of a task an agent gets, 0 to 1; all weights of a task add up to 1. `because` are the shared words, or
    `model` for its vote, or `nothing fits` when the task is shared out alike."""

    agent: str
    weight: float
    because: list[str]


class Task(TypedDict):
    """What the router and the agents it chooses get."""

    task: str


class Answered(TypedDict):
    """What an agent gave back."""

    agent: str
    weight: float
    output: dict[str, Any]


def _joined(before: list[Answered], more: list[Answered]) -> list[Answered]:
    return before + more


class Routed(TypedDict):
    """The weights, and what each chosen agent gave back, the heaviest first."""

    weights: list[Weight]
    answers: Annotated[list[Answered], _joined]


class RouterState(Task, Routed):
    """The router at work."""


class Vote(BaseModel):
    """What the model is asked for."""

    agent: str = Field(max_length=80)


def weigh(task: str, cards: Sequence[Card], *, most: int = MOST_AGENTS, vote: str | None = None) -> list[Weight]:
    """The agents a task goes to, at most `most`, the heaviest first. Deterministic; `vote` is the model's choice.

    A word counts more the fewer agents it fits. When nothing fits, the first `most` agents share the task alike.
    """
    known = {card.name: Counter(terms(" ".join([card.does, *card.examples]))) for card in cards}
    spread = Counter(term for stems in known.values() for term in stems)
    asked = Counter(terms(task))
    scored = []
    for card in cards:
        shared = sorted(
            asked.keys() & known[card.name].keys(), key=lambda term: (-_rarity(term, spread, len(cards)), term)
        )
        score = sum(_rarity(term, spread, len(cards)) for term in shared) / max(len(asked), 1)
        because = [*shared, "model"] if vote == card.name else shared
        scored.append((card.name, score + (MODEL_VOTE if vote == card.name else 0.0), because))
    chosen = sorted((entry for entry in scored if entry[1] > 0), key=lambda entry: -entry[1])[:most]
    chosen = chosen or [(card.name, 1.0, ["nothing fits"]) for card in cards[:most]]
    total = sum(score for _, score, _ in chosen)
    return [Weight(agent=name, weight=round(score / total, 4), because=because) for name, score, because in chosen]


def router(
    agents: Mapping[Card, CompiledStateGraph[Any, Any, Any, Any]],
    *,
    most: int = MOST_AGENTS,
    ask_model: bool = False,
    budget: ModelBudget | None = None,
) -> StateGraph[RouterState, None, Task, Routed]:
    """The router as a graph: `gate` weighs, then the chosen agents run side by side with the task as their input.

    Args:
        agents: compiled graphs that take `{"task": ...}`, each under its card.
        most: to how many agents a task goes.
        ask_model: let the model vote as well; its vote is in `because`.
    """
    cards = [*agents]
    if not cards or len({card.name for card in cards}) < len(cards):
        raise InvalidInput(f"router: give it agents of different names, not {[card.name for card in cards]}")

    async def gate(state: Task) -> dict[str, Any]:
        vote = await _vote(state["task"], cards, budget or ModelBudget()) if ask_model else None
        return {"weights": weigh(state["task"], cards, most=most, vote=vote), "answers": []}

    async def chosen(state: RouterState) -> list[Send]:
        return [
            Send(weight["agent"], {"task": state["task"], "weight": weight["weight"]}) for weight in state["weights"]
        ]

    graph = StateGraph(RouterState, input_schema=Task, output_schema=Routed)
    graph.add_node("gate", gate)
    for card, agent in agents.items():
        graph.add_node(card.name, _runs(card, agent))
        graph.add_edge(card.name, END)
    graph.add_edge(START, "gate")
    graph.add_conditional_edges("gate", chosen, [card.name for card in cards])
    return graph


def _runs(card: Card, agent: CompiledStateGraph[Any, Any, Any, Any]) -> Any:
    async def run(state: dict[str, Any]) -> dict[str, Any]:
        output = await agent.ainvoke({"task": state["task"]})
        return {"answers": [Answered(agent=card.name, weight=state["weight"], output=dict(output))]}

    return run


async def _vote(task: str, cards: Sequence[Card], budget: ModelBudget) -> str | None:
    listed = "\n".join(f"- {card.name}: {card.does}" for card in cards)
    asking = Asking(job_context(), budget)
    answer = await asking.json(Vote, _SYSTEM, f"Task: {task}\nAgents:\n{listed}\n\nWho fits best?", tokens=30)
    named = answer.agent.strip().casefold() if answer is not None else ""
    return next((card.name for card in cards if card.name.casefold() == named), None)


def _rarity(term: str, spread: Mapping[str, int], count: int) -> float:
    return math.log((1 + count) / spread[term]) / math.log(1 + count) if count else 0.0
