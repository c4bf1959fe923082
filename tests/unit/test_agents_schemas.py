"""Input schemas: messages in every form that LangGraph takes, and nothing else."""

from typing import Any

import jsonschema
import pytest
from langgraph.graph import START, MessagesState, StateGraph
from mutirao_agents.schemas import input_schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    async def answer(state: MessagesState) -> dict[str, Any]:
        return {}

    return input_schema(StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile())


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hello"},
        {"type": "human", "content": "hello"},
        {"type": "ai", "content": "", "tool_calls": [{"name": "add", "args": {"a": 1}, "id": "1"}]},
        {"role": "user", "content": [{"type": "text", "text": "hello"}]},
        ["user", "hello"],
        "hello",
    ],
)
def test_what_add_messages_takes_fits(schema: dict[str, Any], message: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate({"messages": [message]})


@pytest.mark.parametrize("message", [7, None, {}, ["user"], {"role": "user"}])
def test_what_it_does_not_take_is_refused(schema: dict[str, Any], message: Any) -> None:
    assert list(jsonschema.Draft202012Validator(schema).iter_errors({"messages": [message]}))
