"""Approvals: questions that a graph has asked people, their decisions, and what becomes of the job that waits for them.

Contract: one decision wins. A decision is given to the graph until the graph has taken it in (`applied_at`, written in
the transaction of the checkpoint that consumes it: see `mutirao_workers.answers`), and never again after that.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao import audit_rows
from mutirao.db import Database
from mutirao.errors import AlreadyDecided, ApprovalChanged, NotFound
from mutirao.jobs import decisions
from mutirao.jobs.channels import EVENTS_CHANNEL, WORK_CHANNEL
from mutirao.jobs.decisions import OnExpiry, Verdict
from mutirao.jobs.records import Claim, Record
from mutirao.jobs.states import JobState


class ApprovalState(StrEnum):
    """Where an approval is in its life. Only a pending one can be decided."""

    PENDING = "pending"  # waits for a person
    DECIDED = "decided"  # a person has decided
    EXPIRED = "expired"  # nobody has in time; the graph gets what `on_expiry` says
    WITHDRAWN = "withdrawn"  # its job has ended or goes on from elsewhere, or the graph could not take the decision


class Question(Record):
    """An interrupt of a graph as the attempt that met it sees it."""

    id: UUID = Field(description="Of the approval.")
    interrupt_id: str
    task_id: str | None = None
    step: str | None = None
    request: Any = None
    expires_seconds: float | None = None


class Approval(Record):
    """A question to people and what was decided."""

    id: UUID
    job_id: UUID
    thread_id: UUID
    workflow: str
    step: str | None = None
    interrupt_id: str
    request: Any = Field(description="What the graph has asked: the value of its interrupt.")
    request_sha256: str = Field("", description="Of the request; a decision that sends it is refused for any other.")
    allowed: list[decisions.Kind] = Field([], description="What can be decided about all that it proposes at once.")
    state: ApprovalState
    decision: Any = Field(None, description="What the graph gets as the answer.")
    comment: str | None = None
    decided_by: str | None = None
    created_at: datetime
    decided_at: datetime | None = None
    applied_at: datetime | None = Field(None, description="When the graph has taken the decision in.")
    expires_at: datetime | None = None
    assignee: str | None = Field(None, description="Who should decide; null: anybody who may.")
    on_expiry: OnExpiry = Field(OnExpiry.EXPIRE, description="What happens when nobody has decided by `expires_at`.")
    escalate_to: str | None = Field(None, description="Whose it becomes then, for `escalate`.")
    remind_at: datetime | None = Field(None, description="When the next reminder is sent.")
    reminders: int = Field(0, description="Sent so far.")
    revision: int = Field(1, description="Counts changes; the `ETag`.")


class Decision(Record):
    """An answer that the graph has not taken in yet."""

    approval_id: UUID
    interrupt_id: str
    step: str | None
    request: Any
    state: ApprovalState
    value: Any


APPROVAL = """a.id, a.job_id, j.thread_id, j.workflow, a.step, a.interrupt_id, a.request, a.request_sha256, a.state,
    a.decision, a.comment, a.decided_by, a.created_at, a.decided_at, a.applied_at, a.expires_at, a.assignee, a.on_expiry,
    a.escalate_to, a.remind_at, a.reminders, a.revision"""
"""The columns of `Approval`, of approvals a and jobs j."""

# A job that was let go on by other means than a decision asks the same question again.
_OPEN = text("""
INSERT INTO approvals (id, project_id, job_id, interrupt_id, task_id, epoch, step, request, request_sha256, state, assignee,
    on_expiry, escalate_to, expires_seconds, expires_at, remind_seconds, remind_at)
VALUES (:id, :project_id, :job_id, :interrupt_id, :task_id, :epoch, :step, :request, :request_sha256, 'pending', :assignee,
    :on_expiry, :escalate_to, :expires_seconds, now() + make_interval(secs => CAST(:expires_seconds AS float)),
    :remind_seconds, now() + make_interval(secs => CAST(:remind_seconds AS float)))
ON CONFLICT (job_id, interrupt_id) WHERE state = 'pending' DO UPDATE
    SET epoch = excluded.epoch, task_id = excluded.task_id, step = excluded.step, request = excluded.request,
        request_sha256 = excluded.request_sha256, revision = approvals.revision + 1""").bindparams(
    bindparam("request", type_=JSONB(none_as_null=True))
)

_REOPEN = text("""
WITH old AS (
    UPDATE approvals SET state = 'withdrawn' WHERE id = :id AND state = 'decided' AND applied_at IS NULL RETURNING *
)
INSERT INTO approvals (id, project_id, job_id, interrupt_id, task_id, epoch, step, request, request_sha256, state, assignee,
    on_expiry, escalate_to, expires_seconds, expires_at, remind_seconds, remind_at)
SELECT :new_id, project_id, job_id, interrupt_id, task_id, :epoch, step, request, request_sha256, 'pending', assignee,
    on_expiry, escalate_to, expires_seconds, now() + make_interval(secs => expires_seconds), remind_seconds,
    now() + make_interval(secs => remind_seconds) FROM old""")

_OPEN_IDS = text("SELECT interrupt_id, id FROM approvals WHERE job_id = :job_id AND state = 'pending'")

_OF_JOB = text(f"""
SELECT {APPROVAL} FROM approvals a JOIN jobs j ON j.id = a.job_id
WHERE a.job_id = :job_id AND a.project_id = :project_id ORDER BY a.id""")

_GET = text(f"""
SELECT {APPROVAL} FROM approvals a JOIN jobs j ON j.id = a.job_id
WHERE a.id = :id AND a.project_id = :project_id""")

# Whoever changes an approval holds its job's row: decisions, cancels and expiry follow one another.
LOCK_JOB = text("SELECT id FROM jobs WHERE id = (SELECT job_id FROM approvals WHERE id = :id) FOR UPDATE")

_DECIDE = text("""
UPDATE approvals SET state = 'decided', decision = :decision, comment = :comment, decided_by = :by, decided_at = now(),
    revision = revision + 1
WHERE id = :id AND state = 'pending' AND (expires_at IS NULL OR expires_at > now() OR on_expiry = 'escalate')
RETURNING id""").bindparams(bindparam("decision", type_=JSONB(none_as_null=True)))

# What is still pending of jobs that wait, and whose time has passed. Served by ix_approvals_due. Not in a thread that
# somebody has locked: to update a job's row twice in a transaction needs the thread's, too.
_OVERDUE = text("""
SELECT j.id FROM jobs j JOIN threads t ON t.id = j.thread_id WHERE j.state = 'paused' AND EXISTS (
    SELECT 1 FROM approvals a WHERE a.job_id = j.id AND a.state = 'pending' AND a.expires_at <= now())
ORDER BY j.id FOR KEY SHARE OF t SKIP LOCKED FOR UPDATE OF j SKIP LOCKED""")

_DUE = text("""
SELECT id, project_id, request, on_expiry, escalate_to FROM approvals
WHERE job_id = :job_id AND state = 'pending' AND expires_at <= now() ORDER BY id""")

_EXPIRE = text("""
UPDATE approvals SET state = 'expired', decision = :decision, decided_at = now(), decided_by = 'system',
    revision = revision + 1
WHERE id = :id""").bindparams(bindparam("decision", type_=JSONB))

# Once: when nobody decides then either, it expires.
_ESCALATE = text("""
UPDATE approvals SET assignee = escalate_to, on_expiry = 'expire', revision = revision + 1,
    expires_at = now() + make_interval(secs => coalesce(expires_seconds, 86400)),
    remind_at = now() + make_interval(secs => remind_seconds)
WHERE id = :id""")

# Served by ix_approvals_remind_at.
_FORGOTTEN = text("""
SELECT a.id FROM approvals a JOIN jobs j ON j.id = a.job_id JOIN threads t ON t.id = j.thread_id
WHERE a.state = 'pending' AND a.remind_at <= now() AND j.state = 'paused'
ORDER BY a.remind_at LIMIT 200 FOR KEY SHARE OF t SKIP LOCKED FOR UPDATE OF j SKIP LOCKED""")

_REMIND = text("""
UPDATE approvals SET reminders = reminders + 1, remind_at = now() + make_interval(secs => remind_seconds)
WHERE id = :id AND state = 'pending' AND remind_at <= now() RETURNING id""")

_NOTE = text("""
WITH job AS (
    UPDATE jobs j SET last_seq = last_seq + 1 FROM approvals a WHERE a.id = :id AND j.id = a.job_id
    RETURNING j.id, j.last_seq, j.epoch, a.step, a.id AS approval, a.state, a.decision, a.comment, a.decided_by, a.assignee,
        a.expires_at, a.reminders
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, step, data)
    SELECT id, last_seq, epoch, CAST(:kind AS text), step, jsonb_strip_nulls(jsonb_build_object(
        'id', approval, 'comment', comment, 'by', coalesce(decided_by, CAST(:by AS text)), 'assignee', assignee))
        || CASE WHEN state = 'pending' THEN jsonb_build_object('expires_at', expires_at, 'reminders', reminders)
                ELSE jsonb_build_object('decision', decision) END
    FROM job
)
SELECT pg_notify(:channel, id::text) FROM job""")

# The last decision lets the job go on, unless somebody has asked to pause it as well.
_RELEASE = text("""
WITH job AS (
    UPDATE jobs SET
        state = CASE WHEN pause_requested_at IS NULL THEN 'queued' ELSE state END,
        waiting_for = CASE WHEN pause_requested_at IS NULL THEN NULL ELSE 'request' END,
        pause_requested_at = NULL, last_seq = last_seq + 1
    WHERE id = :job_id AND state = 'paused' AND waiting_for = 'approval'
      AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.job_id = :job_id AND a.state = 'pending')
    RETURNING id, queue, state, epoch, last_seq
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, CASE state WHEN 'queued' THEN 'job.resumed' ELSE 'job.' || state END,
        CASE state WHEN 'queued' THEN jsonb_build_object('after', 'approval')
                   ELSE jsonb_build_object('waiting_for', 'request') END
    FROM job
)
SELECT id, queue, state, pg_notify(:channel, id::text) IS NULL AS told,
    CASE WHEN state = 'queued' THEN pg_notify(:work_channel, queue) IS NULL END AS told_workers
FROM job""")

# For a psycopg cursor. A task takes its answers in in the order of its questions: the first `answers` of them.
APPLIED = """
UPDATE approvals a SET applied_at = now()
WHERE a.job_id = %(job)s AND a.task_id = %(task)s AND a.state IN ('decided', 'expired') AND a.applied_at IS NULL
  AND (SELECT count(*) FROM approvals b WHERE b.job_id = a.job_id AND b.task_id = a.task_id AND b.state <> 'withdrawn'
       AND (b.created_at, b.id) <= (a.created_at, a.id)) <= %(answers)s"""

_PASSED = text("""
UPDATE approvals a SET applied_at = now() FROM jobs j
WHERE a.id = ANY(:ids) AND j.id = a.job_id AND j.id = :job_id AND j.epoch = :epoch AND j.state = 'running'""")

_DECIDED = text("""
SELECT id AS approval_id, interrupt_id, step, request, state, decision AS value FROM approvals
WHERE job_id = :job_id AND state IN ('decided', 'expired') AND applied_at IS NULL ORDER BY id""")


class ApprovalStore:
    """Every verb on approvals. One of another project answers exactly like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def open(self, connection: AsyncConnection, claim: Claim, questions: Sequence[Question]) -> None:
        """Write the questions of an attempt, in the transaction that pauses its job."""
        for question in questions:
            values = decisions.terms(question.request).model_dump() | question.model_dump(exclude_none=True)
            values |= {
                "project_id": claim.project_id,
                "job_id": claim.job_id,
                "epoch": claim.epoch,
                "task_id": question.task_id,
                "step": question.step,
                "request": question.request,
                "request_sha256": decisions.digest(question.request),
            }
            await connection.execute(_OPEN, values)

    async def reopen(self, connection: AsyncConnection, claim: Claim, approvals: Mapping[UUID, UUID]) -> None:
        """Ask again, as another approval each, what was decided in a way that the graph cannot take; like `open`."""
        for old, new in approvals.items():
            await connection.execute(_REOPEN, {"id": old, "new_id": new, "epoch": claim.epoch})

    async def open_ids(self, job_id: UUID) -> dict[str, UUID]:
        """Interrupt id → approval, of those that are pending."""
        async with self.db.autocommit() as connection:
            return {row.interrupt_id: row.id for row in await connection.execute(_OPEN_IDS, {"job_id": job_id})}

    async def of_job(self, project_id: UUID, job_id: UUID) -> list[Approval]:
        """All approvals of a job in the order they were asked."""
        async with self.db.autocommit() as connection:
            rows = await connection.execute(_OF_JOB, {"project_id": project_id, "job_id": job_id})
            return [shown(dict(row)) for row in rows.mappings()]

    async def get(self, project_id: UUID, approval_id: UUID) -> Approval:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            return await found(connection, project_id, approval_id)

    async def decide(
        self,
        project_id: UUID,
        approval_id: UUID,
        decision: Any,
        *,
        verdicts: Sequence[Verdict] = (),
        request_sha256: str | None = None,
        comment: str | None = None,
        by: str | None = None,
    ) -> Approval:
        """Decide a pending approval; the job goes on when it was its last pending one.

        `verdicts`, where there are some, in place of the decision: the graph gets what they mean for its question.
        `request_sha256`: of the question that was decided about.

        Raises:
            NotFound: no such approval in this project.
            AlreadyDecided: somebody else was first, the time to decide has passed, or the job has ended.
            ApprovalChanged: it asks something else than what was decided about.
            InvalidInput: the verdicts do not fit the question.
        """
        await self.get(project_id, approval_id)
        async with self.db.begin() as connection:
            job_id = await connection.scalar(LOCK_JOB, {"id": approval_id})
            asked = await found(connection, project_id, approval_id)
            _check_request(asked, request_sha256)
            if verdicts and asked.state is ApprovalState.PENDING:
                decision = decisions.answer_to(asked.request, verdicts)
            await settle(connection, project_id, approval_id, decision, comment=comment, by=by)
            await self._release(connection, job_id)
        return await self.get(project_id, approval_id)

    async def decided(self, job_id: UUID) -> list[Decision]:
        """Answers that the graph has not taken in yet, in the order their questions were asked."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_DECIDED, {"job_id": job_id})).mappings().all()
        return [Decision.model_validate(dict(row)) for row in rows]

    async def passed(self, claim: Claim, approvals: Sequence[UUID]) -> None:
        """These decisions needed nothing but that the attempt begins; nothing when the claim is stale."""
        values = {"ids": list(approvals), "job_id": claim.job_id, "epoch": claim.epoch}
        async with self.db.autocommit() as connection:
            await connection.execute(_PASSED, values)

    async def expire(self) -> list[tuple[UUID, str, JobState]]:
        """End or escalate the approvals whose time has passed; returns (job, queue, new state) of the jobs that go on."""
        async with self.db.begin() as connection:
            jobs = (await connection.scalars(_OVERDUE)).all()
            released = []
            for job_id in jobs:
                for due in (await connection.execute(_DUE, {"job_id": job_id})).all():
                    await self._end_of_time(connection, due)
                released += await self._release(connection, job_id)
        return released

    async def remind(self) -> int:
        """Remind of approvals for which it is time; how many. Whoever listens to `approval.reminder` is told."""
        async with self.db.begin() as connection:
            reminded = 0
            for approval_id in (await connection.scalars(_FORGOTTEN)).all():
                if await connection.scalar(_REMIND, {"id": approval_id}) is not None:
                    await note(connection, approval_id, "approval.reminded")
                    reminded += 1
        return reminded

    async def _end_of_time(self, connection: AsyncConnection, due: Any) -> None:
        if due.on_expiry == OnExpiry.ESCALATE:
            await connection.execute(_ESCALATE, {"id": due.id})
            await note(connection, due.id, "approval.escalated")
            action, data = "approval.escalate", {"assignee": due.escalate_to}
        else:
            decision = decisions.at_expiry(due.request, OnExpiry(due.on_expiry))
            await connection.execute(_EXPIRE, {"id": due.id, "decision": decision})
            await note(connection, due.id, "approval.expired")
            action, data = "approval.expire", {"decision": decision}
        await audit_rows.record(connection, due.project_id, audit_rows.SYSTEM, action, due.id, data)

    async def _release(self, connection: AsyncConnection, job_id: UUID) -> list[tuple[UUID, str, JobState]]:
        values = {"job_id": job_id, "channel": EVENTS_CHANNEL, "work_channel": WORK_CHANNEL}
        rows = (await connection.execute(_RELEASE, values)).all()
        return [(row.id, row.queue, JobState(row.state)) for row in rows]


async def settle(
    connection: AsyncConnection,
    project_id: UUID,
    approval_id: UUID,
    decision: Any,
    *,
    comment: str | None = None,
    by: str | None = None,
) -> None:
    """Decide an approval whose job's row the caller holds; told in the journal and kept in the audit log.

    Raises:
        NotFound: no such approval in this project.
        AlreadyDecided: somebody else was first, the time to decide has passed, or the job has ended.
    """
    values = {"id": approval_id, "decision": decision, "comment": comment, "by": by}
    if await connection.scalar(_DECIDE, values) is None:
        raise _too_late(await found(connection, project_id, approval_id))
    await note(connection, approval_id, "approval.decided")
    asked = await found(connection, project_id, approval_id)
    data = {"decision": decision, "comment": comment, "request_sha256": asked.request_sha256}
    await audit_rows.record(connection, project_id, by or audit_rows.SYSTEM, "approval.decide", approval_id, data)


async def note(connection: AsyncConnection, approval_id: UUID, kind: str, by: str | None = None) -> None:
    """Write into the job's journal what has happened to an approval; its job's row must be held."""
    await connection.execute(_NOTE, {"id": approval_id, "kind": kind, "by": by, "channel": EVENTS_CHANNEL})


async def found(connection: AsyncConnection, project_id: UUID, approval_id: UUID) -> Approval:
    """`ApprovalStore.get`, inside a transaction. Raises NotFound."""
    row = (await connection.execute(_GET, {"project_id": project_id, "id": approval_id})).mappings().first()
    if row is None:
        raise NotFound(f"no approval {str(approval_id)!r} in this project")
    return shown(dict(row))


def shown(row: Mapping[str, Any]) -> Approval:
    """An approval of a row with the columns `APPROVAL`."""
    return Approval.model_validate({**row, "allowed": decisions.allowed(row["request"])})


def _check_request(asked: Approval, request_sha256: str | None) -> None:
    if request_sha256 is not None and request_sha256 != asked.request_sha256:
        raise ApprovalChanged(
            f"approval {str(asked.id)!r} asks something else by now; read it again and decide about that",
            request_sha256=asked.request_sha256,
        )


def _too_late(approval: Approval) -> AlreadyDecided:
    state = ApprovalState.EXPIRED if approval.state is ApprovalState.PENDING else approval.state
    return AlreadyDecided(
        f"approval {str(approval.id)!r} is {state.value}; its first decision stands", state=state.value
    )
