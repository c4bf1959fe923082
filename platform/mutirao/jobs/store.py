"""Jobs as clients see them: accept, read, change. Lists are in `mutirao.jobs.lists`, the worker's verbs in `claims`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.catalogue import Catalogue
from mutirao.db import Database
from mutirao.errors import Conflict, LeaseLost, NotFound
from mutirao.faults import fault
from mutirao.ids import new_id
from mutirao.jobs import accept, changes, moves
from mutirao.jobs.channels import CANCELS_CHANNEL, ENDED, EVENTS_CHANNEL, WORK_CHANNEL
from mutirao.jobs.checkpoints import CheckpointReader
from mutirao.jobs.records import Artifact, Attempt, Budget, Claim, Event, Job, Start, Submission
from mutirao.jobs.sql import JOB
from mutirao.jobs.states import JobState

__all__ = ["CANCELS_CHANNEL", "ENDED", "EVENTS_CHANNEL", "WORK_CHANNEL", "JobStore"]

CURRENT = "current"
"""For `JobStore.retry`: the version that workers serve now."""

_GET = text(f"SELECT {JOB} FROM jobs WHERE id = :id AND project_id = :project_id")

_THREAD_OF = text("""
UPDATE threads SET updated_at = now() WHERE id = (SELECT thread_id FROM jobs WHERE id = :id)""")

# Served by ix_jobs_parent_id; ids of a fan-out are in the order of its ordinals.
_CHILDREN = text(f"""
SELECT {JOB} FROM jobs
WHERE parent_id = :parent AND project_id = :project_id AND (CAST(:after AS uuid) IS NULL OR id > :after)
  AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states))
ORDER BY id LIMIT :limit""")

_EVENTS = text("""
SELECT seq, epoch AS attempt, type, step, data, created_at AS at FROM events
WHERE job_id = :id AND seq > :after ORDER BY seq LIMIT :limit""")

_ATTEMPTS = text("""
SELECT epoch AS attempt, worker_name AS worker, outcome, error, started_at, finished_at FROM attempts
WHERE job_id = :id ORDER BY epoch""")

_ARTIFACTS = text("""
SELECT id, job_id, name, media_type, size, sha256, created_at FROM artifacts
WHERE job_id = :id AND project_id = :project_id ORDER BY name""")


class JobStore:
    """Every verb on jobs that a client may use. A job of another project answers exactly like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._checkpoints = CheckpointReader(db)

    async def accept(self, submission: Submission) -> tuple[Job, bool]:
        """Commit a job; returns it and whether it is new (False: the idempotency key had made it before).

        Raises:
            NotFound: no such thread in this project; a job without one begins its own.
            RequestInFlight: a request with the same idempotency key is being answered at this moment.
            InvalidInput: the same idempotency key came with another request.
        """
        # Without a key and a thread to look at, one statement is the whole transaction.
        plain = submission.thread_id is None and submission.idempotency_key is None
        async with self.db.autocommit() if plain else self.db.begin() as connection:
            if submission.thread_id is None:
                job_id = new_id()
            else:
                job_id = await accept.enter(connection, submission.project_id, submission.thread_id)
            if submission.idempotency_key is not None:
                earlier = await accept.earlier(connection, submission, job_id)
                if earlier is not None:
                    return await self._get(connection, submission.project_id, earlier), False
            row = accept.values_of(submission) | {
                "id": job_id,
                "project_id": submission.project_id,
                "thread_id": submission.thread_id or new_id(),
            }
            fault("accept.before_commit")
            job = (await connection.execute(accept.ACCEPT, row)).mappings().one()
        fault("accept.after_commit")
        return accept.job_of(job), True

    async def replayed(self, project_id: UUID, key: str, request_sha256: str) -> Job | None:
        """The job that this idempotency key has made before, from the same request; None when it has made none.

        Raises:
            InvalidInput: the same idempotency key came with another request.
        """
        async with self.db.autocommit() as connection:
            found = await accept.replayed(connection, project_id=project_id, key=key, request_sha256=request_sha256)
            return await self._get(connection, project_id, found) if found is not None else None

    async def accept_many(
        self, submissions: Sequence[Submission], *, parent: Claim, group_id: UUID, priority: int | None = None
    ) -> list[UUID]:
        """Commit the children of a fan-out, all or none; returns their ids in the order of the submissions.

        Each begins a thread of its own; project and, unless given, priority are the parent's, and none has a later
        deadline. The same `group_id` again makes nothing and returns what is there.

        Raises:
            LeaseLost: another attempt at the parent has begun, or somebody has asked for its end.
        """
        values = accept.children_of(submissions, parent, group_id, priority)
        async with self.db.autocommit() as connection:
            made = list((await connection.scalars(accept.CHILDREN, values)).all())
            if made or not submissions:
                return made
            there = await connection.scalars(accept.GROUP, {"group_id": group_id, "parent": parent.job_id})
            if found := list(there.all()):
                return found
        raise LeaseLost(f"job {str(parent.job_id)!r}: attempt {parent.epoch} may not fan out any more")

    async def get(self, project_id: UUID, job_id: UUID) -> Job:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            return await self._get(connection, project_id, job_id)

    async def _get(self, connection: AsyncConnection, project_id: UUID, job_id: UUID) -> Job:
        row = (await connection.execute(_GET, {"id": job_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise NotFound(f"no job {str(job_id)!r} in this project")
        return Job.model_validate(dict(row))

    async def children(
        self,
        project_id: UUID,
        job_id: UUID,
        *,
        after: UUID | None = None,
        states: Sequence[JobState] | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """At most `limit` children of a job, in the order in which it fanned out to them, behind the child `after`."""
        values = {
            "project_id": project_id,
            "parent": job_id,
            "after": after,
            "states": _texts(states),
            "limit": limit,
        }
        return [Job.model_validate(row) for row in await self._rows(_CHILDREN, values)]

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

    async def cancel(self, project_id: UUID, job_id: UUID, *, by: str | None = None) -> Job:
        """Ask for the end of a job and of everything it has fanned out to; `by`: who asks, as in `created_by`.

        What does not run ends at once; what runs, as soon as its worker has stopped it. A job that has ended without its
        children stays as it is, and they end.

        Raises:
            NotFound: no such job in this project.
            Conflict: the job and all that it has fanned out to have already ended.
        """
        async with self.db.begin() as connection:
            await changes.cancel(connection, project_id, job_id, by=by)
            job = await self._get(connection, project_id, job_id)
        if job.parent_id is not None and job.state.terminal:
            async with self.db.autocommit() as connection:
                await connection.execute(moves.WAKE, {"job": job.parent_id})
        return job

    async def pause(self, project_id: UUID, job_id: UUID) -> Job:
        """Ask a job to stand still until it is resumed. Twice is the same as once.

        A queued one is paused at once, a running one as soon as its worker has stopped it. One that waits for children,
        a decision or a version is when it would go on (`pause_requested_at` says that it was asked).

        Raises:
            NotFound: no such job in this project.
            Conflict: the job has ended.
        """
        async with self.db.begin() as connection:
            await changes.pause(connection, project_id, job_id)
            return await self._get(connection, project_id, job_id)

    async def resume(self, project_id: UUID, job_id: UUID) -> Job:
        """Take a pause back: the job goes on from its last checkpoint, or is not paused at all.

        Raises:
            NotFound: no such job in this project.
            Conflict: nobody has paused it, or it is paused for a decision.
        """
        async with self.db.begin() as connection:
            await changes.resume(connection, project_id, job_id)
            return await self._get(connection, project_id, job_id)

    async def retry(
        self,
        project_id: UUID,
        job_id: UUID,
        *,
        checkpoint_id: str | None = None,
        version: str | None = None,
        budget: Budget | None = None,
    ) -> Job:
        """Begin a job anew that is failed, dead, budget_exhausted or stranded: its failures, lost attempts and limits of
        time count from now on.

        It goes on from its last checkpoint or from `checkpoint_id`, in its own version or in `version` (`"current"`: the
        one that workers serve now), with its own budget or with `budget`.

        Raises:
            NotFound: no such job in this project.
            WorkflowUnknown: no such version of its workflow.
            Conflict: the job is in another state.
        """
        workflow = (await self.get(project_id, job_id)).workflow
        adopt = version and await Catalogue(self.db).get(workflow, None if version == CURRENT else version)
        async with self.db.begin() as connection:
            await connection.execute(_THREAD_OF, {"id": job_id})  # before the job: nobody deletes it now
            state = JobState((await changes.lock(connection, project_id, job_id)).state)
            if state not in changes.RETRIABLE:
                raise Conflict(f"job {str(job_id)!r} cannot be retried: it is {state.value}", state=state.value)
            await changes.retry(connection, job_id, checkpoint_id=checkpoint_id, adopt=adopt or None, budget=budget)
            return await self._get(connection, project_id, job_id)

    async def fork(
        self,
        project_id: UUID,
        job_id: UUID,
        *,
        checkpoint_id: str | None = None,
        values: dict[str, Any] | None = None,
        as_node: str | None = None,
        input: dict[str, Any] | None = None,  # noqa: A002 (as the field of the job it becomes)
        metadata: dict[str, Any] | None = None,
    ) -> Job:
        """A new job in a thread of its own that begins at a checkpoint of this one, with `values` changed there.

        It has the same settings (and metadata, where none are given) but no deadline and no parent, and may be forked
        from a job in any state. Without `checkpoint_id` it begins at the last checkpoint that this job has by now, never
        at one that another job of its thread has written.

        Raises:
            NotFound: no such job in this project.
        """
        if checkpoint_id is None:
            last = await self._checkpoints.page(await self.get(project_id, job_id), limit=1)
            checkpoint_id = last[0].id if last else None
        start = Start(checkpoint_id=checkpoint_id, values=values, as_node=as_node)
        row = {
            "id": new_id(),
            "thread_id": new_id(),
            "source": job_id,
            "project_id": project_id,
            "input": input,
            "metadata": metadata,
            "start": accept.start_of(start),
        }
        async with self.db.autocommit() as connection:
            job = (await connection.execute(accept.FORK, row)).mappings().first()
        if job is None:
            raise NotFound(f"no job {str(job_id)!r} in this project")
        return Job.model_validate(dict(job))

    async def _rows(self, statement: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.db.autocommit() as connection:
            rows: list[RowMapping] = list((await connection.execute(statement, values)).mappings())
        return [dict(row) for row in rows]


def _texts(states: Sequence[JobState] | None) -> list[str] | None:
    return [state.value for state in states] if states else None
