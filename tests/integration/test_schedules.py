"""Workflows that the clock starts: when, how often, with what, and what happens when that goes wrong."""

import asyncio
import zoneinfo
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from mutirao.cron import Cron
from mutirao.db import Database
from mutirao.errors import Conflict, InputRejected, InvalidInput, NotFound
from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import Budget, Job, RunOptions
from mutirao.jobs.states import JobState
from mutirao.schedules import NewSchedule, Schedule, ScheduleStore

from tests.driven import Driven, takes_a_number
from tests.integration.test_api_jobs import problem
from tests.stores import QUEUE, WORKFLOW, Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

HOURLY = "0 * * * *"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        worker = await found.worker("w")
        await found.catalogue.publish(worker, [takes_a_number("number")])
        yield found


def times(cron: str, zone: str, since: str, count: int) -> list[str]:
    found = Cron(cron, zone).times(datetime.fromisoformat(since), count)
    return [moment.strftime("%m-%d %H:%M") for moment in found]


async def add(store: Stores, **fields: Any) -> Schedule:
    values: dict[str, Any] = {"name": f"s-{uuid4()}", "workflow": WORKFLOW, "cron": HOURLY} | fields
    return await ScheduleStore(store.db).add(store.project, NewSchedule(**values))


async def due(store: Stores, schedule: Schedule, *, ago: timedelta = timedelta(seconds=1)) -> datetime:
    """Let a schedule be due; the moment it was."""
    [row] = await store.run(
        "UPDATE schedules SET next_at = date_trunc('milliseconds', now()) - CAST(:ago AS interval)"
        " WHERE id = :id RETURNING next_at",
        id=schedule.id,
        ago=ago,
    )
    moment: datetime = row.next_at
    return moment


async def jobs(store: Stores) -> list[Job]:
    return await store.page()


async def look(store: Stores, schedule: Schedule) -> Schedule:
    return await ScheduleStore(store.db).get(store.project, schedule.id)


def test_times_are_those_of_the_time_zone() -> None:
    assert times("30 7 * * MON", "America/Sao_Paulo", "2026-03-01T00:00Z", 2) == ["03-02 10:30", "03-09 10:30"]
    assert times("0 0 1 1 *", "UTC", "2026-03-01T00:00Z", 1) == ["01-01 00:00"]


def test_a_time_that_clocks_going_forward_leave_out_is_moved_behind_the_gap() -> None:
    # 2026-03-29, Berlin: 02:00 becomes 03:00.
    assert times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]


def test_a_time_that_comes_twice_when_clocks_go_back_counts_once() -> None:
    # 2026-10-25, Berlin: 03:00 becomes 02:00; 02:30 is 00:30 and again 01:30 UTC.
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2) == ["10-25 00:30", "10-26 01:30"]
    # Asked between the two, also when the first was served late.
    for since in ("2026-10-25T00:45Z", "2026-10-25T01:15Z"):
        assert times("30 2 * * *", "Europe/Berlin", since, 1) == ["10-26 01:30"]


def test_what_goes_by_elapsed_time_goes_on_through_both() -> None:
    assert times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15Z", 4) == [
        "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00",
    ]  # fmt: skip
    assert times("0 * * * *", "Europe/Berlin", "2026-03-29T00:30Z", 2) == ["03-29 01:00", "03-29 02:00"]


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("* * * *", "UTC", "has 4 fields; it needs five: minute, hour"),
        ("* * * * * *", "UTC", "has 6 fields"),
        ("", "UTC", "has 0 fields"),
        ("@daily", "UTC", "has 1 fields"),
        ("61 * * * *", "UTC", "the minute is wrong"),
        ("0 24 * * *", "UTC", "the hour is wrong"),
        ("0 0 * * FOO", "UTC", "the day-of-week is wrong"),
        ("0 0 30 2 *", "UTC", "day-of-month is wrong"),
        ("0 */0 * * *", "UTC", "the hour is wrong"),
        ("* * * * *", "Mars/Olympus", "'Mars/Olympus' is unknown"),
        ("* * * * *", "../../etc/passwd", "is unknown"),
        ("* * * * *", "America", "is unknown"),
    ],
)
def test_what_is_no_cron_expression_or_time_zone_is_named(cron: str, zone: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Cron(cron, zone)
    assert says in refused.value.message
    assert repr(zone if "unknown" in says else cron) in refused.value.message


def test_the_names_of_time_zones_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Cron(HOURLY, "Europe/Berlin")
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert Cron(HOURLY, "America/Sao_Paulo").timezone == "America/Sao_Paulo"


async def test_a_due_schedule_starts_one_job_and_moves_on(store: Stores) -> None:
    options = JobOptions(priority=5, max_attempts=2, budget=Budget(tokens=10))
    schedule = await add(store, workflow="number", input={"n": 4}, metadata={"mine": 1}, options=options)
    assert await ScheduleStore(store.db).fire() == []
    moment = await due(store, schedule)
    assert await ScheduleStore(store.db).fire() == [QUEUE]
    assert await ScheduleStore(store.db).fire() == []
    [job] = await jobs(store)
    assert (job.workflow, job.input, job.metadata, job.state) == ("number", {"n": 4}, {"mine": 1}, JobState.QUEUED)
    assert (job.priority, job.max_attempts, job.budget, job.schedule_id) == (5, 2, Budget(tokens=10), schedule.id)
    assert [event.type for event in await store.events(job.id)] == ["job.queued"]
    [row] = await store.run("SELECT scheduled_for FROM jobs")
    assert row.scheduled_for == moment
    after = await look(store, schedule)
    assert (after.last_at, after.last_error) == (moment, None)
    assert after.next_at == Cron(HOURLY).after(await store.db.now())
    assert len(after.next_times) == 5


async def test_what_was_missed_is_started_once(store: Stores) -> None:
    schedule = await add(store, cron="* * * * *")
    await due(store, schedule, ago=timedelta(hours=3))
    await ScheduleStore(store.db).fire()
    await ScheduleStore(store.db).fire()
    assert len(await jobs(store)) == 1
    next_at = (await look(store, schedule)).next_at
    assert next_at is not None
    assert next_at > datetime.now(UTC) - timedelta(seconds=5)


async def test_two_reconcilers_at_once_never_start_twice(store: Stores) -> None:
    schedules = [await add(store) for _ in range(10)]
    for schedule in schedules:
        await due(store, schedule)
    await asyncio.gather(*(ScheduleStore(store.db).fire() for _ in range(4)))
    assert sorted(str(job.schedule_id) for job in await jobs(store)) == sorted(str(found.id) for found in schedules)


async def test_a_moment_that_has_its_job_gets_no_second_one(store: Stores) -> None:
    schedule = await add(store)
    moment = await due(store, schedule)
    await ScheduleStore(store.db).fire()
    await store.run("UPDATE schedules SET next_at = :at WHERE id = :id", at=moment, id=schedule.id)
    assert await ScheduleStore(store.db).fire() == []
    assert len(await jobs(store)) == 1
    assert (await look(store, schedule)).next_at != moment


async def test_what_cannot_be_started_is_noted_and_the_schedule_goes_on(store: Stores) -> None:
    gone, odd, fine = await add(store), await add(store, workflow="number", input={"n": 1}), await add(store)
    await store.run("UPDATE schedules SET workflow = 'nothing' WHERE id = :id", id=gone.id)
    await store.run("""UPDATE schedules SET input = '{"n": "x"}' WHERE id = :id""", id=odd.id)
    for schedule in (gone, odd, fine):
        await due(store, schedule)
    assert await ScheduleStore(store.db).fire() == [QUEUE]
    assert [job.schedule_id for job in await jobs(store)] == [fine.id]
    errors = [(await look(store, schedule)).last_error for schedule in (gone, odd, fine)]
    assert [error and error.code for error in errors] == ["workflow_unknown", "input_rejected", None]
    await store.run("""UPDATE schedules SET input = '{"n": 2}' WHERE id = :id""", id=odd.id)
    await due(store, odd)
    await ScheduleStore(store.db).fire()
    assert (await look(store, odd)).last_error is None


async def test_a_time_zone_that_this_machine_lacks_stops_no_other_schedule(store: Stores) -> None:
    lost, fine = await add(store), await add(store)
    await store.run("UPDATE schedules SET timezone = 'Mars/Olympus' WHERE id = :id", id=lost.id)
    await due(store, lost, ago=timedelta(seconds=9))
    await due(store, fine)
    await ScheduleStore(store.db).fire()
    assert {job.schedule_id for job in await jobs(store)} == {lost.id, fine.id}
    found = await look(store, lost)
    assert found.last_error is not None
    assert "Mars/Olympus" in found.last_error.message
    assert found.next_times == [found.next_at]


async def test_whatever_is_wrong_with_one_schedule_stops_no_other(store: Stores) -> None:
    odd, fine = await add(store), await add(store)
    await store.run("""UPDATE schedules SET options = '{"priority": "high"}' WHERE id = :id""", id=odd.id)
    moment = await due(store, odd, ago=timedelta(seconds=9))
    await due(store, fine)
    assert await ScheduleStore(store.db).fire() == [QUEUE]
    assert [job.schedule_id for job in await jobs(store)] == [fine.id]
    [row] = await store.run("SELECT next_at, last_error FROM schedules WHERE id = :id", id=odd.id)
    assert row.next_at > moment
    assert (row.last_error["code"], row.last_error["kind"]) == ("internal_error", "ValidationError")


async def test_as_many_changes_at_once_as_there_are_connections_do_not_wait_for_each_other(store: Stores) -> None:
    schedules = [await add(store, workflow="number", input={"n": 0}) for _ in range(4)]
    small = Database(store.db.url, pool_size=2)
    try:
        all_schedules = ScheduleStore(small)
        async with asyncio.timeout(20):
            changed = await asyncio.gather(
                *(all_schedules.change(store.project, schedule.id, {"input": {"n": 1}}) for schedule in schedules)
            )
    finally:
        await small.close()
    assert [schedule.input for schedule in changed] == [{"n": 1}] * 4


async def test_a_schedule_ends(store: Stores) -> None:
    now = await store.db.now()
    schedule = await add(store, cron="* * * * *", end_at=now + timedelta(minutes=2, seconds=1))
    assert 1 <= len(schedule.next_times) <= 3
    await store.run("UPDATE schedules SET end_at = now() WHERE id = :id", id=schedule.id)
    await due(store, schedule)
    assert await ScheduleStore(store.db).fire() == [QUEUE]
    assert (await look(store, schedule)).next_at is None
    assert (await add(store, end_at=now - timedelta(days=1))).next_at is None


async def test_one_that_is_off_starts_nothing_and_makes_up_for_nothing(store: Stores) -> None:
    schedule, all_schedules = await add(store), ScheduleStore(store.db)
    await due(store, schedule)
    off = await all_schedules.change(store.project, schedule.id, {"enabled": False})
    assert (off.enabled, off.next_at, off.next_times) == (False, None, [])
    assert await all_schedules.fire() == []
    on = await all_schedules.change(store.project, schedule.id, {"enabled": True})
    assert on.next_at == Cron(HOURLY).after(await store.db.now())
    assert await all_schedules.fire() == []


async def test_a_change_that_has_nothing_to_do_with_time_leaves_what_is_due(store: Stores) -> None:
    schedule, all_schedules = await add(store), ScheduleStore(store.db)
    moment = await due(store, schedule)
    changed = await all_schedules.change(store.project, schedule.id, {"name": "other", "metadata": {"a": 1}})
    assert (changed.name, changed.metadata, changed.next_at) == ("other", {"a": 1}, moment)
    changed = await all_schedules.change(store.project, schedule.id, {"cron": "5 * * * *"})
    assert changed.next_at == Cron("5 * * * *").after(await store.db.now())


async def test_wrong_schedules_are_refused(store: Stores) -> None:
    schedule, all_schedules = await add(store, name="mine", workflow="number"), ScheduleStore(store.db)
    with pytest.raises(Conflict, match="'mine'"):
        await add(store, name="mine")
    with pytest.raises(InputRejected):
        await add(store, workflow="number", input={"n": "x"})
    with pytest.raises(NotFound, match="no workflow 'nope'"):
        await add(store, workflow="nope")
    with pytest.raises(InvalidInput, match="Mars"):
        await add(store, timezone="Mars")
    with pytest.raises(InputRejected):
        await all_schedules.change(store.project, schedule.id, {"input": {"m": 1}})
    with pytest.raises(InvalidInput, match="cron"):
        await all_schedules.change(store.project, schedule.id, {"cron": "x"})
    assert await look(store, schedule) == schedule


async def test_a_job_outlives_its_schedule(store: Stores) -> None:
    schedule, all_schedules = await add(store), ScheduleStore(store.db)
    job = await all_schedules.trigger(store.project, schedule.id)
    again = await all_schedules.trigger(store.project, schedule.id)
    assert (job.schedule_id, again.id != job.id) == (schedule.id, True)
    await all_schedules.delete(store.project, schedule.id)
    assert (await store.get(job.id)).schedule_id is None
    for call in (all_schedules.get, all_schedules.delete, all_schedules.trigger):
        with pytest.raises(NotFound):
            await call(store.project, schedule.id)


# Over HTTP


def body(driven: Driven, **fields: Any) -> dict[str, Any]:
    return {"name": f"s-{uuid4()}", "workflow": driven.workflow, "cron": HOURLY, "input": {"n": 1}} | fields


async def test_a_schedule_is_kept_changed_triggered_and_deleted(driven: Driven) -> None:
    wanted = body(driven, timezone="America/Sao_Paulo", options={"priority": 3, "retry": {"failures": 1}})
    made = await driven.call("POST", "/schedules", json=wanted)
    schedule = made.json()
    path = f"/schedules/{schedule['id']}"
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1{path}")
    assert (await driven.call("GET", path)).json() == schedule
    assert {key: schedule[key] for key in ("name", "cron", "timezone", "input")} == {
        key: wanted[key] for key in ("name", "cron", "timezone", "input")
    }
    assert schedule["options"]["retry"]["failures"] == 1
    assert len(schedule["next_times"]) == 5
    assert schedule["next_times"][0] == schedule["next_at"]
    changed = (await driven.call("PATCH", path, json={"enabled": False, "cron": None})).json()
    assert (changed["enabled"], changed["next_at"], changed["cron"]) == (False, None, HOURLY)
    started = await driven.call("POST", f"{path}/trigger")
    job = started.json()
    assert (started.status_code, job["schedule_id"], job["priority"], job["input"]) == (
        202,
        schedule["id"],
        3,
        {"n": 1},
    )
    assert driven.servers.job(UUID(job["id"]))["state"] == "queued"
    listed = (await driven.call("GET", "/jobs", params={"schedule_id": schedule["id"]})).json()["jobs"]
    assert [found["id"] for found in listed] == [job["id"]]
    assert (await driven.call("DELETE", path)).status_code == 204
    problem(await driven.call("GET", path), 404, "not_found")


async def test_schedules_come_in_pages_and_belong_to_their_project(driven: Driven) -> None:
    with await driven.stranger() as stranger:
        made = [stranger.post("/schedules", json=body(driven)).json()["id"] for _ in range(3)]
        page = stranger.get("/schedules", params={"limit": 2}).json()
        rest = stranger.get("/schedules", params={"limit": 2, "cursor": page["next"]}).json()
        assert [row["id"] for row in page["schedules"] + rest["schedules"]] == made[::-1]
        assert rest["next"] is None
    for schedule in (made[0], str(uuid4())):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/trigger")):
            options = {"json": {}} if method == "PATCH" else {}
            answer = await driven.call(method, f"/schedules/{schedule}{path}", **options)
            assert problem(answer, 404, "not_found")["detail"] == f"no schedule '{schedule}' in this project"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"cron": "61 * * * *"}, 422, "invalid_input"),
        ({"timezone": "Mars/Olympus"}, 422, "invalid_input"),
        ({"workflow": "nope"}, 404, "workflow_unknown"),
        ({"input": {"n": "x"}}, 422, "input_rejected"),
        ({"name": ""}, 422, "invalid_request"),
        ({"end_at": "tomorrow"}, 422, "invalid_request"),
        ({"end_at": "9999-12-31T23:59:59-12:00"}, 422, "invalid_input"),
        ({"end_at": "0001-01-01T00:00:00+12:00"}, 422, "invalid_input"),
        ({"options": {"priority": 1000}}, 422, "invalid_request"),
        ({"options": {"delay_seconds": 1}}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
    ids=str,
)
async def test_a_wrong_schedule_is_refused(driven: Driven, fields: dict[str, Any], status: int, code: str) -> None:
    problem(await driven.call("POST", "/schedules", json=body(driven, **fields)), status, code)


async def test_runs_of_a_cron_may_begin_some_time_after_it(store: Stores) -> None:
    schedule = await add(store, run=RunOptions(kwargs={"after_seconds": 3600}))
    await due(store, schedule)
    await ScheduleStore(store.db).fire()
    [job] = await jobs(store)
    assert job.available_at - job.created_at == timedelta(hours=1)
    assert await store.take(await store.worker("later"), ids=[job.id]) == []
