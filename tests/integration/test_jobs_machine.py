"""The stores against a model of themselves: random verbs in random order, and after each the database says what the model says.

More examples than the everyday run: JOBS_MACHINE_EXAMPLES and JOBS_MACHINE_STEPS, e.g. 500 and 80.
"""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mutirao.db import Database
from mutirao.errors import Conflict, InvalidInput, LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.projects import Projects

from tests.jobs_model import OPEN, KnownJob, Model
from tests.stores import WORKFLOW, Stores, entry, submission

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("JOBS_MACHINE_EXAMPLES", "20"))
STEPS = int(os.environ.get("JOBS_MACHINE_STEPS", "40"))
PROBLEM = Problem(code="step_failed", message="no")
ENDS = [JobState.SUCCEEDED, JobState.FAILED, JobState.BUDGET_EXHAUSTED, JobState.DEAD, JobState.CANCELLED]
T = TypeVar("T")


class Machine(Model, RuleBasedStateMachine):
    """One project, one queue, a few workers."""

    runner: asyncio.Runner
    db: Database

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Model.__init__(self)
        self.claims: list[Claim] = []
        self.workers: dict[UUID, bool] = {}  # whether its lease is alive
        self.keys: dict[str, UUID] = {}

    def do(self, verb: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await verb

        return self.runner.run(awaited())

    def teardown(self) -> None:
        # What runs or waits must not be found by the reconciler of the next example.
        self.do(self.store.run("DELETE FROM jobs WHERE project_id = :id", id=self.store.project))

    # Every example begins with a worker and some jobs: Hypothesis leaves rules out of whole examples, and without jobs
    # the others have nothing to do.
    @initialize(
        jobs=st.lists(
            st.tuples(st.integers(-1, 1), st.integers(0, 2), st.integers(1, 2), st.booleans()), min_size=3, max_size=8
        )
    )
    def begin(self, jobs: list[tuple[int, int, int, bool]]) -> None:
        project = self.do(Projects(self.db).ensure(f"project-{new_id()}"))
        self.store = Stores(self.db, project)
        self.queue = f"queue-{project}"
        self.add_worker()
        for priority, tries, most, same_thread in jobs:
            thread = next(iter(self.jobs.values())).thread if same_thread and self.jobs else None
            self.add_job(thread, priority, tries, most)

    # Clients

    @rule(
        data=st.data(),
        priority=st.integers(-1, 1),
        tries=st.integers(0, 2),
        most=st.integers(1, 2),
        delayed=st.sampled_from([False, False, False, True]),
        same_thread=st.booleans(),
        key=st.sampled_from([None, None, None, "a", "b"]),
    )
    def accept(
        self,
        data: st.DataObject,
        priority: int,
        tries: int,
        most: int,
        delayed: bool,
        same_thread: bool,
        key: str | None,
    ) -> None:
        thread = None
        if same_thread and self.jobs:
            thread = data.draw(st.sampled_from([job.thread for job in self.jobs.values()]))
        self.add_job(thread, priority, tries, most, delayed=delayed, key=key)

    def add_job(
        self,
        thread: UUID | None,
        priority: int,
        tries: int,
        most: int,
        *,
        delayed: bool = False,
        key: str | None = None,
    ) -> None:
        wanted = submission(
            self.store.project,
            queue=self.queue,
            thread_id=thread,
            priority=priority,
            retry={"failures": tries, "backoff_seconds": 0},
            max_attempts=most,
            delay_seconds=3600 if delayed else 0,
            idempotency_key=key,
            request_sha256="x",
        )
        job, new = self.do(self.store.jobs.accept(wanted))
        assert new == (key is None or key not in self.keys)
        if not new:
            assert key is not None
            assert job.id == self.keys[key]
            return
        if key is not None:
            self.keys[key] = job.id
        self.jobs[job.id] = KnownJob(
            job.id, job.thread_id, priority, self.tick(), tries=tries, most=most, delayed=delayed
        )

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def accept_another_request_with_a_used_key(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.keys)))
        with pytest.raises(InvalidInput):
            self.do(
                self.store.jobs.accept(submission(self.store.project, idempotency_key=key, request_sha256="another"))
            )

    @rule()
    def time_passes(self) -> None:
        """What was delayed is due."""
        due = self.tick()
        self.do(
            self.store.run(
                "UPDATE jobs SET available_at = now() WHERE project_id = :id AND available_at > now()",
                id=self.store.project,
            )
        )
        for job in self.jobs.values():
            if job.delayed:
                job.delayed, job.due = False, due

    def some_job(self, data: st.DataObject, *states: JobState) -> KnownJob:
        """A job, mostly one in these states where there is one."""
        fitting = sorted(job.id for job in self.jobs.values() if job.state in states)
        anything = not fitting or data.draw(st.integers(0, 5)) == 5
        return self.jobs[data.draw(st.sampled_from(sorted(self.jobs) if anything else fitting))]

    def refused(self, verb: Awaitable[Any]) -> None:
        with pytest.raises(Conflict):
            self.do(verb)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self.some_job(data)
        verb = self.store.jobs.cancel(self.store.project, job.id)
        parts = self.below(job.id)
        if all(part.state.terminal for part in parts):
            return self.refused(verb)
        self.do(verb)
        for part in parts:
            if part.state is JobState.RUNNING:
                part.cancel = True
            elif part.state in OPEN:
                self.ended(part, JobState.CANCELLED)
        if job.state.terminal:
            self.wake(job.parent)
        return None

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        job = self.some_job(data, *data.draw(st.sampled_from([[JobState.RUNNING], sorted(OPEN)])))
        verb = self.store.jobs.pause(self.store.project, job.id)
        if job.state.terminal:
            return self.refused(verb)
        self.do(verb)
        if job.state is JobState.QUEUED:
            self.held(job, JobState.PAUSED, "request")
            job.pause = False
        elif job.why != "request":
            job.pause = True
        return None

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        paused = {JobState.PAUSED} | {job.state for job in self.jobs.values() if job.pause}
        job = self.some_job(data, *paused)
        verb = self.store.jobs.resume(self.store.project, job.id)
        if job.state is JobState.PAUSED and job.why == "request":
            self.do(verb)
            self.queued(job, "job.resumed")
        elif job.pause and job.state in OPEN:
            self.do(verb)
            job.pause = False
        else:
            self.refused(verb)
        return

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = self.some_job(data, JobState.FAILED, JobState.DEAD, JobState.BUDGET_EXHAUSTED)
        verb = self.store.jobs.retry(self.store.project, job.id)
        if job.state not in (JobState.FAILED, JobState.DEAD, JobState.BUDGET_EXHAUSTED):
            return self.refused(verb)
        self.do(verb)
        job.failures, job.lost, job.pause, job.cancel, job.retried = 0, 0, False, False, job.epoch
        self.queued(job, "job.retried")
        return None

    # Workers

    @precondition(lambda self: sum(self.workers.values()) < 3)
    @rule()
    def add_worker(self) -> None:
        worker = new_id()
        self.do(
            self.store.workers.register(
                worker, name="w", host="h", pid=1, kind="shared", queues=[self.queue], slots=9, lease_seconds=600
            )
        )
        self.do(self.store.catalogue.publish(worker, [entry(WORKFLOW)]))
        self.workers[worker] = True

    @rule(data=st.data(), notice=st.booleans())
    def lose_a_worker(self, data: st.DataObject, notice: bool) -> None:
        """Mostly one that runs something; another one may come in its place."""
        busy = sorted({job.worker for job in self.jobs.values() if job.worker is not None and self.workers[job.worker]})
        worker = data.draw(st.sampled_from(busy or sorted(self.workers)))
        self.do(self.store.expire(worker))
        self.workers[worker] = False
        if sum(self.workers.values()) == 0:
            self.add_worker()
        if notice:
            self.reconcile()

    @rule(data=st.data(), slots=st.integers(1, 3))
    def claim(self, data: st.DataObject, slots: int) -> None:
        stopped = data.draw(st.integers(0, 9)) == 9
        self.take(data.draw(st.sampled_from(sorted(self.workers) if stopped else self.alive())), slots)

    def alive(self) -> list[UUID]:
        return sorted(worker for worker, lease in self.workers.items() if lease)

    def take(self, worker: UUID, slots: int) -> None:
        expected = self.claimable()[:slots] if self.workers[worker] else []
        found = self.do(self.store.claims.claim(worker, "w", [self.queue], slots={"shared": slots}))
        assert {claim.job_id for claim in found} == {job.id for job in expected}
        for claim in found:
            job = self.jobs[claim.job_id]
            job.epoch, job.state, job.worker = job.epoch + 1, JobState.RUNNING, worker
            job.journal.append("job.started")
            assert claim.epoch == job.epoch
        self.claims += sorted(found, key=lambda claim: claim.job_id)

    def some_claim(self, data: st.DataObject) -> tuple[Claim, KnownJob, bool]:
        """A claim, mostly a live one; its job; whether it holds it."""
        live = [claim for claim in self.claims if self.holds(claim)]
        if not live and self.claimable():
            self.take(self.alive()[0], 2)
            live = [claim for claim in self.claims if self.holds(claim)]
        stale = not live or data.draw(st.integers(0, 7)) == 7
        claim = data.draw(st.sampled_from(self.claims if stale else live))
        return claim, self.jobs[claim.job_id], self.holds(claim)

    def lost(self, verb: Awaitable[Any]) -> None:
        with pytest.raises(LeaseLost):
            self.do(verb)

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data(), count=st.integers(1, 3))
    def append(self, data: st.DataObject, count: int) -> None:
        claim, job, holds = self.some_claim(data)
        found = self.do(self.store.claims.append([(claim, NewEvent(type="note"))] * count))
        assert found == ({(claim.job_id, claim.epoch)} if holds else set())
        if holds:
            job.journal += ["note"] * count

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data(), state=st.sampled_from(ENDS), wake=st.booleans())
    def finish(self, data: st.DataObject, state: JobState, wake: bool) -> None:
        claim, job, holds = self.some_claim(data)
        verb = self.store.claims.finish(claim, state, error=PROBLEM, events=[NewEvent(type="note")])
        if not holds:
            return self.lost(verb)
        self.do(verb)
        job.journal.append("note")
        self.ended(job, JobState.CANCELLED if job.cancel else state)
        if wake:
            self.do(self.store.claims.wake_parent(job.id))
            self.wake(job.parent)
        return None

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        claim, job, holds = self.some_claim(data)
        verb = self.store.claims.fail(claim, PROBLEM)
        if not holds:
            return self.lost(verb)
        state = self.do(verb)
        job.failures += 1
        if job.cancel:
            self.ended(job, JobState.CANCELLED)
        elif job.failures <= job.tries:
            self.queued(job, "attempt.failed")
        else:
            self.ended(job, JobState.DEAD if job.tries else JobState.FAILED)
        assert state is job.state
        return None

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        claim, job, holds = self.some_claim(data)
        self.do(self.store.claims.hand_back(claim))
        if not holds:
            return
        if job.cancel:
            self.ended(job, JobState.CANCELLED)
        elif job.pause:
            self.held(job, JobState.PAUSED, "request")
        else:
            self.queued(job, "attempt.handed_back", due=job.due)
        job.pause = False

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data(), why=st.sampled_from(["children", "approval", "request"]))
    def hold(self, data: st.DataObject, why: str) -> None:
        claim, job, holds = self.some_claim(data)
        state = JobState.WAITING if why == "children" else JobState.PAUSED
        verb = self.store.claims.hold(claim, state, why)
        if not holds:
            return self.lost(verb)
        found = self.do(verb)
        if job.cancel:
            self.ended(job, JobState.CANCELLED)
            assert found is JobState.CANCELLED
        else:
            self.held(job, state, why)
            assert found is state
        job.pause &= why != "request"
        if self.wakes(job):
            self.queued(job, "job.resumed", due=job.due)
        return None

    @precondition(lambda self: self.claims or self.claimable())
    @rule(data=st.data(), count=st.integers(1, 2), hold=st.booleans())
    def fan_out(self, data: st.DataObject, count: int, hold: bool) -> None:
        claim, job, holds = self.some_claim(data)
        wanted = [submission(self.store.project, queue=self.queue, priority=9) for _ in range(count)]
        verb = self.store.jobs.accept_many(wanted, parent=claim, group_id=new_id())
        if not holds or job.cancel:
            return self.lost(verb)
        ids, due = self.do(verb), self.tick()
        threads = {child.id: child.thread_id for child in self.do(self.children(job.id))}
        for child in ids:
            self.jobs[child] = KnownJob(child, threads[child], job.priority, due, parent=job.id)
        if hold:
            self.do(self.store.claims.hold(claim, JobState.WAITING, "children"))
            self.held(job, JobState.WAITING, "children")
        return None

    async def children(self, job_id: UUID) -> list[Any]:
        return await self.store.jobs.children(self.store.project, job_id, limit=1000)

    @rule()
    def reconcile(self) -> None:
        found = self.do(self.store.claims.reconcile())
        moved: list[tuple[UUID, JobState]] = []
        self.take_from_lost_workers(moved)
        for job in [job for job in self.jobs.values() if self.wakes(job)]:
            self.queued(job, "job.resumed", due=job.due)
            moved.append((job.id, JobState.QUEUED))
        for job in self.jobs.values():
            if job.state is JobState.QUEUED and job.pause:
                self.held(job, JobState.PAUSED, "request")
                job.pause = False
                moved.append((job.id, JobState.PAUSED))
        assert sorted((job, state) for job, _, state in found) == sorted(moved)

    def take_from_lost_workers(self, moved: list[tuple[UUID, JobState]]) -> None:
        for job in self.jobs.values():
            if job.state is not JobState.RUNNING or job.worker is None or self.workers[job.worker]:
                continue
            job.lost += 1
            if job.cancel:
                self.ended(job, JobState.CANCELLED)
            elif job.lost >= job.most:
                self.ended(job, JobState.DEAD)
            else:
                self.queued(job, "attempt.lost", due=job.due)
            moved.append((job.id, job.state))

    # What must be so after every step

    def rows(self, statement: str) -> Sequence[Any]:
        return self.do(self.store.run(statement, id=self.store.project))

    @invariant()
    def every_accepted_job_is_what_the_model_says(self) -> None:
        rows = self.rows("""
            SELECT j.id, j.state, j.epoch, j.failures, j.worker_id, j.waiting_for, j.cancel_requested_at IS NOT NULL AS cancel,
                j.pause_requested_at IS NOT NULL AS pause, j.finished_at IS NOT NULL AS ended, j.last_seq,
                (SELECT array_agg(e.type ORDER BY e.seq) FROM events e WHERE e.job_id = j.id) AS journal,
                (SELECT array_agg(e.seq ORDER BY e.seq) FROM events e WHERE e.job_id = j.id) AS numbers,
                (SELECT array_agg(a.epoch) FROM attempts a WHERE a.job_id = j.id AND a.finished_at IS NULL) AS live
            FROM jobs j WHERE j.project_id = :id""")
        assert {row.id for row in rows} == set(self.jobs)
        for row in rows:
            job = self.jobs[row.id]
            running = job.state is JobState.RUNNING
            said = (job.state.value, job.epoch, job.failures, job.why, job.state.terminal)
            assert (row.state, row.epoch, row.failures, row.waiting_for, row.ended) == said
            assert row.journal == job.journal
            assert row.numbers == list(range(1, row.last_seq + 1)), "the journal has a gap"
            assert row.live == ([job.epoch] if running else None), "one live epoch, and only while it runs"
            if job.state in OPEN:
                assert row.pause == job.pause
                assert row.cancel == job.cancel
            if running:
                assert row.worker_id == job.worker

    @invariant()
    def jobs_of_a_thread_never_overlap(self) -> None:
        running = [job.thread for job in self.jobs.values() if job.state is JobState.RUNNING]
        assert len(set(running)) == len(running)


def test_the_stores_do_what_their_model_does(database_url: str) -> None:
    everyday = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        # Not `explain`: it traces every line, and takes many times as long as all the rest.
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    )
    with asyncio.Runner() as runner:
        Machine.runner, Machine.db = runner, Database(database_url, pool_size=2)
        try:
            run_state_machine_as_test(Machine, settings=everyday)
        finally:
            runner.run(Machine.db.close())
