"""Questions to graphs: the API's side on a database, a real worker's reader on the other."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from mutirao.db import Database
from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound, NoWorker, Unavailable
from mutirao.queries import Queries, sweep

from tests.servers import Servers

pytestmark = pytest.mark.anyio


@pytest.fixture
async def queries(servers: Servers) -> AsyncIterator[Queries]:
    servers.sql("DELETE FROM queries")  # what processes that other tests have killed did not take back
    db = Database(servers.database_url, pool_size=8)
    asking = Queries(db)
    await asking.start()
    yield asking
    await asking.stop()
    await db.close()


@pytest.fixture
def project(servers: Servers) -> UUID:
    found: UUID = servers.sql("SELECT id FROM projects WHERE name = 'default'")[0][0]
    return found


def _thread(job: dict[str, Any]) -> str:
    return str(job["thread_id"])


async def _run(servers: Servers, workflow: str, given: dict[str, Any]) -> dict[str, Any]:
    return await asyncio.to_thread(servers.run, workflow, given)


async def _until(servers: Servers, condition: Callable[[], Any], what: str) -> None:
    await asyncio.to_thread(servers.until, condition, what)


async def _asking(servers: Servers) -> dict[str, Any]:
    """A job that waits for an answer."""
    job_id = await asyncio.to_thread(servers.submit, "asks", {"n": 1})
    await _until(servers, lambda: servers.job(job_id)["state"] == "paused", "it asks")
    return servers.job(job_id)


async def test_a_thread_state_is_as_the_langgraph_server_gives_it(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    job = await _run(servers, "nested", {"n": 1})
    state = await queries.ask(project, "state", {"thread_id": _thread(job)})
    assert state["values"] == {"n": 3}
    assert (state["next"], state["tasks"], state["interrupts"]) == ([], [], [])
    assert state["checkpoint"] == {
        "thread_id": _thread(job),
        "checkpoint_ns": "",
        "checkpoint_id": state["checkpoint_id"],
    }
    assert state["parent_checkpoint"]["checkpoint_id"] == state["parent_checkpoint_id"]
    assert state["metadata"]["job_id"] == job["id"]
    assert state["created_at"]


async def test_history_is_newest_first_and_can_be_cut(servers: Servers, queries: Queries, project: UUID) -> None:
    job = await _run(servers, "nested", {"n": 1})
    asked = {"thread_id": _thread(job)}
    history = await queries.ask(project, "history", asked)
    assert [state["metadata"]["step"] for state in history] == [2, 1, 0, -1]
    assert history[0] == await queries.ask(project, "state", asked)
    assert await queries.ask(project, "history", asked | {"limit": 1}) == history[:1]
    for before in (history[1]["checkpoint_id"], history[1]["checkpoint"]):
        assert await queries.ask(project, "history", asked | {"before": before}) == history[2:]
    assert await queries.ask(project, "history", asked | {"metadata": {"step": 1}}) == [history[1]]
    earlier = await queries.ask(project, "state", asked | {"checkpoint_id": history[2]["checkpoint_id"]})
    assert earlier == history[2]
    assert earlier["tasks"][0]["name"] == "before"
    assert earlier["tasks"][0]["result"] == {"n": 2}


async def test_a_question_shows_in_the_state_and_an_update_answers_for_a_step(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    job = await _asking(servers)
    asked = {"thread_id": _thread(job)}
    state = await queries.ask(project, "state", asked)
    assert state["next"] == ["ask"]
    assert [interrupt["value"] for interrupt in state["interrupts"]] == ["how many?"]
    assert state["tasks"][0]["interrupts"] == state["interrupts"]

    made = await queries.ask(project, "update", asked | {"values": {"n": 7}, "as_node": "ask"})
    after = await queries.ask(project, "state", asked)
    assert after["checkpoint"] == made["checkpoint"]
    assert (after["values"], after["next"], after["metadata"]["source"]) == ({"n": 7}, [], "update")
    row = servers.sql(
        "SELECT values, next, interrupts, state_updated_at IS NULL FROM threads WHERE id = %s", _thread(job)
    )
    assert row == [({"n": 7}, [], {}, False)]


async def test_an_update_may_be_a_copy_a_list_or_supersteps(servers: Servers, queries: Queries, project: UUID) -> None:
    job = await _run(servers, "nested", {"n": 1})
    asked = {"thread_id": _thread(job)}
    before = await queries.ask(project, "history", asked)
    copy = await queries.ask(project, "update", asked | {"values": None, "checkpoint": before[2]["checkpoint"]})
    state = await queries.ask(project, "state", asked)
    assert state["checkpoint"] == copy["checkpoint"]
    assert (state["values"], state["next"]) == (before[2]["values"], before[2]["next"])

    several = {"values": [{"n": 10}, {"n": 20}], "as_node": "before"}
    await queries.ask(project, "update", asked | several)
    assert (await queries.ask(project, "state", asked))["values"] == {"n": 20}

    steps = [
        {"updates": [{"values": {"n": 4}, "as_node": "__input__"}]},
        {"updates": [{"values": {"n": 5}, "as_node": "before"}]},
    ]
    await queries.ask(project, "update", asked | {"supersteps": steps})
    state = await queries.ask(project, "state", asked)
    assert (state["values"], state["next"]) == ({"n": 5}, ["inner"])


async def test_a_busy_thread_is_not_changed(servers: Servers, queries: Queries, project: UUID, tmp_path: Path) -> None:
    given = {"seconds": 60, "witness": str(tmp_path / "witness")}
    job_id = await asyncio.to_thread(servers.submit, "sleep", given)
    thread = _thread(servers.job(job_id))
    with pytest.raises(Conflict, match="busy"):
        await queries.ask(project, "update", {"thread_id": thread, "values": {}})
    servers.http.post(f"/jobs/{job_id}/cancel")
    await asyncio.to_thread(servers.ended, job_id)


async def test_what_is_wrong_is_said_by_name(servers: Servers, queries: Queries, project: UUID) -> None:
    job = await _run(servers, "nested", {"n": 1})
    asked = {"thread_id": _thread(job)}
    with pytest.raises(InvalidInput, match="no_such_step"):
        await queries.ask(project, "update", asked | {"values": {"n": 1}, "as_node": "no_such_step"})
    with pytest.raises(NotFound):
        await queries.ask(project, "state", {"thread_id": str(uuid4())})
    with pytest.raises(NotFound):
        await queries.ask(uuid4(), "state", asked)
    with pytest.raises(NotFound):
        await queries.ask(uuid4(), "history", asked, workflow="nested")
    with pytest.raises(NoWorker, match="no_such_workflow"):
        await queries.ask(project, "graph", {}, workflow="no_such_workflow")
    with pytest.raises(NoWorker, match="auth"):
        await queries.ask(project, "authenticate", {})
    assert servers.sql("SELECT count(*) FROM queries") == [(0,)]


async def test_a_thread_without_a_workflow_has_an_empty_state(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    thread = uuid4()
    servers.sql("INSERT INTO threads (id, project_id) VALUES (%s, %s)", thread, project)
    assert (await queries.ask(project, "state", {"thread_id": thread}))["values"] == {}
    assert await queries.ask(project, "history", {"thread_id": thread}) == []
    with pytest.raises(InvalidInput):
        await queries.ask(project, "update", {"thread_id": thread, "values": {}})


async def test_graphs_are_drawn_and_described(queries: Queries, project: UUID) -> None:
    plain = await queries.ask(project, "graph", {}, workflow="nested")
    assert {node["id"] for node in plain["nodes"]} == {"__start__", "before", "inner", "__end__"}
    deep = await queries.ask(project, "graph", {"xray": True}, workflow="nested")
    assert "inner:deep" in {node["id"] for node in deep["nodes"]}
    schemas = await queries.ask(project, "schemas", {}, workflow="nested")
    assert schemas["graph_id"] == "nested"
    assert schemas["state_schema"]["properties"]["n"]["type"] == "integer"
    subgraphs = await queries.ask(project, "subgraphs", {"recurse": True}, workflow="nested")
    assert set(subgraphs) == {"inner"}
    assert subgraphs["inner"]["input_schema"]["properties"]["n"]
    assert await queries.ask(project, "subgraphs", {"namespace": "before"}, workflow="nested") == {}


async def test_checkpoints_are_copied_pruned_and_deleted_by_job(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    first = await _run(servers, "nested", {"n": 1})
    thread, other = _thread(first), str(uuid4())
    servers.sql("INSERT INTO threads (id, project_id, workflow) VALUES (%s, %s, 'nested')", other, project)
    await queries.ask(project, "copy", {"thread_id": thread, "to": other})
    assert (await queries.ask(project, "state", {"thread_id": other}))["values"] == {"n": 3}

    await queries.ask(project, "prune", {"thread_ids": [other, str(uuid4())], "strategy": "keep_latest"})
    assert len(await queries.ask(project, "history", {"thread_id": other})) == 1
    assert await queries.ask(uuid4(), "prune", {"thread_ids": [other]}) == {"pruned_count": 0}
    assert await queries.ask(project, "prune", {"thread_ids": [other], "strategy": "delete"}) == {"pruned_count": 1}
    assert await queries.ask(project, "history", {"thread_id": other}) == []

    with pytest.raises(NotFound):
        await queries.ask(uuid4(), "delete_runs", {"thread_id": thread, "job_ids": [first["id"]]})
    await queries.ask(project, "delete_runs", {"thread_id": thread, "job_ids": [first["id"]]})
    assert await queries.ask(project, "history", {"thread_id": thread}) == []


async def test_many_are_answered_at_once_and_nothing_is_left(servers: Servers, queries: Queries, project: UUID) -> None:
    job = await _run(servers, "nested", {"n": 1})
    asked = {"thread_id": _thread(job)}
    answers = await asyncio.gather(*(queries.ask(project, "state", asked) for _ in range(40)))
    assert all(answer == answers[0] for answer in answers)
    assert servers.sql("SELECT count(*) FROM queries") == [(0,)]


async def test_a_dead_reader_is_replaced_and_what_it_had_taken_is_answered(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    job = await _run(servers, "nested", {"n": 1})
    asked = {"thread_id": _thread(job)}
    await queries.ask(project, "state", asked)
    worker = psutil.Process(servers.the_worker("shared").pid)
    reader = next(p for p in worker.children(recursive=True) if p.name().startswith("mutirao reader"))
    os.kill(reader.pid, signal.SIGKILL)
    assert (await queries.ask(project, "state", asked))["values"] == {"n": 3}


async def test_leftovers_are_swept(servers: Servers, queries: Queries, project: UUID) -> None:
    servers.sql(
        "INSERT INTO queries (id, project_id, kind, request, taken_at, created_at)"
        " VALUES (%s, %s, 'state', '{}', now(), now() - interval '1 hour')",
        uuid4(),
        project,
    )
    await sweep(queries.db)
    assert servers.sql("SELECT count(*) FROM queries") == [(0,)]


async def test_an_answer_that_does_not_come_in_time_is_an_error(
    servers: Servers, queries: Queries, project: UUID
) -> None:
    db = Database(servers.database_url, pool_size=2)
    asking = Queries(db)
    await asking.start()
    worker = uuid4()
    # A worker that serves this and never answers.
    servers.sql(
        "INSERT INTO workers (id, name, host, pid, kind, queues, slots, lease_expires_at, brings)"
        " VALUES (%s, 'deaf', 'here', 0, 'shared', '{}', 0, now() + interval '1 minute', '{\"store_index\": true}')",
        worker,
    )
    try:
        with pytest.raises(NoWorker):
            await asking.ask(project, "embed", {"texts": []}, seconds=0.2)
        with pytest.raises(Unavailable):
            await asking.ask(project, "embed", {"texts": []}, seconds=0)
        taken = asyncio.create_task(asking.ask(project, "embed", {"texts": []}))
        take = "UPDATE queries SET taken_at = now(), worker_id = %s RETURNING id"
        await _until(servers, lambda: servers.sql(take, uuid4()), "it is asked")
        with pytest.raises(Unavailable, match="is gone"):
            await taken
    finally:
        servers.sql("DELETE FROM workers WHERE id = %s", worker)
        await asking.stop()
        await db.close()
    assert servers.sql("SELECT count(*) FROM queries") == [(0,)]
    assert issubclass(NoWorker, MutiraoError)
