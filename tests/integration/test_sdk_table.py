"""Every public method of langgraph-sdk, by its async and its sync client, against live servers: none is refused."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import NotFoundError

from tests.sdk import KINDS, sdk
from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PARTS = ("assistants", "threads", "runs", "crons", "store")
NO_INPUT: dict[str, Any] = {"items": []}
STEPS = ["one", "two", "three"]
NOWHERE = "http://127.0.0.1:1"
YEARLY = "0 0 1 1 *"
Check = Callable[[Any], Awaitable[None]]
TABLE: dict[str, Check] = {}


def method(name: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        TABLE[name] = check
        return check

    return add


async def _thread(client: Any, **given: Any) -> str:
    return str((await client.threads.create(**given))["thread_id"])


async def _ran(client: Any) -> tuple[str, str]:
    """A thread in which a run has ended, and that run."""
    thread_id = await _thread(client)
    run = await client.runs.create(thread_id, "run_steps", input=NO_INPUT)
    await client.runs.join(thread_id, run["run_id"])
    return thread_id, run["run_id"]


async def _assistant(client: Any, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = await client.assistants.create("run_steps", **given)
    return found


@method("assistants.get")
async def _(client: Any) -> None:
    by_name = await client.assistants.get("run_steps")
    assert by_name["metadata"]["created_by"] == "system"
    assert await client.assistants.get(by_name["assistant_id"]) == by_name


@method("assistants.get_graph")
async def _(client: Any) -> None:
    graph = await client.assistants.get_graph("run_nested", xray=True)
    assert {node["id"] for node in graph["nodes"]} >= {"__start__", "one", "inner:deep", "__end__"}


@method("assistants.get_schemas")
async def _(client: Any) -> None:
    schemas = await client.assistants.get_schemas("run_steps")
    assert schemas["graph_id"] == "run_steps"
    assert schemas["state_schema"]["properties"].keys() >= {"items", "value"}


@method("assistants.get_subgraphs")
async def _(client: Any) -> None:
    assert set(await client.assistants.get_subgraphs("run_nested", recurse=True)) == {"inner"}
    assert set(await client.assistants.get_subgraphs("run_nested", "inner")) == {"inner"}


@method("assistants.create")
async def _(client: Any) -> None:
    made = await _assistant(client, name="a", config={"configurable": {"x": 1}}, metadata={"m": 1}, description="d")
    assert (made["name"], made["version"], made["description"]) == ("a", 1, "d")
    again = await client.assistants.create("run_steps", assistant_id=made["assistant_id"], if_exists="do_nothing")
    assert again["assistant_id"] == made["assistant_id"]


@method("assistants.update")
async def _(client: Any) -> None:
    made = await _assistant(client, metadata={"a": 1})
    changed = await client.assistants.update(made["assistant_id"], name="b", metadata={"b": 2})
    assert (changed["version"], changed["name"], changed["metadata"]["b"]) == (2, "b", 2)


@method("assistants.delete")
async def _(client: Any) -> None:
    made = await _assistant(client)
    await client.assistants.delete(made["assistant_id"])
    with pytest.raises(NotFoundError):
        await client.assistants.get(made["assistant_id"])


@method("assistants.search")
async def _(client: Any) -> None:
    made = await _assistant(client, metadata={"only": "search"})
    found = await client.assistants.search(metadata={"only": "search"}, graph_id="run_steps", sort_by="created_at")
    assert found[0]["assistant_id"] == made["assistant_id"]


@method("assistants.count")
async def _(client: Any) -> None:
    before = await client.assistants.count(metadata={"only": "count"})
    await _assistant(client, metadata={"only": "count"})
    assert await client.assistants.count(metadata={"only": "count"}) == before + 1


@method("assistants.get_versions")
async def _(client: Any) -> None:
    made = await _assistant(client)
    await client.assistants.update(made["assistant_id"], name="second")
    versions = await client.assistants.get_versions(made["assistant_id"])
    assert [version["version"] for version in versions] == [2, 1]


@method("assistants.set_latest")
async def _(client: Any) -> None:
    made = await _assistant(client, name="first")
    await client.assistants.update(made["assistant_id"], name="second")
    assert (await client.assistants.set_latest(made["assistant_id"], 1))["name"] == "first"


@method("threads.create")
async def _(client: Any) -> None:
    made = await client.threads.create(metadata={"a": 1}, graph_id="run_steps", ttl=60)
    assert (made["status"], made["metadata"]["a"], made["metadata"]["graph_id"]) == ("idle", 1, "run_steps")
    again = await client.threads.create(thread_id=made["thread_id"], if_exists="do_nothing")
    assert again["thread_id"] == made["thread_id"]


@method("threads.get")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    found = await client.threads.get(thread_id)
    assert (found["status"], found["values"]["items"], found["interrupts"]) == ("idle", STEPS, {})


@method("threads.update")
async def _(client: Any) -> None:
    thread_id = await _thread(client, metadata={"a": 1})
    changed = await client.threads.update(thread_id, metadata={"b": 2})
    assert changed["metadata"] == {"a": 1, "b": 2}


@method("threads.delete")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    await client.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)


@method("threads.search")
async def _(client: Any) -> None:
    thread_id = await _thread(client, metadata={"only": "search"})
    found = await client.threads.search(metadata={"only": "search"}, status="idle", limit=1, sort_by="created_at")
    assert found[0]["thread_id"] == thread_id


@method("threads.count")
async def _(client: Any) -> None:
    before = await client.threads.count(metadata={"only": "count"})
    await _thread(client, metadata={"only": "count"})
    assert await client.threads.count(metadata={"only": "count"}) == before + 1


@method("threads.copy")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    copied = await client.threads.copy(thread_id)
    assert copied["thread_id"] != thread_id
    history = await client.threads.get_history(copied["thread_id"])
    assert [state["values"] for state in history] == [
        state["values"] for state in await client.threads.get_history(thread_id)
    ]


@method("threads.prune")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    assert (await client.threads.prune([thread_id], strategy="keep_latest"))["pruned_count"] == 1
    assert len(await client.threads.get_history(thread_id)) == 1


@method("threads.get_state")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    state = await client.threads.get_state(thread_id, subgraphs=True)
    assert (state["values"]["items"], state["next"], state["tasks"]) == (STEPS, [], [])
    earlier = await client.threads.get_state(thread_id, checkpoint=state["parent_checkpoint"])
    assert earlier["next"] == ["three"]


@method("threads.update_state")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    updated = await client.threads.update_state(thread_id, {"value": "by hand"}, as_node="three")
    assert updated["checkpoint"]["thread_id"] == thread_id
    assert (await client.threads.get_state(thread_id))["values"]["value"] == "by hand"


@method("threads.get_history")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    states = await client.threads.get_history(thread_id, limit=10)
    assert [state["next"] for state in states] == [[], ["three"], ["two"], ["one"], ["__start__"]]
    assert len(await client.threads.get_history(thread_id, limit=2, before=states[1]["checkpoint"])) == 2


@method("threads.join_stream")
async def _(client: Any) -> None:
    thread_id, _ = await _ran(client)
    opened = client.threads.join_stream(thread_id, last_event_id="-1", stream_mode=["run_modes"])
    parts = await opened if inspect.isawaitable(opened) else opened
    async for part in parts:
        if part.event == "metadata":
            return
    raise AssertionError("no event of the run")


@method("runs.create")
async def _(client: Any) -> None:
    run = await client.runs.create(None, "run_steps", input=NO_INPUT, metadata={"a": 1})
    assert (run["status"], run["metadata"]["a"], run["multitask_strategy"]) == ("pending", 1, "enqueue")


@method("runs.create_batch")
async def _(client: Any) -> None:
    runs = await client.runs.create_batch([{"assistant_id": "run_steps", "input": NO_INPUT}] * 3)
    assert len({run["run_id"] for run in runs}) == 3


@method("runs.stream")
async def _(client: Any) -> None:
    modes = ["values", "updates", "custom"]
    parts = [part async for part in client.runs.stream(None, "run_steps", input=NO_INPUT, stream_mode=modes)]
    assert parts[0].event == "metadata"
    assert [next(iter(part.data)) for part in parts if part.event == "updates"] == STEPS


@method("runs.wait")
async def _(client: Any) -> None:
    assert (await client.runs.wait(None, "run_steps", input=NO_INPUT))["items"] == STEPS


@method("runs.list")
async def _(client: Any) -> None:
    thread_id, run_id = await _ran(client)
    assert [run["run_id"] for run in await client.runs.list(thread_id, status="success")] == [run_id]


@method("runs.get")
async def _(client: Any) -> None:
    thread_id, run_id = await _ran(client)
    assert (await client.runs.get(thread_id, run_id))["status"] == "success"


@method("runs.cancel")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    run = await client.runs.create(thread_id, "run_holding", input={"items": [], "seconds": 60})
    await client.runs.cancel(thread_id, run["run_id"], wait=True)
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


@method("runs.cancel_many")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    run = await client.runs.create(thread_id, "run_holding", input={"items": [], "seconds": 60}, after_seconds=600)
    await client.runs.cancel_many(thread_id=thread_id, run_ids=[run["run_id"]])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


@method("runs.join")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    run = await client.runs.create(thread_id, "run_steps", input=NO_INPUT)
    assert (await client.runs.join(thread_id, run["run_id"]))["items"] == STEPS


@method("runs.join_stream")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    run = await client.runs.create(
        thread_id, "run_steps", input=NO_INPUT, stream_mode=["updates"], stream_resumable=True
    )
    parts = [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
    assert [next(iter(part.data)) for part in parts if part.event == "updates"] == STEPS


@method("runs.delete")
async def _(client: Any) -> None:
    thread_id, run_id = await _ran(client)
    await client.runs.delete(thread_id, run_id)
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run_id)


@method("crons.create")
async def _(client: Any) -> None:
    cron = await client.crons.create("run_steps", schedule=YEARLY, input=NO_INPUT, timezone="America/Sao_Paulo")
    assert (cron["schedule"], cron["enabled"], cron["thread_id"]) == (YEARLY, True, None)
    assert cron["next_run_date"]


@method("crons.create_for_thread")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    assert (await client.crons.create_for_thread(thread_id, "run_steps", schedule=YEARLY))["thread_id"] == thread_id


@method("crons.update")
async def _(client: Any) -> None:
    cron = await client.crons.create("run_steps", schedule=YEARLY)
    assert (await client.crons.update(cron["cron_id"], enabled=False))["enabled"] is False


@method("crons.delete")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    cron = await client.crons.create_for_thread(thread_id, "run_steps", schedule=YEARLY)
    await client.crons.delete(cron["cron_id"])
    assert await client.crons.search(thread_id=thread_id) == []


@method("crons.search")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    cron = await client.crons.create_for_thread(thread_id, "run_steps", schedule=YEARLY)
    assert [found["cron_id"] for found in await client.crons.search(thread_id=thread_id)] == [cron["cron_id"]]


@method("crons.count")
async def _(client: Any) -> None:
    thread_id = await _thread(client)
    await client.crons.create_for_thread(thread_id, "run_steps", schedule=YEARLY)
    assert await client.crons.count(thread_id=thread_id) == 1


@method("store.put_item")
async def _(client: Any) -> None:
    await client.store.put_item(["sdk", "put"], "one", {"n": 1}, ttl=60)
    await client.store.put_item(["sdk", "put"], "one", {"n": 2})
    assert (await client.store.get_item(["sdk", "put"], "one"))["value"] == {"n": 2}


@method("store.get_item")
async def _(client: Any) -> None:
    await client.store.put_item(["sdk", "get"], "one", {"n": 1})
    item = await client.store.get_item(["sdk", "get"], "one")
    assert (item["namespace"], item["key"], item["value"]) == (["sdk", "get"], "one", {"n": 1})
    assert await client.store.get_item(["sdk", "get"], "nothing") is None


@method("store.delete_item")
async def _(client: Any) -> None:
    await client.store.put_item(["sdk", "delete"], "one", {"n": 1})
    await client.store.delete_item(["sdk", "delete"], "one")
    assert await client.store.get_item(["sdk", "delete"], "one") is None


@method("store.search_items")
async def _(client: Any) -> None:
    for number in range(3):
        await client.store.put_item(["sdk", "search"], str(number), {"n": number, "even": number % 2 == 0})
    found = await client.store.search_items(["sdk", "search"], filter={"even": True})
    assert sorted(item["value"]["n"] for item in found["items"]) == [0, 2]


@method("store.list_namespaces")
async def _(client: Any) -> None:
    await client.store.put_item(["sdk", "names", "deep"], "one", {"n": 1})
    found = await client.store.list_namespaces(prefix=["sdk", "names"], max_depth=2)
    assert found["namespaces"] == [["sdk", "names"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TABLE)
async def test_method(name: str, kind: str, servers: Servers) -> None:
    async with sdk(kind, servers) as client:
        await TABLE[name](client)


async def test_the_table_has_every_public_method() -> None:
    async with get_client(url=NOWHERE, api_key="none") as client:
        public = {
            f"{part}.{name}"
            for part in PARTS
            for name, _ in inspect.getmembers(type(getattr(client, part)), callable)
            if not name.startswith("_")
        }
    # A session, and no call: see test_sdk_thread_session.py.
    assert public == set(TABLE) | {"threads.stream"}
    assert len(public) == 46
