"""Jobs as workers see them: claim, journal, finish, fail, hold, hand back, reconcile.

Contract: every write of an attempt names job and epoch and is refused when another attempt has begun. The lease is the
worker's (see `mutirao.workers`): a job is held as long as its worker's lease is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.faults import fault
from mutirao.ids import new_id
from mutirao.jobs import journal, moves
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.children import ChildStore
from mutirao.jobs.queue import Queue
from mutirao.jobs.reconcile import reconcile, recover
from mutirao.jobs.records import Artifact, Claim, NewEvent, Problem
from mutirao.jobs.rest import Rest
from mutirao.jobs.run_order import clear_ways, make_way
from mutirao.jobs.states import JobState

_ARTIFACT = text("""
INSERT INTO artifacts (id, project_id, job_id, name, media_type, size, sha256)
SELECT :id, project_id, id, :name, :media_type, :size, :sha256 FROM jobs
WHERE id = :job AND epoch = :epoch AND state = 'running' FOR SHARE
ON CONFLICT (job_id, name) DO UPDATE
    SET media_type = excluded.media_type, size = excluded.size, sha256 = excluded.sha256, created_at = now()
RETURNING id, job_id, name, media_type, size, sha256, created_at""")

_ASKED = text("""
SELECT id, CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancel' ELSE 'pause' END AS what FROM jobs
WHERE id = ANY(:ids) AND state = 'running' AND (cancel_requested_at IS NOT NULL OR pause_requested_at IS NOT NULL)""")

# No more than it takes to give them up: a row with a value that cannot be read must not hide the others.
_HELD = text("""
SELECT id AS job_id, project_id, thread_id, workflow, version, epoch, queue, kind, parent_id, group_id,
    '{}'::jsonb AS input, '{}'::jsonb AS metadata
FROM jobs WHERE worker_id = :worker AND state = 'running' ORDER BY id""")

_GRACE_SECONDS = 30.0


class ClaimStore:
    """Every verb on jobs that a worker may use."""

    def __init__(self, db: Database, *, version_grace_seconds: float = _GRACE_SECONDS) -> None:
        self.db = db
        self._queue = Queue(db)
        self._grace_seconds = version_grace_seconds

    async def claim(
        self,
        worker: UUID,
        worker_name: str,
        queues: Sequence[str],
        *,
        slots: Mapping[str, int],
        ids: Sequence[UUID] | None = None,
    ) -> list[Claim]:
        """Begin attempts at jobs of these queues, of `ids` where given; of each kind at most as many as `slots` says.

        Projects with few running jobs go first; within a project higher priority, then who is due longer. What another
        worker holds or is about to take is passed over: fewer claims than slots do not mean that nothing is queued.
        Each claim's epoch is one higher than the job's last.
        """
        fault("claim.before")
        rows = await self._queue.claim(worker, worker_name, queues, slots, ids)
        fault("claim.after")
        return [Claim.model_validate(row) for row in rows]

    async def held(self, worker: UUID) -> list[Claim]:
        """The claims that the worker holds, without input, metadata, settings and times.

        More than it knows of, when the answer to a claim was lost on its way.
        """
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_HELD, {"worker": worker})).mappings()
            return [Claim.model_validate(dict(row)) for row in rows]

    async def append(self, events: Sequence[tuple[Claim, NewEvent]]) -> set[tuple[UUID, int]]:
        """Journal events of any number of attempts; returns the (job, epoch) pairs that are still held.

        Events of an attempt keep their order. Those of a stale attempt are dropped.
        """
        fault("events.before")
        async with self.db.begin() as connection:
            held = await journal.append(connection, events)
        fault("events.after")
        return held

    async def finish(
        self,
        claim: Claim,
        state: JobState,
        *,
        output: Any = None,
        error: Problem | None = None,
        events: Sequence[NewEvent] = (),
        rest: Rest | None = None,
    ) -> None:
        """End the job in one transaction: last events, terminal event, output and attempt, and the thread's `rest`.

        A job that somebody has asked to end ends as `cancelled`, whatever `state` says.

        Raises:
            LeaseLost: another attempt has begun, or somebody else has ended the job; nothing was written.
        """
        values = {"state": state.value, "output": output, "error": _plain(error)}
        if any(event.type == journal.MODEL_CALL for event in events):
            await self._let_go(moves.FINISH, claim, values, events, rest=rest)
        else:
            values["events"] = journal.numbered([(claim, event) for event in events])
            if rest is None:
                await self._let_go(moves.FINISH_TELLING, claim, values, ())
            else:
                await self._let_go(moves.FINISH_RESTING, claim, values | rest.row(), ())

    async def fail(
        self, claim: Claim, error: Problem, *, events: Sequence[NewEvent] = (), rest: Rest | None = None
    ) -> JobState:
        """A step has raised: queue the job again, after a pause, as long as its `retry` allows; returns its new state.

        Without tries left it is `dead`, or `failed` when it never had any; `cancelled` when somebody has asked for that.
        `rest` is written unless it is tried again.

        Raises:
            LeaseLost: as `finish`.
        """
        retry = claim.retry
        values = {
            "error": _plain(error),
            "tries": retry.failures,
            "last_state": (JobState.DEAD if retry.failures else JobState.FAILED).value,
            "backoff": retry.backoff_seconds,
            "factor": retry.factor,
            "longest": retry.max_backoff_seconds,
        }
        return await self._let_go(moves.FAIL, claim, values, events, rest=rest)

    async def hand_back(self, claim: Claim, events: Sequence[NewEvent] = (), *, kind: str | None = None) -> None:
        """Give the job back to its queue, to go on from its last checkpoint elsewhere; nothing when it is stale.

        With `kind` its attempts run as that kind from now on. A job that somebody has asked to end is `cancelled`
        instead, one that somebody has asked to pause `paused`.
        """
        fault("handback.before")
        values = {"job": claim.job_id, "epoch": claim.epoch, "kind": kind}
        async with self.db.begin() as connection:
            if events:
                await journal.append(connection, [(claim, event) for event in events])
            await connection.execute(moves.HAND_BACK, values)

    async def hold(
        self,
        claim: Claim,
        state: JobState,
        waiting_for: str,
        *,
        events: Sequence[NewEvent] = (),
        also: Callable[[AsyncConnection], Awaitable[None]] | None = None,
        rest: Rest | None = None,
    ) -> JobState:
        """Keep the job without a worker: `waiting` for `children`, or `paused` for an `approval` or on `request`.

        `also` writes in the same transaction, after it is sure that this attempt holds the job. Returns `cancelled`, and
        has not called `also`, when somebody has asked for the end.

        Raises:
            LeaseLost: as `finish`.
        """
        if state not in (JobState.WAITING, JobState.PAUSED):
            raise ValueError(f"a job is held as waiting or paused, not as {state.value!r}")

        async def behind_it(connection: AsyncConnection) -> None:
            if also is not None:
                await also(connection)
            await make_way(connection, claim.job_id)

        values = {"state": state.value, "waiting_for": waiting_for}
        then = behind_it if waiting_for == "approval" else also
        held = await self._let_go(moves.HOLD, claim, values, events, then, rest)
        if held is JobState.WAITING:
            # The last child may have ended while its parent was still running, and has woken nobody then.
            await self._wake(moves.WAKE, claim.job_id)
        return held

    async def wake_parent(self, job_id: UUID) -> bool:
        """Queue the parent of an ended job again when it waits and this was its last child; says whether it was.

        For after the commit of the child's end. The reconciler does the same for whoever did not come to it.
        """
        return await self._wake(moves.WAKE_PARENT, job_id)

    async def put_artifact(self, claim: Claim, name: str, media_type: str, size: int, sha256: str) -> Artifact:
        """Name a blob as an artifact of the job; the same name again replaces it.

        Raises:
            LeaseLost: another attempt has begun.
        """
        values = {
            "id": new_id(),
            "job": claim.job_id,
            "epoch": claim.epoch,
            "name": name,
            "media_type": media_type,
            "size": size,
            "sha256": sha256,
        }
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_ARTIFACT, values)).mappings().first()
        if row is None:
            raise _stale(claim)
        return Artifact.model_validate(dict(row))

    async def asked(self, ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
        """Which of these running jobs somebody has asked to end (`cancel`) or to pause (`pause`)."""
        async with self.db.autocommit() as connection:
            return [(row.id, row.what) for row in await connection.execute(_ASKED, {"ids": list(ids)})]

    async def recover(self) -> list[tuple[UUID, str, JobState]]:
        """The most urgent part of `reconcile`: jobs of workers whose lease has run out."""
        return await recover(self.db)

    async def reconcile(self) -> list[tuple[UUID, str, JobState]]:
        """Move every job that waits for something that has happened; returns (job, queue, new state) of each.

        See `mutirao.jobs.reconcile` for what that is. Any number may run at once: each job is moved once.
        """
        approvals = ApprovalStore(self.db)
        moved = await reconcile(self.db, self._grace_seconds) + await approvals.expire()
        await approvals.remind()
        await clear_ways(self.db)
        # Last: what it has to cancel may be much, and the jobs of dead workers wait for none of it.
        await ChildStore(self.db).cut_short()
        return moved

    async def _let_go(
        self,
        statement: TextClause,
        claim: Claim,
        values: dict[str, Any],
        events: Sequence[NewEvent],
        also: Callable[[AsyncConnection], Awaitable[None]] | None = None,
        rest: Rest | None = None,
    ) -> JobState:
        """Last events and the move in one transaction; without events the one statement is the transaction."""
        fault("finish.before")
        values = {"job": claim.job_id, "epoch": claim.epoch} | values
        may_go_on = statement is moves.FAIL
        async with self.db.begin() if events or also or rest else self.db.autocommit() as connection:
            if rest is not None:
                await (rest.lock(connection) if may_go_on else rest.write(connection))
            if events:
                await journal.append(connection, [(claim, event) for event in events])
            state = await connection.scalar(statement, values)
            if state is None:
                raise _stale(claim)
            if also is not None and state != JobState.CANCELLED:
                await also(connection)
            if rest is not None and may_go_on and state != JobState.QUEUED:
                await rest.write(connection)
        fault("finish.after")
        return JobState(state)

    async def _wake(self, statement: TextClause, job_id: UUID) -> bool:
        async with self.db.autocommit() as connection:
            return await connection.scalar(statement, {"job": job_id}) is not None


def _plain(error: Problem | None) -> dict[str, Any] | None:
    return error.model_dump() if error else None


def _stale(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} is not the current one")
