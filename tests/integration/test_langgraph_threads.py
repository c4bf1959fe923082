"""Threads by langgraph-sdk: their fields, state, history, copies and ends; and the same ones by the native API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers.url, api_key=servers.key) as found:
        yield found


async def ran(client: LangGraphClient, graph: str = "run_steps", **fields: Any) -> str:
    """A thread in which a graph has run."""
    thread = await client.threads.create(**fields)
    await client.runs.wait(thread["thread_id"], graph, input={"items": []})
    return str(thread["thread_id"])


async def test_create_get_update_and_delete(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"label": "crud"}, graph_id="run_steps")
    assert made == await client.threads.get(made["thread_id"])
    assert made["metadata"] == {"label": "crud", "graph_id": "run_steps"}
    fields = {name: made[name] for name in ("status", "values", "interrupts", "config", "error")}  # type: ignore[literal-required]
    assert fields == {"status": "idle", "values": None, "interrupts": {}, "config": {}, "error": None}
    changed = await client.threads.update(made["thread_id"], metadata={"more": 1})
    assert changed["metadata"] == made["metadata"] | {"more": 1}
    assert await client.threads.update(made["thread_id"], metadata={"more": 2}, return_minimal=True) is None
    assert (await client.threads.get(made["thread_id"]))["metadata"]["more"] == 2
    await client.threads.delete(made["thread_id"])
    with pytest.raises(NotFoundError):
        await client.threads.get(made["thread_id"])


async def test_ids(client: LangGraphClient) -> None:
    mine = str(uuid4())
    assert (await client.threads.create(thread_id=mine, metadata={"first": True}))["thread_id"] == mine
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=mine)
    assert (await client.threads.create(thread_id=mine, if_exists="do_nothing"))["metadata"] == {"first": True}
    with pytest.raises(UnprocessableEntityError):
        await client.threads.create(thread_id="mine")
    with pytest.raises(UnprocessableEntityError):
        await client.threads.get("mine")


async def test_a_thread_lives_as_long_as_it_is_asked_to(client: LangGraphClient) -> None:
    made = await client.threads.create(ttl=5)
    assert "ttl" not in made
    ttl = (await client.threads.get(made["thread_id"], include=["ttl"]))["ttl"]  # type: ignore[typeddict-item]
    assert (ttl["strategy"], ttl["ttl_minutes"]) == ("delete", 5)
    await client.threads.update(made["thread_id"], metadata={}, ttl={"ttl": 10, "strategy": "keep_latest"})
    later = (await client.threads.get(made["thread_id"], include=["ttl"]))["ttl"]  # type: ignore[typeddict-item]
    assert (later["strategy"], later["ttl_minutes"]) == ("keep_latest", 10)
    assert later["expires_at"] > ttl["expires_at"]


async def test_search_and_count(client: LangGraphClient) -> None:
    label = {"label": str(uuid4())}
    quiet = (await client.threads.create(metadata=label))["thread_id"]
    done = await ran(client, metadata=label)
    asking = await ran(client, "run_asking", metadata=label)

    async def found(**search: Any) -> list[str]:
        return [thread["thread_id"] for thread in await client.threads.search(metadata=label, **search)]

    assert await found() == [asking, done, quiet]
    assert await found(limit=1, offset=1) == [done]
    assert await found(status="interrupted") == [asking]
    assert await found(values={"items": ["one", "two", "three"]}) == [done]
    assert await found(ids=[quiet, str(uuid4())]) == [quiet]
    assert await found(sort_by="state_updated_at") == [asking, done, quiet]
    assert await found(sort_by="thread_id", sort_order="asc") == sorted([asking, done, quiet])
    assert await client.threads.count(metadata=label) == 3
    assert await client.threads.count(metadata=label, status="idle") == 2
    assert await client.threads.count(metadata=label | {"graph_id": "run_asking"}) == 1
    [row] = await client.threads.search(
        metadata=label,
        ids=[done],
        select=["thread_id", "status"],
        extract={"last": "values.items[-1]", "no": "values.x.y"},
    )
    assert row == {"thread_id": done, "status": "idle", "extracted": {"last": "three", "no": None}}
    with pytest.raises(UnprocessableEntityError, match="colour"):
        await client.threads.search(extract={"a": "colour.b"})


async def test_the_state_of_a_thread_is_read_and_changed(client: LangGraphClient) -> None:
    thread_id = await ran(client)
    thread = await client.threads.get(thread_id)
    assert thread["values"]["items"] == ["one", "two", "three"]
    state = await client.threads.get_state(thread_id)
    assert state["values"] == thread["values"]
    assert (state["next"], state["tasks"], state["interrupts"]) == ([], [], [])
    assert state["checkpoint"]["thread_id"] == thread_id
    updated = await client.threads.update_state(thread_id, {"items": ["four"]}, as_node="three")
    assert updated["checkpoint"]["thread_id"] == thread_id
    now = await client.threads.get_state(thread_id)
    assert now["values"]["items"] == ["one", "two", "three", "four"]
    assert now["checkpoint"]["checkpoint_id"] == updated["checkpoint"]["checkpoint_id"]
    assert now["parent_checkpoint"]["checkpoint_id"] == state["checkpoint"]["checkpoint_id"]  # type: ignore[index]
    assert (await client.threads.get(thread_id))["values"] == now["values"]
    with pytest.raises(BadRequestError, match="nobody"):
        await client.threads.update_state(thread_id, {"items": ["five"]}, as_node="nobody")
    for at in ({"checkpoint": state["checkpoint"]}, {"checkpoint_id": state["checkpoint"]["checkpoint_id"]}):
        assert (await client.threads.get_state(thread_id, **at))["values"] == state["values"]  # type: ignore[arg-type]
    assert await client.threads.get_state(thread_id, select=["next"]) == {"next": []}
    some = await client.threads.get_state(thread_id, checkpoint=state["checkpoint"], select=["values.items"])
    assert some == {"values": {"items": ["one", "two", "three"]}}


async def test_history(client: LangGraphClient) -> None:
    thread_id = await ran(client)
    states = await client.threads.get_history(thread_id, limit=20)
    assert [state["next"] for state in states] == [[], ["three"], ["two"], ["one"], ["__start__"]]
    assert states[0] == await client.threads.get_state(thread_id)
    before = await client.threads.get_history(thread_id, before=states[1]["checkpoint"])
    assert before == states[2:]
    assert await client.threads.get_history(thread_id, limit=1, select=["next"]) == [{"next": []}]
    assert len(await client.threads.get_history(thread_id, metadata={"source": "input"})) == 1


async def test_a_thread_in_which_nothing_has_run_has_an_empty_state(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    state = await client.threads.get_state(thread_id)
    assert (state["values"], state["next"], state["checkpoint"]) == ({}, [], None)
    assert await client.threads.get_history(thread_id) == []
    with pytest.raises(BadRequestError, match="no workflow yet"):
        await client.threads.update_state(thread_id, {"items": ["a"]})
    with pytest.raises(NotFoundError):
        await client.threads.get_state(str(uuid4()))


PASSES: list[tuple[str, dict[str, Any]]] = [
    ("/threads/{thread}/state", {"values": {"value": "x"}, "as_node": "ask"}),
    ("/threads/{thread}/runs", {"assistant_id": "run_asking", "command": {"goto": "ask"}}),
    ("/threads/{thread}/runs", {"assistant_id": "run_asking", "command": {"update": {"value": "x"}}}),
    ("/api/v1/threads/{thread}/state", {"values": {"value": "x"}, "as_node": "ask"}),
    ("/api/v1/jobs/{job}/fork", {"values": {"value": "x"}, "as_node": "ask"}),
]


async def test_a_question_is_passed_by_nobody_who_may_not_answer_it(client: LangGraphClient, servers: Servers) -> None:
    thread_id = await ran(client, "run_asking")
    [run] = await client.runs.list(thread_id)
    copy = (await client.threads.copy(thread_id))["thread_id"]  # type: ignore[func-returns-value] # it does
    key = servers.http.post("/keys", json={"name": "submits"}).json()["key"]
    async with httpx.AsyncClient(base_url=servers.url, headers={"X-Api-Key": key}, trust_env=False) as http:
        for path, body in PASSES:
            where = path.format(thread=thread_id, job=run["run_id"])
            assert (await http.post(where, json=body)).status_code == 403, where
            if "{thread}" in path:
                assert (await http.post(path.format(thread=copy), json=body)).status_code == 403, path
        cron = {"assistant_id": "run_asking", "schedule": "0 0 1 1 *", "command": {"resume": True}}
        for path in (f"/threads/{thread_id}/runs/crons", "/runs/crons"):
            refused = await http.post(path, json=cron)
            assert (refused.status_code, "command.resume" in refused.text) == (422, True)
        made = await http.post(f"/threads/{thread_id}/runs/crons", json=cron | {"command": {"goto": "ask"}})
        assert (await http.post(f"/api/v1/schedules/{made.json()['cron_id']}/trigger")).status_code == 403
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


@pytest.mark.parametrize(
    "checkpoint", [{"__pregel_checkpointer": "x"}, {"checkpoint_id": 5}, {"checkpoint_map": "x"}, "x", 5]
)
async def test_a_checkpoint_that_is_none_is_refused(servers: Servers, checkpoint: Any) -> None:
    async with httpx.AsyncClient(base_url=servers.url, headers={"X-Api-Key": servers.key}, trust_env=False) as http:
        thread = (await http.post("/threads", json={})).json()["thread_id"]
        for path in ("state/checkpoint", "history", "state", "runs"):
            body = {"checkpoint": checkpoint, "values": {}, "assistant_id": "run_steps"}
            assert (await http.post(f"/threads/{thread}/{path}", json=body)).status_code == 422, path


async def test_an_interrupted_thread_shows_its_questions(client: LangGraphClient) -> None:
    thread_id = await ran(client, "run_asking")
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    [[asked]] = thread["interrupts"].values()
    assert asked["value"] == {"question": "go on?"}
    state = await client.threads.get_state(thread_id)
    assert state["next"] == ["ask"]
    assert [one["value"] for one in state["interrupts"]] == [asked["value"]]
    assert [one["id"] for one in state["tasks"][0]["interrupts"]] == [asked["id"]]
    await client.threads.update_state(thread_id, {"value": "patched"})
    assert (await client.threads.get_state(thread_id))["values"]["value"] == "patched"


async def test_a_busy_thread_keeps_its_state_and_is_deleted_with_its_run(
    client: LangGraphClient, servers: Servers, tmp_path: Path
) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    marker = tmp_path / "marker"
    given = {"items": [], "seconds": 60, "marker": str(marker)}
    run = await client.runs.create(thread_id, "run_holding", input=given)
    while not marker.exists():
        await asyncio.sleep(0.02)
    assert (await client.threads.get(thread_id))["status"] == "busy"
    with pytest.raises(ConflictError):
        await client.threads.update_state(thread_id, {"value": "x"})
    await client.threads.delete(thread_id)
    written = marker.read_text()
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])
    for table in ("checkpoints", "checkpoint_writes", "checkpoint_blobs"):
        assert servers.sql(f"SELECT count(*) FROM {table} WHERE thread_id = %s", thread_id) == [(0,)]
    await ran(client)
    assert marker.read_text() == written


async def test_copies_have_the_history_and_go_their_own_way(client: LangGraphClient) -> None:
    thread_id = await ran(client, "run_asking", metadata={"label": "copied"})
    copy: Any = await client.threads.copy(thread_id)
    assert copy["thread_id"] != thread_id
    assert (copy["status"], copy["metadata"]["label"]) == ("interrupted", "copied")
    theirs = await client.threads.get_history(copy["thread_id"], limit=20)
    assert [state["values"] for state in theirs] == [
        state["values"] for state in await client.threads.get_history(thread_id, limit=20)
    ]
    got: Any = await client.runs.wait(copy["thread_id"], "run_asking", command={"resume": "yes"})
    assert got["value"] == "yes"
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    with pytest.raises(NotFoundError):
        await client.threads.copy(str(uuid4()))


async def test_prune(client: LangGraphClient) -> None:
    kept, gone = await ran(client), await ran(client)
    before = await client.threads.get_state(kept)
    assert await client.threads.prune([kept, str(uuid4())], strategy="keep_latest") == {"pruned_count": 1}
    [state] = await client.threads.get_history(kept)
    assert (state["values"], state["parent_checkpoint"]) == (before["values"], None)
    assert await client.threads.prune([gone]) == {"pruned_count": 1}
    with pytest.raises(NotFoundError):
        await client.threads.get(gone)


async def test_a_thread_begins_in_a_state_that_is_given(client: LangGraphClient) -> None:
    steps = [
        {"updates": [{"values": {"items": ["a"]}, "as_node": "__start__"}]},
        {"updates": [{"values": {"items": ["b"]}, "as_node": "one"}]},
    ]
    made = await client.threads.create(graph_id="run_steps", supersteps=steps)
    assert made["values"]["items"] == ["a", "b"]
    assert (await client.threads.get_state(made["thread_id"]))["next"] == ["two"]
    with pytest.raises(BadRequestError, match="no workflow yet"):
        await client.threads.create(supersteps=steps)


async def test_what_a_thread_takes_of_the_database(client: LangGraphClient) -> None:
    thread_id = await ran(client)
    used = await client.http.get(f"/threads/{thread_id}/storage")
    assert (used["jobs"], used["checkpoints"]["count"]) == (1, 5)
    assert used["bytes"] == sum(used[name]["bytes"] for name in ("checkpoints", "writes", "blobs", "events"))
    assert min(used[name]["count"] for name in ("writes", "blobs", "events")) > 0


def test_the_same_with_the_sync_client(servers: Servers) -> None:
    with get_sync_client(url=servers.url, api_key=servers.key) as client:
        label = {"label": str(uuid4())}
        thread_id = client.threads.create(metadata=label)["thread_id"]
        client.runs.wait(thread_id, "run_steps", input={"items": []})
        assert client.threads.search(metadata=label) == [client.threads.get(thread_id)]
        assert client.threads.count(metadata=label) == 1
        assert client.threads.update(thread_id, metadata={"more": 1})["metadata"]["more"] == 1
        client.threads.update_state(thread_id, {"value": "new"})
        assert client.threads.get_state(thread_id)["values"]["value"] == "new"
        assert len(client.threads.get_history(thread_id)) == 6
        copy: Any = client.threads.copy(thread_id)
        assert client.threads.prune([copy["thread_id"]]) == {"pruned_count": 1}
        client.threads.delete(thread_id)


async def test_a_thread_of_another_project_answers_like_an_unknown_one(
    client: LangGraphClient, servers: Servers, stranger: httpx.Client
) -> None:
    theirs, unknown = await ran(client), str(uuid4())
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"metadata": {}}),
        ("DELETE", "", None),
        ("POST", "/copy", None),
        ("GET", "/state", None),
        ("POST", "/state", {"values": {}}),
        ("POST", "/state/checkpoint", {"checkpoint": {}}),
        ("POST", "/history", {}),
        ("GET", "/history", None),
        ("GET", "/storage", None),
    ):
        answers = [
            stranger.request(method, f"{servers.url}/threads/{one}{path}", json=body) for one in (theirs, unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, path)
        texts = [answer.text.replace(one, "ID") for answer, one in zip(answers, (theirs, unknown), strict=True)]
        assert texts[0] == texts[1]
        assert set(answers[0].json()) == {"detail"}
    assert stranger.post(f"{servers.url}/threads/prune", json={"thread_ids": [theirs]}).json() == {"pruned_count": 0}
    assert (await client.threads.get(theirs))["thread_id"] == theirs


def test_the_native_api_has_the_same_threads(servers: Servers) -> None:
    http = servers.http
    made = http.post("/threads", json={"metadata": {"topic": "bees"}})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    path = made.headers["Location"].removeprefix("/api/v1")
    job = servers.run("lg_compiled", {"text": "hi"}, thread_id=made.json()["id"])
    thread = http.get(path)
    assert (thread.json()["status"], thread.json()["values"], thread.json()["workflow"]) == (
        "idle",
        job["output"],
        "lg_compiled",
    )
    changed = http.patch(path, json={"metadata": {"more": 1}}, headers={"If-Match": thread.headers["ETag"]})
    assert changed.json()["metadata"] == {"topic": "bees", "more": 1}
    assert http.patch(path, json={}, headers={"If-Match": thread.headers["ETag"]}).status_code == 412
    assert http.get(f"{path}/state").json()["values"] == job["output"]
    assert http.post(f"{path}/state", json={"values": {"text": "ho"}}).json()["checkpoint"]["checkpoint_id"]
    assert http.get(f"{path}/history", params={"limit": 1}).json()[0]["values"]["text"] == "ho"
    assert http.get(f"{path}/storage").json()["jobs"] == 1
    copy = http.post(f"{path}/copy")
    assert (copy.status_code, copy.json()["values"]["text"]) == (201, "ho")
    page = http.get("/threads", params={"limit": 1, "fields": "id,status"}).json()
    assert page["threads"] == [{"id": copy.json()["id"], "status": "idle"}]
    following = http.get("/threads", params={"cursor": page["next"], "limit": 200}).json()["threads"]
    assert made.json()["id"] in [row["id"] for row in following]
    assert UUID(page["threads"][0]["id"]) not in {UUID(row["id"]) for row in following}
    assert http.delete(path).status_code == 204
    assert http.get(path).json()["code"] == "not_found"
