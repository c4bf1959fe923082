"""The eleven methods for runs of langgraph-sdk: each by the async and by the sync client, against live servers."""

import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from tests.sdk import KINDS, sdk
from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

NO_INPUT: dict[str, Any] = {"items": []}
STEPS = ["one", "two", "three"]
LONG = {"items": [], "seconds": 60}


@pytest.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Any]:
    async with sdk(request.param, servers) as found:
        yield found


async def thread(client: Any) -> str:
    return str((await client.threads.create())["thread_id"])


async def holding(client: Any, thread_id: str) -> str:
    return str((await client.runs.create(thread_id, "run_holding", input=LONG))["run_id"])


async def collect(parts: AsyncIterator[Any]) -> list[tuple[str, Any]]:
    return [(part.event, part.data) async for part in parts]


async def test_create_get_list_join(client: Any) -> None:
    thread_id = await thread(client)
    told: list[Any] = []
    run = await client.runs.create(
        thread_id, "run_steps", input=NO_INPUT, metadata={"a": 1}, on_run_created=told.append
    )
    assert told == [{"run_id": run["run_id"], "thread_id": thread_id}]
    assert await client.runs.join(thread_id, run["run_id"]) == {"items": STEPS}
    found = await client.runs.get(thread_id, run["run_id"])
    assert found["status"] == "success"
    assert found["metadata"] == {
        "a": 1,
        "created_by": "system",
        "graph_id": "run_steps",
        "assistant_id": run["assistant_id"],
    }
    assert [listed["run_id"] for listed in await client.runs.list(thread_id, status="success")] == [run["run_id"]]
    assert await client.runs.list(thread_id, select=["status"], limit=1) == [{"status": "success"}]
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_create_without_a_thread(client: Any) -> None:
    run = await client.runs.create(None, "run_steps", input=NO_INPUT, on_completion="keep", after_seconds=0)
    assert await client.runs.join(run["thread_id"], run["run_id"]) == {"items": STEPS}


async def test_create_batch(client: Any) -> None:
    body = {"assistant_id": "run_steps", "input": NO_INPUT}
    runs = await client.runs.create_batch([body, body])
    for run in runs:
        assert await client.runs.join(run["thread_id"], run["run_id"]) == {"items": STEPS}


async def test_wait(client: Any) -> None:
    thread_id = await thread(client)
    assert await client.runs.wait(thread_id, "run_steps", input=NO_INPUT) == {"items": STEPS}
    assert await client.runs.wait(thread_id, "run_steps", input=NO_INPUT) == {"items": STEPS + STEPS}
    assert await client.runs.wait(None, "run_steps", input=NO_INPUT, durability="exit") == {"items": STEPS}
    with pytest.raises(Exception, match="ValueError: no good: x"):
        await client.runs.wait(None, "run_failing", input={"value": "x"})
    failed = await client.runs.wait(thread_id, "run_failing", input={"value": "x"}, raise_error=False)
    assert failed == {"__error__": {"error": "ValueError", "message": "no good: x"}}
    assert (await client.threads.get(thread_id))["status"] == "error"


async def test_stream(client: Any) -> None:
    told: list[Any] = []
    parts = await collect(
        client.runs.stream(
            None,
            "run_steps",
            input=NO_INPUT,
            stream_mode=["values", "updates", "custom"],
            on_run_created=told.append,
        )
    )
    assert parts == [
        ("metadata", {"run_id": told[0]["run_id"], "attempt": 1}),
        ("values", {"items": []}),
        ("custom", {"at": "one"}),
        ("updates", {"one": {"items": ["one"]}}),
        ("values", {"items": STEPS[:1]}),
        ("custom", {"at": "two"}),
        ("updates", {"two": {"items": ["two"]}}),
        ("values", {"items": STEPS[:2]}),
        ("custom", {"at": "three"}),
        ("updates", {"three": {"items": ["three"]}}),
        ("values", {"items": STEPS}),
    ]


async def test_stream_of_a_failure(client: Any) -> None:
    parts = await collect(client.runs.stream(None, "run_failing", input={"value": "x"}, stream_mode="updates"))
    assert parts[1:] == [
        ("updates", {"before": {"items": ["before"]}}),
        ("error", {"error": "ValueError", "message": "no good: x"}),
    ]


async def test_stream_of_subgraphs(client: Any) -> None:
    stream = partial(client.runs.stream, None, "run_nested", input=NO_INPUT, stream_mode="updates")
    outer = [event for event, _ in await collect(stream())]
    assert outer == ["metadata", "updates", "updates"]
    inner = [event.partition(":")[0] for event, _ in await collect(stream(stream_subgraphs=True))]
    assert inner == ["metadata", "updates", "updates|inner", "updates"]


async def test_interrupt_and_resume(client: Any) -> None:
    thread_id = await thread(client)
    asked = await client.runs.wait(thread_id, "run_asking", input=NO_INPUT)
    assert asked["items"] == ["before"]
    assert [question["value"] for question in asked["__interrupt__"]] == [{"question": "go on?"}]
    [run] = await client.runs.list(thread_id)
    assert run["status"] == "success"
    found = await client.threads.get(thread_id)
    assert found["status"] == "interrupted"
    [[question]] = found["interrupts"].values()
    assert question["value"] == {"question": "go on?"}
    parts = await collect(client.runs.stream(thread_id, "run_asking", command={"resume": "yes"}, stream_mode="updates"))
    assert parts[1:] == [
        ("updates", {"ask": {"items": ["ask"], "value": "yes"}}),
        ("updates", {"after": {"items": ["after"]}}),
    ]
    assert (await client.threads.get(thread_id))["status"] == "idle"
    assert [run["status"] for run in await client.runs.list(thread_id)] == ["success", "success"]


async def test_stream_of_an_interrupt(client: Any) -> None:
    parts = await collect(client.runs.stream(None, "run_asking", input=NO_INPUT, stream_mode=["updates", "values"]))
    [told] = [data["__interrupt__"] for event, data in parts if event == "updates" and "__interrupt__" in data]
    assert [question["value"] for question in told] == [{"question": "go on?"}]
    assert parts[-1][0] in ("updates", "values")


async def test_breakpoints(client: Any) -> None:
    thread_id = await thread(client)
    assert await client.runs.wait(thread_id, "run_steps", input=NO_INPUT, interrupt_before=["two"]) == {
        "items": ["one"]
    }
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    assert await client.runs.wait(thread_id, "run_steps", interrupt_after="*") == {"items": ["one", "two"]}
    assert await client.runs.wait(thread_id, "run_steps") == {"items": STEPS}
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_cancel(client: Any) -> None:
    thread_id = await thread(client)
    run_id = await holding(client, thread_id)
    assert await client.runs.cancel(thread_id, run_id, wait=True) == {}
    assert (await client.runs.get(thread_id, run_id))["status"] == "interrupted"
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    with pytest.raises(NotFoundError):
        await client.runs.cancel(thread_id, run_id)
    other = await holding(client, thread_id)
    assert await client.runs.cancel(thread_id, other) is None
    await client.runs.join(thread_id, other)
    last = await holding(client, thread_id)
    await client.runs.cancel(thread_id, last, wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, last)


async def test_cancel_many(client: Any) -> None:
    thread_id = await thread(client)
    runs = [await holding(client, thread_id) for _ in range(2)]
    await client.runs.cancel_many(thread_id=thread_id, run_ids=runs)
    for run_id in runs:
        await client.runs.join(thread_id, run_id)
    assert {run["status"] for run in await client.runs.list(thread_id)} == {"interrupted"}
    last = await holding(client, thread_id)
    await client.runs.cancel_many(status="all")
    await client.runs.join(thread_id, last)
    assert (await client.runs.get(thread_id, last))["status"] == "interrupted"


async def test_join_stream(client: Any) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(
        thread_id, "run_steps", input=NO_INPUT, stream_mode=["values", "updates"], stream_resumable=True
    )
    run_id = run["run_id"]
    await client.runs.join(thread_id, run_id)
    assert await collect(client.runs.join_stream(thread_id, run_id)) == []
    whole = [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id="-1")]
    assert [part.event for part in whole] == ["metadata", "values", *["updates", "values"] * 3]
    chosen = await collect(client.runs.join_stream(thread_id, run_id, last_event_id="-1", stream_mode=["updates"]))
    assert [event for event, _ in chosen] == ["metadata", "updates", "updates", "updates"]
    rest = [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id=whole[3].id)]
    assert rest == whole[4:]


async def test_delete(client: Any) -> None:
    thread_id = await thread(client)
    run_id = await holding(client, thread_id)
    await client.runs.cancel(thread_id, run_id, wait=True)
    await client.runs.delete(thread_id, run_id)
    active = await holding(client, thread_id)
    await client.runs.delete(thread_id, active)
    assert await client.runs.list(thread_id) == []
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run_id)


async def test_strategies_and_refusals(client: Any) -> None:
    thread_id = await thread(client)
    first = await holding(client, thread_id)
    with pytest.raises(ConflictError):
        await client.runs.create(thread_id, "run_steps", input=NO_INPUT, multitask_strategy="reject")
    await client.runs.wait(thread_id, "run_steps", input=NO_INPUT, multitask_strategy="interrupt")
    assert (await client.runs.get(thread_id, first))["status"] == "interrupted"
    for create in (client.runs.create, client.runs.wait):
        with pytest.raises(Exception, match=r"404|no thread"):
            await create(str(uuid.uuid4()), "run_steps", input=NO_INPUT)
    with pytest.raises(UnprocessableEntityError):
        await client.runs.get(thread_id, "no-uuid")
    new = str(uuid.uuid4())
    assert await client.runs.wait(new, "run_steps", input=NO_INPUT, if_not_exists="create") == {"items": STEPS}
