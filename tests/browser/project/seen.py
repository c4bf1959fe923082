"""Workflows that people watch, decide about and fill in forms for. A gate is a file that a step waits for."""

import operator
from pathlib import Path
from typing import Annotated, Any, Literal

from flows import chain, opened
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from mutirao_agents import job_context, workflow
from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class Mailing(TypedDict, total=False):
    topic: str
    decisions: list[Any]


MAIL = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "title": "To"},
        "subject": {"type": "string", "title": "Subject", "minLength": 3},
        "copies": {"type": "integer", "title": "Copies", "minimum": 1, "maximum": 9},
        "urgent": {"type": "boolean", "title": "Urgent"},
    },
    "required": ["to", "subject"],
}


@workflow(name="mailing", description="Drafts a mail and asks before it sends it.")
def mailing() -> StateGraph[Any]:
    async def draft(state: Mailing) -> Mailing:
        return {"topic": state.get("topic", "the harvest")}

    async def send(state: Mailing) -> Mailing:
        mail = {"to": "ana@example.org", "subject": f"About {state['topic']}", "copies": 1, "urgent": False}
        asked = {
            "action_requests": [{"name": "send_mail", "args": mail, "description": "Sends a mail to a member."}],
            "review_configs": [
                {"action_name": "send_mail", "allowed_decisions": ["approve", "edit", "reject"], "args_schema": MAIL}
            ],
        }
        return {"decisions": interrupt(asked)["decisions"]}

    return chain(Mailing, draft=draft, send=send)


class Order(BaseModel):
    """What is ordered."""

    crop: str = Field(
        min_length=2, title="Crop", description="What is to be grown.", json_schema_extra={"not": {"const": "mint"}}
    )
    quality: Literal["seed", "food"] = Field("food", title="Quality")
    kilos: int = Field(10, ge=1, le=500, title="Kilos")
    organic: bool = Field(True, title="Organic")
    notes: list[str] = Field([], title="Notes")


@workflow(name="order", description="Takes an order.")
def order() -> StateGraph[Any]:
    async def take(state: Order) -> dict[str, Any]:
        return {"notes": [*state.notes, f"{state.kilos} kg of {state.crop}"]}

    return chain(Order, take=take)


class Counts(TypedDict, total=False):
    until: int
    gate: str
    n: int


@workflow(name="counts", description="Counts aloud, half of it before its gate opens.")
def counts() -> StateGraph[Any]:
    async def first(state: Counts) -> Counts:
        for number in range(state["until"] // 2):
            job_context().emit("said", {"number": number})
        await opened(state.get("gate", ""))
        return {"n": state["until"] // 2}

    async def second(state: Counts) -> Counts:
        for number in range(state["n"], state["until"]):
            job_context().emit("said", {"number": number})
        return {"n": state["until"]}

    return chain(Counts, first=first, second=second)


class Shaky(TypedDict, total=False):
    gate: str


@workflow(name="shaky", description="Fails as long as its gate is closed.")
def shaky() -> StateGraph[Any]:
    async def fine(state: Shaky) -> Shaky:
        return {}

    async def tries(state: Shaky) -> Shaky:
        if not Path(state["gate"]).exists():
            raise ConnectionError("the bank does not answer")
        return {}

    return chain(Shaky, fine=fine, tries=tries)


class Speech(TypedDict, total=False):
    text: str
    answer: str


@workflow(name="speaks", description="Asks the model of this worker, which says the last paragraph again.")
def speaks() -> StateGraph[Any]:
    async def speak(state: Speech) -> Speech:
        answer = await job_context().models.chat().ainvoke(f"Say this again.\n\n{state['text']}")
        return {"answer": answer.text}

    return chain(Speech, speak=speak)


class Many(TypedDict, total=False):
    count: int
    n: int
    done: Annotated[list[int], operator.add]


@workflow(name="many", description="A step for each of `count` items, then one more.")
def many() -> StateGraph[Any]:
    async def item(state: Many) -> Many:
        return {"done": [state["n"]]}

    async def gather(state: Many) -> Many:
        return {"n": len(state["done"])}

    graph = StateGraph(Many)
    graph.add_node("item", item)
    graph.add_node("gather", gather)
    graph.add_conditional_edges(START, lambda state: [Send("item", {"n": n}) for n in range(state["count"])], ["item"])
    graph.add_edge("item", "gather")
    graph.add_edge("gather", END)
    return graph
