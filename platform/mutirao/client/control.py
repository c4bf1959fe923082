"""What may be done to jobs beside submitting and following them, and what belongs to one."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from mutirao.client import records
from mutirao.client.verbs import Sent, Verbs, listing, verb
from mutirao.jobs.records import Budget, Job
from mutirao.jobs.states import JobState

CANCEL_SECONDS = 2.0


def _chosen(
    ids: Iterable[UUID | str] | None,
    workflow: str | None,
    states: Iterable[JobState | str],
    thread_id: UUID | str | None,
    metadata: Mapping[str, Any] | None,
) -> Sent:
    chosen = {
        "ids": None if ids is None else [str(job_id) for job_id in ids], "workflow": workflow, "thread_id": thread_id,
        "state": [str(state) for state in states] or None, "metadata": metadata,
    }  # fmt: skip
    return Sent(body={name: value for name, value in chosen.items() if value is not None})


class ControlVerbs(Verbs):
    """Verbs on jobs that are there. Those on one raise NotFound."""

    @verb("POST /jobs/{job_id}/cancel", Job)
    def cancel(self, job_id: UUID | str, wait_seconds: float = CANCEL_SECONDS) -> Sent:
        """Ask for the end of a job and of its children; the job as it is once nothing runs, or after `wait_seconds`.

        Raises:
            Conflict: it has already ended.
        """
        return Sent(query={"wait": wait_seconds}, silence_seconds=wait_seconds)

    @verb("POST /jobs/cancel", records.BatchAnswer)
    def cancel_jobs(
        self,
        ids: Iterable[UUID | str] | None = None,
        *,
        workflow: str | None = None,
        states: Iterable[JobState | str] = (),
        thread_id: UUID | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sent:
        """Ask for the end of up to 1,000 jobs, by their ids or all that fit the filters; one result for each."""
        return _chosen(ids, workflow, states, thread_id, metadata)

    @verb("POST /jobs/retry", records.BatchAnswer)
    def retry_jobs(
        self,
        ids: Iterable[UUID | str] | None = None,
        *,
        workflow: str | None = None,
        states: Iterable[JobState | str] = (),
        thread_id: UUID | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sent:
        """Begin up to 1,000 jobs anew, by their ids or all that fit the filters; one result for each."""
        return _chosen(ids, workflow, states, thread_id, metadata)

    @verb("POST /jobs/{job_id}/pause", Job)
    def pause(self, job_id: UUID | str) -> Sent:
        """Ask a job to stand still after the step it is in. Raises Conflict."""
        return Sent()

    @verb("POST /jobs/{job_id}/resume", Job)
    def resume(self, job_id: UUID | str) -> Sent:
        """Let a paused job go on. Raises Conflict: it is not paused, or waits for a decision."""
        return Sent()

    @verb("POST /jobs/{job_id}/retry", Job)
    def retry(
        self,
        job_id: UUID | str,
        *,
        checkpoint_id: str | None = None,
        version: str | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
    ) -> Sent:
        """Begin a job anew that has failed, is dead, has spent its budget or is stranded.

        It goes on from its last checkpoint or the one named; `version="current"`: with what is served now.

        Raises:
            Conflict: its state does not allow it.
        """
        return Sent(body={"checkpoint_id": checkpoint_id, "version": version, "budget": budget})

    @verb("POST /jobs/{job_id}/fork", Job)
    def fork(
        self,
        job_id: UUID | str,
        *,
        checkpoint_id: str | None = None,
        values: Mapping[str, Any] | None = None,
        as_node: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sent:
        """A new job in a thread of its own that begins at a checkpoint of this one, with `values` changed there."""
        return Sent(body={"checkpoint_id": checkpoint_id, "values": values, "as_node": as_node, "metadata": metadata})

    @listing("/jobs/{job_id}/children", Job, "jobs")
    def children(self, job_id: UUID | str, limit: int | None = None) -> Sent:
        """The jobs it fanned out to, in order."""
        return Sent(limit=limit)

    @verb("GET /jobs/{job_id}/checkpoints", list[records.Checkpoint])
    def checkpoints(self, job_id: UUID | str, limit: int = 50, before: str | None = None) -> Sent:
        """At most `limit` (200) places the job can go on from, newest first; only older ones than `before`."""
        return Sent(query={"limit": limit, "before": before})

    @verb("GET /jobs/{job_id}/usage", records.Usage)
    def usage(self, job_id: UUID | str) -> Sent:
        """What the job has spent so far."""
        return Sent()
