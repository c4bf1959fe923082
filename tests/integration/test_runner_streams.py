"""The rows of a job's stream, as the reference server's frames carry them (recorded from it), mode by mode."""

import dataclasses
import datetime
import decimal
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.stream.transformers import UpdatesTransformer
from langgraph.types import interrupt
from mutirao.jobs.states import JobState
from mutirao_workers.streamed import Messages
from pydantic import BaseModel

from tests.runs import Runs, chain, runs
from tests.streams import Said, ask, bye, hello, rows, run_of, thread_row

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture(scope="module")
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


def talk() -> StateGraph[Any]:
    return chain(Said, hello=hello, ask=ask, bye=bye)


def nested() -> StateGraph[Any]:
    return chain(Said, first=hello, sub=chain(Said, hello=hello, ask=ask).compile(), bye=bye)


def without_ids(payload: Any) -> Any:
    """Questions without what is different every time."""
    if isinstance(payload, dict) and "__interrupt__" in payload:
        asked = [{key: value for key, value in each.items() if key == "value"} for each in payload["__interrupt__"]]
        return {**payload, "__interrupt__": asked}
    return payload


async def stream_of(world: Runs, build: Any, *modes: str, **fields: Any) -> list[tuple[str, Any]]:
    """The rows of a new job."""
    claim = await run_of(world, None, *modes, **{"input": {"said": ["in"]}, **fields})
    await world.run(build, claim)
    return [(name, without_ids(payload)) for name, payload in await rows(world, claim)]


ASKED = [{"value": {"question": "who?"}}]


async def test_values_and_updates_up_to_a_question_and_after_it(world: Runs) -> None:
    claim = await run_of(world, None, "values", "updates", input={"said": ["in"]})
    await world.run(talk, claim)
    assert [(name, without_ids(payload)) for name, payload in await rows(world, claim)] == [
        ("values", {"said": ["in"]}),
        ("updates", {"hello": {"said": ["hello"]}}),
        ("values", {"said": ["in", "hello"]}),
        ("updates", {"__interrupt__": ASKED}),
        ("values", {"said": ["in", "hello"], "__interrupt__": ASKED}),
    ]
    answered = await run_of(world, claim.thread_id, "values", "updates", command={"resume": "me"}, input=None)
    await world.run(talk, answered)
    assert await rows(world, answered) == [
        ("values", {"said": ["in", "hello"]}),
        ("updates", {"ask": {"said": ["me"]}}),
        ("values", {"said": ["in", "hello", "me"]}),
        ("updates", {"bye": {"said": ["bye"], "word": "done"}}),
        ("values", {"said": ["in", "hello", "me", "bye"], "word": "done"}),
    ]


async def test_only_what_was_asked_for_is_written(world: Runs) -> None:
    assert await stream_of(world, talk, "custom") == [("custom", {"progress": 1})]
    assert await stream_of(world, talk) == []


async def test_a_stop_before_a_step_is_an_update_without_a_question(world: Runs) -> None:
    found = await stream_of(world, talk, "values", "updates", interrupt_before="*")
    assert found == [("values", {"said": ["in"]}), ("updates", {"__interrupt__": []})]


async def test_parts_of_sub_graphs_have_their_place(world: Runs) -> None:
    found = await stream_of(world, nested, "values", "updates", "custom", subgraphs=True)
    assert found == [
        ("values", {"said": ["in"]}),
        ("custom", {"progress": 1}),
        ("updates", {"first": {"said": ["hello"]}}),
        ("values", {"said": ["in", "hello"]}),
        ("values|sub", {"said": ["in", "hello"]}),
        ("custom|sub", {"progress": 1}),
        ("updates|sub", {"hello": {"said": ["hello"]}}),
        ("values|sub", {"said": ["in", "hello", "hello"]}),
        ("updates|sub", {"__interrupt__": ASKED}),
        ("values|sub", {"said": ["in", "hello", "hello"], "__interrupt__": ASKED}),
        ("updates", {"__interrupt__": ASKED}),
        ("values", {"said": ["in", "hello"], "__interrupt__": ASKED}),
    ]
    found = await stream_of(world, nested, "updates", "custom")
    assert [name for name, _ in found] == ["custom", "updates", "updates"]


async def test_tasks_with_their_errors(world: Runs) -> None:
    async def fail(state: Said) -> Any:
        raise RuntimeError("kaput")

    found = await stream_of(world, lambda: chain(Said, hello=hello, fail=fail), "tasks")
    began, ended, _, failed = [payload for _, payload in found]
    assert (began["name"], began["input"], began["triggers"]) == ("hello", {"said": ["in"]}, ["branch:to:hello"])
    assert began["metadata"]["graph_id"] == "flow"
    assert ended == {"id": began["id"], "name": "hello", "error": None, "result": {"said": ["hello"]}, "interrupts": []}
    assert failed["error"] == {"error": "RuntimeError", "message": "kaput"}


async def test_checkpoints_and_debug(world: Runs) -> None:
    plain = [payload for _, payload in await stream_of(world, nested, "checkpoints")]
    assert [payload["next"] for payload in plain] == [["__start__"], ["first"], ["sub"]]
    assert plain[0]["parent_config"] is None
    assert plain[2]["values"] == {"said": ["in", "hello"]}
    assert "checkpoint" not in plain[2]
    debug = [payload for _, payload in await stream_of(world, nested, "debug")]
    assert [payload["type"] for payload in debug][:4] == ["checkpoint", "checkpoint", "task", "task_result"]
    last = next(payload for payload in reversed(debug) if payload["type"] == "checkpoint")["payload"]
    assert set(last["checkpoint"]) == {"thread_id", "checkpoint_ns", "checkpoint_id"}
    assert last["parent_checkpoint"]["checkpoint_id"] != last["checkpoint"]["checkpoint_id"]
    assert last["tasks"][0]["checkpoint"]["checkpoint_ns"].startswith("sub:")


def chat() -> StateGraph[Any]:
    async def reply(state: MessagesState) -> Any:
        model = GenericFakeChatModel(messages=iter([AIMessage(content="hello big world", id="m1")]))
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def note(state: MessagesState) -> Any:
        return {"messages": [AIMessage(content="noted", id="n1")]}

    return chain(MessagesState, reply=reply, note=note)


GREETING = {"input": {"messages": [{"role": "user", "content": "hi", "id": "u1"}]}}


async def test_message_chunks_come_with_their_metadata(world: Runs) -> None:
    found = await stream_of(world, chat, "messages-tuple", **GREETING)
    assert {name for name, _ in found} == {"messages"}
    chunks = [payload for _, payload in found]
    assert [chunk["content"] for chunk, _ in chunks] == ["hello", " ", "big", " ", "world", "noted"]
    first, metadata = chunks[0]
    assert (first["type"], first["id"], first["tool_call_chunks"]) == ("AIMessageChunk", "m1", [])
    assert (metadata["langgraph_node"], metadata["graph_id"]) == ("reply", "flow")
    assert chunks[-1][0]["type"] == "ai"


async def test_messages_grow_and_are_complete(world: Runs) -> None:
    found = await stream_of(world, chat, "messages", **GREETING)
    names = [name.removeprefix("messages/") for name, _ in found]
    assert names == ["metadata", *["partial"] * 5, "metadata", "complete"]
    assert found[0][1]["m1"]["metadata"]["langgraph_node"] == "reply"
    assert [message["content"] for _, [message] in found[1:6]][-2:] == ["hello big ", "hello big world"]
    assert found[5][1] == [
        {
            "content": "hello big world",
            "additional_kwargs": {},
            "response_metadata": {},
            "type": "ai",
            "name": None,
            "id": "m1",
            "tool_calls": [],
            "invalid_tool_calls": [],
            "usage_metadata": None,
        }
    ]


async def test_events_come_between_the_parts_of_other_modes(world: Runs) -> None:
    claim = await run_of(world, None, "events", "values", "messages-tuple", **GREETING)
    job = await world.run(chat, claim)
    assert job.state is JobState.SUCCEEDED
    found = await rows(world, claim)
    assert [name for name, _ in found if name != "events"] == [
        "values",
        *["messages"] * 5,
        "values",
        "messages",
        "values",
    ]
    events = [payload for name, payload in found if name == "events"]
    assert (events[0]["event"], events[0]["run_id"]) == ("on_chain_start", str(claim.job_id))
    assert (events[-1]["event"], events[-1]["run_id"]) == ("on_chain_end", str(claim.job_id))
    said = [event["data"]["chunk"]["content"] for event in events if event["event"] == "on_chat_model_stream"]
    assert said[:5] == ["hello", " ", "big", " ", "world"]
    assert job.output["messages"][1]["content"] == "hello big world"


async def test_events_of_a_job_that_asks_and_fails(world: Runs) -> None:
    claim = await run_of(world, None, "events", "updates", input={"said": ["in"]})
    assert (await world.run(talk, claim)).state is JobState.PAUSED
    assert without_ids((await rows(world, claim))[-2][1]) == {"__interrupt__": ASKED}

    async def fail(state: Said) -> Any:
        raise RuntimeError("kaput")

    failed = await run_of(world, None, "events", input={"said": ["in"]})
    job = await world.run(lambda: chain(Said, fail=fail), failed)
    assert job.error is not None
    assert (job.state, job.error.kind) == (JobState.FAILED, "RuntimeError")


async def test_tools_say_when_they_begin_and_end(world: Runs) -> None:
    @tool
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    async def use(state: Said) -> Any:
        return {"said": [await add.ainvoke({"a": 1, "b": 2})]}

    found = await stream_of(world, lambda: chain(Said, use=use), "tools")
    assert [payload["event"] for _, payload in found] == ["tool-started", "tool-finished"]


class Model(BaseModel):
    at: datetime.datetime = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    number: uuid.UUID = uuid.UUID(int=7)


@dataclasses.dataclass
class Data:
    raw: bytes = b"xyz"


async def test_values_are_the_json_that_clients_know(world: Runs) -> None:
    odd = [
        Model(),
        Data(),
        {1, 2},
        decimal.Decimal("1.5"),
        datetime.timedelta(seconds=3),
        (1, 2),
        HumanMessage("hi", id="h"),
    ]

    async def say(state: Said) -> Any:
        return {"said": odd}

    found = await stream_of(world, lambda: chain(Said, say=say), "updates", input={"said": []})
    assert found[0][1]["say"]["said"] == [
        {"at": "2020-01-01T00:00:00+00:00", "number": "00000000-0000-0000-0000-000000000007"},
        {"raw": "eHl6"},
        [1, 2],
        1.5,
        3.0,
        [1, 2],
        {"content": "hi", "additional_kwargs": {}, "response_metadata": {}, "type": "human", "name": None, "id": "h"},
    ]


async def test_what_is_too_large_says_so_and_costs_the_job_nothing(world: Runs) -> None:
    async def say(state: Said) -> Any:
        return {"said": ["x" * 5_000]}

    claim = await run_of(world, None, "updates", "values", input={"said": []})
    job = await world.run(lambda: chain(Said, say=say), claim, most_stream_bytes=4_000)
    assert job.state is JobState.SUCCEEDED
    found = await rows(world, claim)
    assert [name for name, _ in found] == ["values", "updates", "values"]
    assert found[1][1] == {"__omitted__": {"bytes": 5021, "max_bytes": 4_000}}


async def test_a_payload_is_what_it_was_when_it_came(world: Runs) -> None:
    kept: list[dict[str, Any]] = [{"n": 1}]

    async def first(state: Said) -> Any:
        return {"said": kept}

    async def second(state: Said) -> Any:
        kept[0]["n"] = 2
        return {}

    found = await stream_of(world, lambda: chain(Said, first=first, second=second), "updates", input={"said": []})
    assert found[0] == ("updates", {"first": {"said": [{"n": 1}]}})


async def test_the_stream_goes_on_in_the_next_attempt_after_a_pause(world: Runs) -> None:
    async def twice(state: Said) -> Any:
        return {"said": [interrupt("first?"), interrupt("second?")]}

    claim = await run_of(world, None, "updates", input={"said": []})
    await world.run(lambda: chain(Said, twice=twice), claim)
    await world.run(lambda: chain(Said, twice=twice), await world.decide(claim.job_id, "one"))
    found = [without_ids(payload) for _, payload in await rows(world, claim)]
    assert found == [{"__interrupt__": [{"value": "first?"}]}, {"__interrupt__": [{"value": "second?"}]}]


async def test_a_step_that_waits_for_its_children_asks_nobody(world: Runs) -> None:
    async def wait(state: Said) -> Any:
        return {"said": [interrupt({"mutirao": "children"})]}

    claim = await run_of(world, None, "updates", "values", input={"said": ["in"]})
    job = await world.run(lambda: chain(Said, wait=wait), claim)
    assert job.state is JobState.QUEUED  # there are none: it is woken at once
    assert await rows(world, claim) == [("values", {"said": ["in"]})]
    assert (await thread_row(world, claim.thread_id)).state_updated_at is None


async def test_chunks_that_do_not_fit_together_are_no_error() -> None:
    told: list[tuple[str, Any]] = []
    growing = Messages(lambda name, payload, place: told.append((name, payload)))
    growing.take((AIMessageChunk(content="a", id="m", additional_kwargs={"x": 1.5}), {}), ())
    growing.take((AIMessageChunk(content="b", id="m", additional_kwargs={"x": []}), {}), ())
    assert [name for name, _ in told] == ["messages/metadata", "messages/partial", "messages/partial"]
    assert told[-1][1][0].content in ("b", "ab")


def with_transformers() -> Any:
    graph = StateGraph(Said)
    graph.add_node("hello", hello)
    graph.add_edge(START, "hello")
    return graph.compile(transformers=[UpdatesTransformer])


async def test_a_graph_compiled_with_transformers_streams_as_any(world: Runs) -> None:
    found = await stream_of(world, with_transformers, "updates")
    assert found == [("updates", {"hello": {"said": ["hello"]}})]


async def test_native_jobs_write_no_rows(world: Runs) -> None:
    job = await world.run(with_transformers, await world.store.claimed(input={"said": ["in"]}))
    assert job.output == {"said": ["in", "hello"]}
    assert await world.events(job.id, "stream.") == []
