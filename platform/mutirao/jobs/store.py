"""Jobs as clients see them: accept, read, list, cancel. The worker's verbs are in `mutirao.jobs.claims`."""

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import Conflict, InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Artifact, Attempt, Event, Job, Submission
from mutirao.jobs.states import JobState

EVENTS_CHANNEL = "mutirao_events"
CANCELS_CHANNEL = "mutirao_cancels"
# Notices on EVENTS_CHANNEL are the job's id; when it has ended, once more with this behind it.
ENDED = "/ended"

_JOB = """id, thread_id, workflow, version, queue, state, input, output, error, metadata, epoch AS attempts,
    max_attempts, last_seq, created_at, started_at, finished_at, cancel_requested_at"""

# One statement, one transaction: thread, job and first event are there together or not at all.
_ACCEPT = text(f"""
WITH thread AS (
    INSERT INTO threads (id, project_id) VALUES (:thread_id, :project_id) ON CONFLICT (id) DO NOTHING
), job AS (
    INSERT INTO jobs
        (id, project_id, thread_id, workflow, version, queue, state, input, metadata, max_attempts, last_seq)
    VALUES (:id, :project_id, :thread_id, :workflow, :version, :queue, 'queued', :input, :metadata, :max_attempts, 1)
    RETURNING *
), first AS (
    INSERT INTO events (job_id, seq, epoch, type, data) SELECT id, 1, 0, 'job.queued', '{{}}' FROM job
)
SELECT {_JOB} FROM job""").bindparams(bindparam("input", type_=JSONB), bindparam("metadata", type_=JSONB))

_KEEP_KEY = text("""
INSERT INTO idempotency_keys (project_id, key, request_sha256, job_id)
VALUES (:project_id, :key, :request_sha256, :job_id) ON CONFLICT DO NOTHING RETURNING job_id""")

_FIND_KEY = text("""
SELECT request_sha256, job_id FROM idempotency_keys WHERE project_id = :project_id AND key = :key""")

_GET = text(f"SELECT {_JOB} FROM jobs WHERE id = :id AND project_id = :project_id")

# Served by ix_jobs_project_id_id; ids are ordered by time.
_LIST = text(f"""
SELECT {_JOB} FROM jobs
WHERE project_id = :project_id
  AND (CAST(:before AS uuid) IS NULL OR id < :before)
  AND (CAST(:workflow AS text) IS NULL OR workflow = :workflow)
  AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states))
ORDER BY id DESC LIMIT :limit""")

_EVENTS = text("""
SELECT seq, epoch AS attempt, type, step, data, created_at AS at FROM events
WHERE job_id = :id AND seq > :after ORDER BY seq LIMIT :limit""")

_ATTEMPTS = text("""
SELECT epoch AS attempt, worker_name AS worker, outcome, error, started_at, finished_at FROM attempts
WHERE job_id = :id ORDER BY epoch""")

_ARTIFACTS = text("""
SELECT id, job_id, name, media_type, size, sha256, created_at FROM artifacts
WHERE job_id = :id AND project_id = :project_id ORDER BY name""")

_LOCK = text("SELECT state FROM jobs WHERE id = :id AND project_id = :project_id FOR UPDATE")

_CANCEL_QUEUED = text("""
WITH job AS (
    UPDATE jobs SET state = 'cancelled', cancel_requested_at = now(), finished_at = now(), last_seq = last_seq + 1
    WHERE id = :id RETURNING id, last_seq, epoch
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data) SELECT id, last_seq, epoch, 'job.cancelled', '{}' FROM job
)
SELECT pg_notify(:channel, id::text), pg_notify(:channel, id || '/ended') FROM job""")

_CANCEL_RUNNING = text("""
WITH job AS (
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()) WHERE id = :id RETURNING id
)
SELECT pg_notify(:channel, id::text) FROM job""")

_THREAD_OWNER = text("SELECT project_id FROM threads WHERE id = :id")


class JobStore:
    """Every verb on jobs that a client may use. A job of another project answers exactly like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def accept(self, submission: Submission) -> tuple[Job, bool]:
        """Commit a job; returns it and whether it is new (False: the idempotency key had made it before).

        Raises:
            NotFound: no such thread in this project; a job without one begins its own.
            InvalidInput: the same idempotency key came with another request.
        """
        # Without a key and a thread to look at, one statement is the whole transaction.
        plain = submission.thread_id is None and submission.idempotency_key is None
        async with self.db.autocommit() if plain else self.db.begin() as connection:
            if submission.thread_id is not None:
                await self._own_thread(connection, submission.project_id, submission.thread_id)
            job_id = new_id()
            if submission.idempotency_key is not None:
                earlier = await self._earlier(connection, submission, job_id)
                if earlier is not None:
                    return earlier, False
            values = submission.model_dump(exclude={"idempotency_key", "request_sha256"})
            values |= {"id": job_id, "thread_id": submission.thread_id or new_id()}
            row = (await connection.execute(_ACCEPT, values)).mappings().one()
        return Job.model_validate(dict(row)), True

    async def _own_thread(self, connection: AsyncConnection, project_id: UUID, thread_id: UUID) -> None:
        owner = await connection.scalar(_THREAD_OWNER, {"id": thread_id})
        if owner != project_id:
            raise NotFound(f"no thread {str(thread_id)!r} in this project")

    async def _earlier(self, connection: AsyncConnection, submission: Submission, job_id: UUID) -> Job | None:
        """The job this key made before; None when the key is new (and now kept for `job_id`)."""
        key = {"project_id": submission.project_id, "key": submission.idempotency_key}
        kept = await connection.scalar(_KEEP_KEY, key | {"request_sha256": submission.request_sha256, "job_id": job_id})
        if kept is not None:
            return None
        # A request that is still in flight holds the key's row: the insert above has waited for its end.
        row = (await connection.execute(_FIND_KEY, key)).mappings().one()
        if row["request_sha256"] != submission.request_sha256:
            raise InvalidInput(
                f"Idempotency-Key {submission.idempotency_key!r} was used for another request; use a new key",
                key=submission.idempotency_key,
            )
        return await self._get(connection, submission.project_id, row["job_id"])

    async def get(self, project_id: UUID, job_id: UUID) -> Job:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            return await self._get(connection, project_id, job_id)

    async def _get(self, connection: AsyncConnection, project_id: UUID, job_id: UUID) -> Job:
        row = (await connection.execute(_GET, {"id": job_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise NotFound(f"no job {str(job_id)!r} in this project")
        return Job.model_validate(dict(row))

    async def page(
        self,
        project_id: UUID,
        *,
        before: UUID | None = None,
        workflow: str | None = None,
        states: list[JobState] | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """At most `limit` jobs, newest first, older than the job `before`."""
        values = {
            "project_id": project_id,
            "before": before,
            "workflow": workflow,
            "states": [state.value for state in states] if states else None,
            "limit": limit,
        }
        return [Job.model_validate(row) for row in await self._rows(_LIST, values)]

    async def events(self, job_id: UUID, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events with `seq > after`, in order. The caller has made sure that the job is its own."""
        return [
            Event.model_validate(row)
            for row in await self._rows(_EVENTS, {"id": job_id, "after": after, "limit": limit})
        ]

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        """Attempts in order. The caller has made sure that the job is its own."""
        return [Attempt.model_validate(row) for row in await self._rows(_ATTEMPTS, {"id": job_id})]

    async def artifacts(self, project_id: UUID, job_id: UUID) -> list[Artifact]:
        """Artifacts of a job by name."""
        rows = await self._rows(_ARTIFACTS, {"id": job_id, "project_id": project_id})
        return [Artifact.model_validate(row) for row in rows]

    async def artifact(self, project_id: UUID, job_id: UUID, name: str) -> Artifact:
        """Raises NotFound."""
        for artifact in await self.artifacts(project_id, job_id):
            if artifact.name == name:
                return artifact
        raise NotFound(f"job {str(job_id)!r} has no artifact {name!r}")

    async def cancel(self, project_id: UUID, job_id: UUID) -> Job:
        """Ask for the end of a job: a queued one ends at once, a running one as soon as its worker has stopped it.

        Raises:
            NotFound: no such job in this project.
            Conflict: the job has already ended.
        """
        async with self.db.begin() as connection:
            state = await connection.scalar(_LOCK, {"id": job_id, "project_id": project_id})
            if state == JobState.QUEUED:
                await connection.execute(_CANCEL_QUEUED, {"id": job_id, "channel": EVENTS_CHANNEL})
            elif state == JobState.RUNNING:
                await connection.execute(_CANCEL_RUNNING, {"id": job_id, "channel": CANCELS_CHANNEL})
            elif state is not None:
                raise Conflict(f"job {str(job_id)!r} has already ended: {state}", state=state)
            return await self._get(connection, project_id, job_id)

    async def _rows(self, statement: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.db.autocommit() as connection:
            rows: list[RowMapping] = list((await connection.execute(statement, values)).mappings())
        return [dict(row) for row in rows]
