"""Crons by langgraph-sdk: kept as schedules, and the jobs that they start are runs."""

import zoneinfo
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError
from mutirao.assistants import system_id

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

GRAPH = "run_steps"
YEARLY = "0 0 1 1 *"


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers.url, api_key=servers.key) as found:
        yield found


def let_be_due(servers: Servers, cron_id: str) -> None:
    servers.sql("UPDATE schedules SET next_at = now() - interval '1 second' WHERE id = %s", cron_id)


async def created(client: LangGraphClient, thread_id: str | None = None, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"schedule": YEARLY, "input": {"items": []}} | fields
    if thread_id is None:
        return dict(await client.crons.create(GRAPH, **given))
    return dict(await client.crons.create_for_thread(thread_id, GRAPH, **given))


async def test_creating_one_gives_it_back_and_starts_nothing(client: LangGraphClient, servers: Servers) -> None:
    cron = await created(
        client,
        metadata={"label": "yearly"},
        timezone=zoneinfo.ZoneInfo("America/Sao_Paulo"),
        end_time=datetime(2099, 1, 1, tzinfo=UTC),
        context={"model": "m"},
        interrupt_before=["two"],
        stream_mode=["values", "custom"],
        durability="async",
    )
    assert cron["assistant_id"] == str(system_id(GRAPH))
    assert (cron["thread_id"], cron["schedule"], cron["timezone"]) == (None, YEARLY, "America/Sao_Paulo")
    assert (cron["enabled"], cron["on_run_completed"], cron["metadata"]) == (True, "delete", {"label": "yearly"})
    assert cron["end_time"].startswith("2099-01-01T00:00:00")
    assert cron["next_run_date"].endswith("-01-01T03:00:00Z")
    payload = {"input": {"items": []}, "context": {"model": "m"}, "interrupt_before": ["two"], "durability": "async"}
    assert payload.items() <= cron["payload"].items()
    assert {"created_at", "updated_at"} <= cron.keys()
    assert await client.http.get(f"/runs/crons/{cron['cron_id']}") == cron
    assert servers.sql("SELECT count(*) FROM jobs WHERE schedule_id = %s", cron["cron_id"]) == [(0,)]


async def test_a_cron_of_a_thread_runs_there_with_what_it_was_given(client: LangGraphClient, servers: Servers) -> None:
    assistant = await client.assistants.create(GRAPH, config={"tags": ["saved"]})
    thread_id = (await client.threads.create())["thread_id"]
    given: Any = {"schedule": YEARLY, "input": {"items": []}, "metadata": {"by": "clock"}, "interrupt_before": ["two"]}
    cron: Any = await client.crons.create_for_thread(thread_id, assistant["assistant_id"], **given)
    assert (cron["thread_id"], cron["on_run_completed"]) == (thread_id, None)
    let_be_due(servers, cron["cron_id"])

    def stands() -> bool:
        return servers.sql("SELECT next FROM threads WHERE id = %s", thread_id) == [(["two"],)]

    servers.until(stands, "the run of the cron stands before its second step")
    [run] = await client.runs.list(thread_id)
    assert (run["status"], run["assistant_id"]) == ("success", assistant["assistant_id"])
    assert {"by": "clock"}.items() <= run["metadata"].items()
    [(config, by)] = servers.sql("SELECT run -> 'config', created_by FROM jobs WHERE id = %s", run["run_id"])
    assert config == {"tags": ["saved"], "configurable": {"cron_id": cron["cron_id"]}}
    assert by == f"schedule:{cron['cron_id']}"
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["values"]["items"]) == ("interrupted", ["one"])
    again: Any = await client.http.get(f"/runs/crons/{cron['cron_id']}")
    assert again["next_run_date"] == cron["next_run_date"]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_cron_without_a_thread_makes_one_for_each_run(
    client: LangGraphClient, servers: Servers, kept: bool
) -> None:
    cron = await created(client, on_run_completed="keep" if kept else "delete")
    let_be_due(servers, cron["cron_id"])

    def ended() -> list[Any]:
        return servers.sql(
            "SELECT t.ephemeral, j.output FROM jobs j JOIN threads t ON t.id = j.thread_id"
            " WHERE j.schedule_id = %s AND j.state = 'succeeded'",
            cron["cron_id"],
        )

    servers.until(ended, "the run of the cron ends")
    [(ephemeral, output)] = ended()
    assert (ephemeral, output["items"]) == (not kept, ["one", "two", "three"])


async def test_change_search_count_and_delete(client: LangGraphClient) -> None:
    label = {"label": str(uuid4())}
    thread_id = (await client.threads.create())["thread_id"]
    first = await created(client, metadata=label)
    second = await created(client, thread_id, metadata=label, enabled=False)
    assert (second["enabled"], second["next_run_date"]) == (False, None)

    async def found(**search: Any) -> list[str]:
        return [cron["cron_id"] for cron in await client.crons.search(metadata=label, **search)]

    assert await found() == [second["cron_id"], first["cron_id"]]
    assert await found(limit=1, offset=1) == [first["cron_id"]]
    assert await found(thread_id=thread_id) == [second["cron_id"]]
    assert await found(enabled=True) == [first["cron_id"]]
    assert await found(assistant_id=GRAPH, sort_by="next_run_date") == [first["cron_id"], second["cron_id"]]
    assert await found(assistant_id="run_nested") == []
    assert await found(assistant_id=str(uuid4())) == []
    assert await client.crons.count(metadata=label) == 2
    assert await client.crons.count(metadata=label, thread_id=thread_id, assistant_id=GRAPH) == 1
    assert await client.crons.search(metadata=label, limit=1, select=["schedule"]) == [{"schedule": YEARLY}]
    changed = await client.crons.update(
        first["cron_id"],
        schedule="0 10 * * *",
        enabled=False,
        input={"items": ["x"]},
        end_time=datetime(2099, 1, 1, tzinfo=UTC),
    )
    assert (changed["schedule"], changed["enabled"], changed["metadata"]) == ("0 10 * * *", False, label)
    assert (changed["payload"]["input"], changed["payload"]["schedule"]) == ({"items": ["x"]}, "0 10 * * *")
    assert changed["end_time"] is not None
    later = await client.crons.update(first["cron_id"], enabled=True, end_time=None)
    assert (later["end_time"], later["payload"]["input"]) == (None, {"items": ["x"]})
    assert later["next_run_date"] is not None
    for cron in (first, second):
        await client.crons.delete(cron["cron_id"])
        with pytest.raises(NotFoundError):
            await client.crons.delete(cron["cron_id"])
    assert await client.crons.count(metadata=label) == 0


async def test_what_is_refused(client: LangGraphClient) -> None:
    for fields in (
        {"schedule": "every day"},
        {"timezone": "Mars/Olympus"},
        {"end_time": datetime(9999, 1, 1, tzinfo=UTC)},
    ):
        with pytest.raises(UnprocessableEntityError):
            await created(client, **fields)
    with pytest.raises(NotFoundError):
        await created(client, str(uuid4()))
    with pytest.raises(NotFoundError):
        await client.crons.create(str(uuid4()), schedule=YEARLY)
    with pytest.raises(UnprocessableEntityError):
        await client.crons.delete("not an id")


def test_the_same_with_the_sync_client(servers: Servers, stranger: httpx.Client) -> None:
    with get_sync_client(url=servers.url, api_key=servers.key) as client:
        label = {"label": str(uuid4())}
        thread_id = client.threads.create()["thread_id"]
        cron: Any = client.crons.create(GRAPH, schedule=YEARLY, metadata=label)
        of_thread: Any = client.crons.create_for_thread(thread_id, GRAPH, schedule=YEARLY, metadata=label)
        assert len(client.crons.search(metadata=label, assistant_id=GRAPH)) == client.crons.count(metadata=label) == 2
        assert client.crons.update(cron["cron_id"], timezone="Europe/Lisbon")["timezone"] == "Europe/Lisbon"
        for unknown in (cron["cron_id"], str(uuid4())):
            answer = stranger.get(f"{servers.url}/runs/crons/{unknown}")
            assert (answer.status_code, answer.json()) == (404, {"detail": f"no schedule '{unknown}' in this project"})
        client.crons.delete(cron["cron_id"])
        client.crons.delete(of_thread["cron_id"])


def test_a_cron_is_a_schedule_of_the_native_api(servers: Servers) -> None:
    http = servers.http
    with get_sync_client(url=servers.url, api_key=servers.key) as client:
        thread_id = client.threads.create()["thread_id"]
        cron: Any = client.crons.create_for_thread(thread_id, GRAPH, schedule=YEARLY)
        shown = http.get(f"/schedules/{cron['cron_id']}")
        assert (shown.json()["thread_id"], shown.json()["cron"], shown.headers["ETag"]) == (thread_id, YEARLY, '"1"')
        changed = http.patch(f"/schedules/{cron['cron_id']}", json={"enabled": False}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
        late = http.patch(f"/schedules/{cron['cron_id']}", json={"enabled": True}, headers={"If-Match": '"1"'})
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
        job = http.post(f"/schedules/{cron['cron_id']}/trigger").json()
        assert (job["thread_id"], job["created_by"]) == (thread_id, f"schedule:{cron['cron_id']}")
        native = {"name": str(uuid4()), "workflow": "lg_compiled", "input": {"text": "hi"}, "cron": YEARLY}
        made = http.post("/schedules", json=native | {"thread_id": thread_id})
        assert made.status_code == 201
        [found] = client.crons.search(assistant_id="lg_compiled", thread_id=thread_id)
        assert (found["cron_id"], found["payload"]["input"]) == (made.json()["id"], {"text": "hi"})
        unknown = http.post("/schedules", json=native | {"name": str(uuid4()), "thread_id": str(uuid4())})
        assert unknown.status_code == 404
