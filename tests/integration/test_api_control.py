"""What may be asked for a job and done to it over HTTP: options, times, cancel, pause, resume, retry, fork, children."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, StateGraph
from mutirao.ids import new_id
from mutirao.jobs.records import NewEvent
from mutirao.jobs.states import JobState
from typing_extensions import TypedDict

from tests.driven import Driven, takes_a_number
from tests.integration.test_api_jobs import problem
from tests.servers import sse
from tests.stores import submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_options_are_kept_and_shown(driven: Driven) -> None:
    options: dict[str, Any] = {
        "priority": 7,
        "max_attempts": 2,
        "retry": {"failures": 3, "backoff_seconds": 0.5},
        "limits": {"step_seconds": 10, "job_seconds": 60},
        "budget": {"tokens": 1000, "cost": 0.25},
    }
    job = (await driven.call("POST", "/jobs", json={"workflow": driven.workflow, **options})).json()
    assert (job["priority"], job["max_attempts"], job["kind"]) == (7, 2, "shared")
    assert job["retry"] == {"failures": 3, "backoff_seconds": 0.5, "factor": 2.0, "max_backoff_seconds": 300.0}
    assert job["limits"] == {"step_seconds": 10, "attempt_seconds": None, "job_seconds": 60}
    assert job["budget"] == {"tokens": 1000, "cost": 0.25, "model_calls": None, "steps": None, "seconds": None}
    assert driven.servers.job(UUID(job["id"])) == job
    claim = await driven.claim(UUID(job["id"]))
    assert (claim.retry.failures, claim.limits.job_seconds, claim.priority) == (3, 60, 7)


async def test_a_job_may_begin_later_and_must_end_in_time(driven: Driven) -> None:
    body = {"workflow": driven.workflow, "delay_seconds": 100, "deadline_seconds": 200}
    job = (await driven.call("POST", "/jobs", json=body)).json()
    created = moment(job["created_at"])
    assert abs((moment(job["available_at"]) - created).total_seconds() - 100) < 5
    assert abs((moment(job["deadline_at"]) - created).total_seconds() - 200) < 5
    start = datetime.now(UTC) + timedelta(days=3)
    end = (start + timedelta(days=300)).astimezone(timezone(timedelta(hours=3)))
    body = {"workflow": driven.workflow, "start_at": start.isoformat(), "deadline_at": end.isoformat()}
    job = (await driven.call("POST", "/jobs", json=body)).json()
    assert moment(job["available_at"]) == start
    assert moment(job["deadline_at"]) == end
    job = (
        await driven.call("POST", "/jobs", json={"workflow": driven.workflow, "start_at": "2020-01-01T00:00Z"})
    ).json()
    assert moment(job["available_at"]) == moment(job["created_at"])


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"priority": 101}, "/priority"),
        ({"priority": -101}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"retry": {"failures": 21}}, "/retry/failures"),
        ({"retry": {"tries": 2}}, "/retry/tries"),
        ({"retry": None}, "/retry"),
        ({"limits": {"step_seconds": 0}}, "/limits/step_seconds"),
        ({"limits": {"job_seconds": 1e300}}, "/limits/job_seconds"),
        ({"budget": {"tokens": 0}}, "/budget/tokens"),
        ({"budget": {"tokens": 10**30}}, "/budget/tokens"),
        ({"budget": {"money": 1}}, "/budget/money"),
        ({"delay_seconds": -1}, "/delay_seconds"),
        ({"delay_seconds": 367 * 86_400}, "/delay_seconds"),
        ({"start_at": "2026-01-01T00:00:00"}, "/start_at"),
        ({"start_at": "soon"}, "/start_at"),
        ({"deadline_seconds": 0}, "/deadline_seconds"),
        ({"delay_seconds": 1, "start_at": "2030-01-01T00:00Z"}, "/"),
        ({"deadline_seconds": 1, "deadline_at": "2030-01-01T00:00Z"}, "/"),
    ],
    ids=str,
)
async def test_an_option_that_is_none_is_refused_with_its_path(driven: Driven, more: dict[str, Any], path: str) -> None:
    answer = await driven.call("POST", "/jobs", json={"workflow": driven.workflow, **more})
    assert [error["path"] for error in problem(answer, 422, "invalid_request")["errors"]] == [path]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"deadline_at": "2020-01-01T00:00Z"}, "has passed"),
        ({"delay_seconds": 60, "deadline_seconds": 60}, "after its deadline"),
        ({"start_at": "2098-01-01T00:00Z", "deadline_at": "2097-01-01T00:00Z"}, "366 days"),
        ({"start_at": "9999-12-31T23:59Z"}, "366 days"),
        ({"deadline_at": "9999-12-31T23:59:59-12:00"}, "366 days"),
        ({"deadline_at": "0001-01-01T00:00:00+12:00"}, "has passed"),
    ],
    ids=str,
)
async def test_times_that_make_no_sense_together_are_refused(driven: Driven, more: dict[str, Any], says: str) -> None:
    answer = await driven.call("POST", "/jobs", json={"workflow": driven.workflow, **more})
    assert says in problem(answer, 422, "invalid_input")["detail"]


async def test_a_key_whose_first_request_is_in_flight_is_told_so(driven: Driven) -> None:
    key, body = f"k-{uuid4()}", {"workflow": driven.workflow}
    async with driven.stores.db.begin() as first:
        await driven.stores.jobs.accept(submission(driven.stores.project))  # any other request goes on
        statement = "SELECT pg_advisory_xact_lock(hashtextextended(%s || ' ' || %s, 0))"
        await first.exec_driver_sql(statement, (str(driven.stores.project), key))
        answer = await driven.call("POST", "/jobs", json=body, headers={"Idempotency-Key": key})
        assert key in problem(answer, 409, "request_in_flight")["detail"]
    answer = await driven.call("POST", "/jobs", json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (202, False)


async def test_a_key_gives_its_job_whatever_has_become_of_workflow_and_times(driven: Driven) -> None:
    key = {"Idempotency-Key": f"k-{uuid4()}"}
    deadline = await driven.stores.db.now() + timedelta(seconds=2)
    body = {"workflow": driven.workflow, "deadline_at": deadline.isoformat()}
    first = await driven.call("POST", "/jobs", json=body, headers=key)
    while await driven.stores.db.now() <= deadline:
        await asyncio.sleep(0.05)
    again = await driven.call("POST", "/jobs", json=body, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert again.json()["id"] == first.json()["id"]
    other = await driven.call("POST", "/jobs", json={"workflow": "no-such-flow"}, headers=key)
    assert key["Idempotency-Key"] in problem(other, 422, "invalid_input")["detail"]


async def test_an_empty_key_is_refused(driven: Driven) -> None:
    answer = await driven.call("POST", "/jobs", json={"workflow": driven.workflow}, headers={"Idempotency-Key": ""})
    problem(answer, 422, "invalid_request")


async def test_a_default_that_is_sent_makes_no_other_request(driven: Driven) -> None:
    key = {"Idempotency-Key": f"k-{uuid4()}"}
    first = await driven.call("POST", "/jobs", json={"workflow": driven.workflow}, headers=key)
    body = {"workflow": driven.workflow, "priority": 0, "input": {}, "retry": {"failures": 0}, "budget": None}
    again = await driven.call("POST", "/jobs", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


async def test_cancel_waits_until_nothing_runs_any_more(driven: Driven) -> None:
    claim = await driven.running()
    asked = asyncio.create_task(driven.call("POST", f"/jobs/{claim.job_id}/cancel", params={"wait": 30}))
    while not await driven.stores.claims.asked([claim.job_id]):
        assert not asked.done()
        await asyncio.sleep(0.01)
    await driven.stores.claims.finish(claim, JobState.SUCCEEDED, output={})
    answer = await asked
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")


async def test_cancel_tells_the_truth_of_what_still_runs(driven: Driven) -> None:
    claim = await driven.running()
    for wait in ("0", "0.1"):
        job = (await driven.call("POST", f"/jobs/{claim.job_id}/cancel", params={"wait": wait})).json()
        assert (job["state"], job["cancel_requested_at"] is None) == ("running", False)
    queued = await driven.submit()
    assert (await driven.call("POST", f"/jobs/{queued}/cancel", params={"wait": 0})).json()["state"] == "cancelled"
    for wait in ("-1", "31", "x"):
        problem(await driven.call("POST", f"/jobs/{queued}/cancel", params={"wait": wait}), 422, "invalid_request")


async def test_a_job_is_paused_and_goes_on(driven: Driven) -> None:
    job = await driven.submit()
    paused = await driven.call("POST", f"/jobs/{job}/pause")
    assert (paused.status_code, paused.json()["state"], paused.json()["waiting_for"]) == (202, "paused", "request")
    resumed = await driven.call("POST", f"/jobs/{job}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    assert problem(await driven.call("POST", f"/jobs/{job}/resume"), 409, "conflict")["state"] == "queued"
    claim = await driven.claim(job)
    asked = (await driven.call("POST", f"/jobs/{job}/pause")).json()
    assert (asked["state"], asked["pause_requested_at"] is None) == ("running", False)
    await driven.stores.claims.hand_back(claim)
    assert driven.servers.job(job)["state"] == "paused"
    assert driven.servers.event_types(job)[-1] == "job.paused"
    problem(await driven.call("POST", f"/jobs/{(await driven.failed()).job_id}/pause"), 409, "conflict")


async def test_a_failed_job_is_retried_with_another_budget_and_version(driven: Driven) -> None:
    claim = await driven.failed(budget={"tokens": 5})
    retried = await driven.call("POST", f"/jobs/{claim.job_id}/retry", json={"budget": {"tokens": 9}})
    assert (retried.status_code, retried.json()["state"], retried.json()["budget"]["tokens"]) == (202, "queued", 9)
    assert problem(await driven.call("POST", f"/jobs/{claim.job_id}/retry"), 409, "conflict")["state"] == "queued"
    await driven.stores.claims.finish(await driven.claim(claim.job_id), JobState.DEAD)
    await driven.stores.catalogue.publish(driven.worker, [takes_a_number(driven.workflow, "2")])
    retried = await driven.call("POST", f"/jobs/{claim.job_id}/retry", json={"version": "current"})
    assert (retried.status_code, retried.json()["version"]) == (202, "2")
    for body in ({"version": "1"}, {"surprise": 1}, {"checkpoint_id": ""}, {"budget": {"tokens": -1}}, []):
        problem(await driven.call("POST", f"/jobs/{claim.job_id}/retry", json=body), 422, "invalid_request")


class Number(TypedDict):
    n: int


async def checkpoints_of(driven: Driven, job_id: UUID, thread_id: UUID) -> None:
    """Run a graph of two steps with LangGraph's own saver, as an attempt at the job would."""
    graph = StateGraph(Number).add_sequence([("one", lambda state: {"n": 1}), ("two", lambda state: {"n": 2})])
    graph.add_edge(START, "one")
    async with AsyncPostgresSaver.from_conn_string(driven.servers.database_url) as saver:
        await saver.setup()
        config: Any = {"configurable": {"thread_id": str(thread_id)}, "metadata": {"job_id": str(job_id)}}
        await graph.compile(checkpointer=saver).ainvoke({"n": 0}, config)


async def test_checkpoints_are_listed_and_a_retry_or_fork_begins_at_one(driven: Driven) -> None:
    claim = await driven.failed(metadata={"mine": 1})
    path = f"/jobs/{claim.job_id}/checkpoints"
    assert (await driven.call("GET", path)).json() == []
    await checkpoints_of(driven, claim.job_id, claim.thread_id)
    later = await driven.submit(thread_id=str(claim.thread_id))
    await checkpoints_of(driven, later, claim.thread_id)
    found = (await driven.call("GET", path)).json()
    assert [(row["step"], row["source"]) for row in found] == [(2, "loop"), (1, "loop"), (0, "loop"), (-1, "input")]
    assert [row["parent_id"] for row in found] == [*(row["id"] for row in found[1:]), None]
    assert {row["job_id"] for row in found} == {str(claim.job_id)}
    pages = [(await driven.call("GET", path, params={"limit": 2, "before": row["id"]})).json() for row in found[:3]]
    assert pages == [found[1:3], found[2:4], found[3:]]
    for verb in ("retry", "fork"):
        unknown = await driven.call("POST", f"/jobs/{claim.job_id}/{verb}", json={"checkpoint_id": "none"})
        assert "'none'" in problem(unknown, 404, "checkpoint_unknown")["detail"]
    body = {"checkpoint_id": found[1]["id"], "values": {"n": 7}, "as_node": "one", "metadata": {"fork": True}}
    forked = await driven.call("POST", f"/jobs/{claim.job_id}/fork", json=body)
    job = forked.json()
    assert forked.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (forked.status_code, job["state"], job["metadata"]) == (202, "queued", {"fork": True})
    begun = await driven.claim(UUID(job["id"]))
    assert begun.start is not None
    start = begun.start.model_dump(mode="json")
    assert start == {
        "thread_id": str(claim.thread_id),
        "checkpoint_id": found[1]["id"],
        "values": {"n": 7},
        "as_node": "one",
    }
    assert begun.thread_id != claim.thread_id
    plain = (await driven.call("POST", f"/jobs/{claim.job_id}/fork")).json()
    assert plain["metadata"] == {"mine": 1}
    retried = await driven.call("POST", f"/jobs/{claim.job_id}/retry", json={"checkpoint_id": found[2]["id"]})
    assert retried.status_code == 202
    assert driven.servers.journal(claim.job_id)[-1]["data"]["checkpoint_id"] == found[2]["id"]


async def test_children_come_in_order_and_in_pages(driven: Driven) -> None:
    parent = await driven.running()
    wanted = [submission(driven.stores.project, workflow=driven.workflow, input={"n": n}) for n in range(7)]
    made = await driven.stores.jobs.accept_many(wanted, parent=parent, group_id=new_id())
    path, cursor, seen = f"/jobs/{parent.job_id}/children", None, []
    for _ in range(3):
        answer = await driven.call("GET", path, params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        page = answer.json()
        seen += page["jobs"]
        cursor = page["next"]
    assert cursor is None
    assert [(job["id"], job["ordinal"]) for job in seen] == [(str(child), n) for n, child in enumerate(made)]
    assert {job["parent_id"] for job in seen} == {str(parent.job_id)}
    problem(await driven.call("GET", path, params={"cursor": "x"}), 422, "invalid_input")
    listed = (await driven.call("GET", "/jobs", params={"parent_id": str(parent.job_id)})).json()["jobs"]
    assert [job["id"] for job in listed] == [str(child) for child in reversed(made)]


async def test_usage_is_counted_from_calls_until_the_ledger_has_it(driven: Driven) -> None:
    claim = await driven.running()
    path = f"/jobs/{claim.job_id}/usage"
    nothing = (await driven.call("GET", path)).json()
    assert (nothing["tokens"], nothing["model_calls"], nothing["cost"], nothing["steps"]) == (0, 0, 0, None)
    call = {"model": "m", "prompt": [], "answer": "", "input_tokens": 30, "output_tokens": 12}
    await driven.stores.claims.append([(claim, NewEvent(type="model.call", step="s", data=call))] * 2)
    month = (await driven.call("GET", "/project")).json()["usage"]
    assert month["tokens"] >= 84, "counted without a budget, too"
    counted = (await driven.call("GET", path)).json()
    assert (counted["tokens"], counted["input_tokens"], counted["output_tokens"]) == (84, 60, 24)
    assert counted["model_calls"] == 2
    await driven.stores.run(
        "INSERT INTO job_usage (job_id, used_tokens, reserved_tokens, used_model_calls, used_cost, used_steps)"
        " VALUES (:job, 90, 50, 3, 0.125, 4)",
        job=claim.job_id,
    )
    kept = (await driven.call("GET", path)).json()
    assert (kept["tokens"], kept["reserved_tokens"], kept["model_calls"], kept["cost"], kept["steps"]) == (
        90, 50, 3, 0.125, 4,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def following(driven: Driven, job: UUID) -> AsyncIterator[Iterator[str]]:
    with driven.http.stream("GET", f"/jobs/{job}/events", timeout=20) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


async def test_a_stream_goes_on_behind_an_end_that_was_retried(driven: Driven) -> None:
    claim = await driven.failed()
    assert [event["event"] for event in await whole_stream(driven, claim.job_id)] == [
        "job.queued", "job.started", "job.failed",
    ]  # fmt: skip
    await driven.call("POST", f"/jobs/{claim.job_id}/retry")
    async with following(driven, claim.job_id) as lines:
        events = sse(lines)
        seen = [await asyncio.to_thread(next, events) for _ in range(4)]
        assert [event["event"] for event in seen[2:]] == ["job.failed", "job.retried"]
        again = await driven.claim(claim.job_id)
        await driven.stores.claims.finish(again, JobState.SUCCEEDED, output={})
        rest = await asyncio.to_thread(list, events)
    assert [event["event"] for event in rest] == ["job.started", "job.succeeded"]
    assert [int(event["id"]) for event in seen + rest] == [1, 2, 3, 4, 5, 6]


async def whole_stream(driven: Driven, job: UUID) -> list[dict[str, Any]]:
    async with following(driven, job) as lines:
        return await asyncio.to_thread(lambda: list(sse(lines)))


async def test_a_reader_of_a_paused_job_stays_and_is_told_that_the_stream_lives(driven: Driven) -> None:
    job = await driven.submit()
    await driven.call("POST", f"/jobs/{job}/pause")
    async with following(driven, job) as lines:
        alive = await asyncio.to_thread(lambda: next(line for line in lines if line.startswith(":")))
        assert alive
        await driven.call("POST", f"/jobs/{job}/cancel")
        assert [event["event"] for event in await asyncio.to_thread(lambda: list(sse(lines)))] == ["job.cancelled"]


async def test_another_projects_jobs_are_as_unknown_as_none(driven: Driven) -> None:
    claim = await driven.failed()
    routes = [
        ("GET", "children"), ("GET", "checkpoints"), ("GET", "usage"), ("GET", "approvals"), ("POST", "cancel"),
        ("POST", "pause"), ("POST", "resume"), ("POST", "retry"), ("POST", "fork"),
    ]  # fmt: skip
    with await driven.stranger() as stranger:
        for method, what in routes:
            told = []
            for job in (claim.job_id, uuid4()):
                answer: httpx.Response = stranger.request(method, f"/jobs/{job}/{what}")
                told.append(problem(answer, 404, "not_found")["detail"].replace(str(job), "…"))
            assert told[0] == told[1], what
    for method, what in routes:
        problem(await driven.call(method, f"/jobs/not-an-id/{what}"), 422, "invalid_request")


async def test_a_workflow_shows_its_versions_and_who_needs_them(driven: Driven) -> None:
    begun = await driven.running()
    await driven.submit()
    await driven.stores.catalogue.publish(driven.worker, [takes_a_number(driven.workflow, "2")])
    await driven.stores.claims.hand_back(begun)
    path = f"/workflows/{driven.workflow}/versions"
    new, old = (await driven.call("GET", path)).json()
    assert (new["version"], new["workers"], new["unfinished"]) == ("2", 1, {})
    assert (old["version"], old["workers"], old["unfinished"]) == ("1", 0, {"queued": 2})
    with await driven.stranger() as stranger:
        assert [version["unfinished"] for version in stranger.get(path).json()] == [{}, {}]
    problem(await driven.call("GET", "/workflows/nope/versions"), 404, "workflow_unknown")


async def test_a_project_shows_its_limits_and_takes_others(driven: Driven) -> None:
    with await driven.stranger() as other:
        project = other.get("/project").json()
        assert (project["max_running"], project["budget"], project["running"], project["queued"]) == (None, None, 0, 0)
        assert project["usage"]["tokens"] == 0
        changed = other.patch("/project", json={"max_running": 3, "budget": {"tokens": 10}}).json()
        assert (changed["max_running"], changed["budget"]["tokens"], changed["name"]) == (3, 10, project["name"])
        other.post("/jobs", json={"workflow": driven.workflow})
        changed = other.patch("/project", json={"max_running": None}).json()
        assert (changed["max_running"], changed["budget"]["tokens"], changed["queued"]) == (None, 10, 1)
        assert other.patch("/project", json={"budget": None}).json()["budget"] is None
        [row] = await driven.stores.run("SELECT count(*) FROM project_usage WHERE project_id = :id", id=project["id"])
        assert row == (1,), "a budget counts the month from its beginning"
        for body in ({"max_running": -1}, {"max_running": 1.5}, {"budget": {"tokens": 0}}, {"name": "x"}, []):
            problem(other.patch("/project", json=body), 422, "invalid_request")
    await driven.stores.run(
        "INSERT INTO project_usage (project_id, month, used_tokens, used_cost) VALUES"
        " (:project, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 77000, 1.5), (:project, '2020-01', 5, 5)",
        project=driven.stores.project,
    )
    usage = (await driven.call("GET", "/project")).json()["usage"]
    assert (usage["tokens"], usage["cost"]) == (77_000, 1.5)


async def test_a_decision_lets_the_job_go_on_and_only_the_first_counts(driven: Driven) -> None:
    claim, [first, second] = await driven.asks({"send": "letter"}, "and this?")
    listed = (await driven.call("GET", "/approvals", params={"limit": 2})).json()
    assert [row["id"] for row in listed["approvals"]] == [str(second.id), str(first.id)]
    asked = (await driven.call("GET", f"/approvals/{first.id}")).json()
    assert (asked["request"], asked["state"], asked["workflow"]) == ({"send": "letter"}, "pending", driven.workflow)
    problem(await driven.call("POST", f"/jobs/{claim.job_id}/resume"), 409, "conflict")
    body = {"decision": {"approved": True}, "comment": "fine"}
    decided = await driven.call("POST", f"/approvals/{first.id}", json=body)
    assert (decided.status_code, decided.json()["state"], decided.json()["comment"]) == (200, "decided", "fine")
    assert decided.json()["decided_by"] == "key:" + driven.servers.key.partition(".")[0]
    late = problem(await driven.call("POST", f"/approvals/{first.id}", json={"decision": 1}), 409, "already_decided")
    assert late["state"] == "decided"
    assert driven.servers.job(claim.job_id)["state"] == "paused"
    await driven.call("POST", f"/approvals/{second.id}", json={"decision": None})
    assert driven.servers.job(claim.job_id)["state"] == "queued"
    of_job = (await driven.call("GET", f"/jobs/{claim.job_id}/approvals")).json()
    assert [(row["state"], row["decision"]) for row in of_job] == [("decided", {"approved": True}), ("decided", None)]


async def test_approvals_come_in_pages_and_belong_to_their_project(driven: Driven) -> None:
    _, asked = await driven.asks(1, 2, 3)
    page = (await driven.call("GET", "/approvals", params={"limit": 2})).json()
    rest = (await driven.call("GET", "/approvals", params={"cursor": page["next"], "limit": 1})).json()
    assert [row["id"] for row in page["approvals"] + rest["approvals"]] == [str(row.id) for row in reversed(asked)]
    with await driven.stranger() as stranger:
        assert stranger.get("/approvals").json() == {"approvals": [], "next": None}
        for approval in (asked[0].id, uuid4()):
            problem(stranger.get(f"/approvals/{approval}"), 404, "not_found")
            problem(stranger.post(f"/approvals/{approval}", json={"decision": True}), 404, "not_found")
    for body in ({}, {"decision": True, "surprise": 1}, {"decision": ["a\0"]}, []):
        answer = await driven.call("POST", f"/approvals/{asked[0].id}", json=body)
        problem(answer, 422, "invalid_request")
    problem(await driven.call("GET", "/approvals", params={"state": "surprise"}), 422, "invalid_request")
    assert driven.servers.job(asked[0].job_id)["state"] == "paused"
