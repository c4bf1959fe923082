"""What may be done to a job beside submitting and following it, and what belongs to one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mutirao.client import records
from mutirao.client.encoding import encoded
from mutirao.client.verbs import Verbs
from mutirao.jobs.records import Budget, Job

CANCEL_SECONDS = 2.0
_JSON = {"Content-Type": "application/json"}


class ControlVerbs(Verbs):
    """Verbs on one job, and on the approvals it asks for. Each raises NotFound."""

    def cancel(self, job_id: UUID | str, wait_seconds: float = CANCEL_SECONDS) -> Job:
        """Ask for the end of a job and of its children; the job as it is once nothing runs, or after `wait_seconds`.

        Raises:
            Conflict: it has already ended.
        """
        wanted = {"wait": wait_seconds}
        return self._connection.read(Job, "POST", f"/jobs/{job_id}/cancel", params=wanted, silence_seconds=wait_seconds)

    def pause(self, job_id: UUID | str) -> Job:
        """Ask a job to stand still after the step it is in. Raises Conflict."""
        return self._connection.read(Job, "POST", f"/jobs/{job_id}/pause")

    def resume(self, job_id: UUID | str) -> Job:
        """Let a paused job go on. Raises Conflict: it is not paused, or waits for a decision."""
        return self._connection.read(Job, "POST", f"/jobs/{job_id}/resume")

    def retry(
        self,
        job_id: UUID | str,
        *,
        checkpoint_id: str | None = None,
        version: str | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
    ) -> Job:
        """Begin a job anew that has failed, is dead, has spent its budget or is stranded.

        It goes on from its last checkpoint or the one named; `version="current"`: with what is served now.

        Raises:
            Conflict: its state does not allow it.
        """
        body = {"checkpoint_id": checkpoint_id, "version": version, "budget": budget}
        return self._connection.read(Job, "POST", f"/jobs/{job_id}/retry", content=encoded(body), headers=_JSON)

    def fork(
        self,
        job_id: UUID | str,
        *,
        checkpoint_id: str | None = None,
        values: Mapping[str, Any] | None = None,
        as_node: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """A new job in a thread of its own that begins at a checkpoint of this one, with `values` changed there."""
        body = {"checkpoint_id": checkpoint_id, "values": values, "as_node": as_node, "metadata": metadata}
        return self._connection.read(Job, "POST", f"/jobs/{job_id}/fork", content=encoded(body), headers=_JSON)

    def children(self, job_id: UUID | str, limit: int | None = None) -> list[Job]:
        """The jobs it fanned out to, in order."""
        pages = self._pages(records.ChildPage, f"/jobs/{job_id}/children", limit)
        return [job for page in pages for job in page.jobs]

    def checkpoints(self, job_id: UUID | str, limit: int = 50) -> list[records.Checkpoint]:
        """At most `limit` (200) places the job can go on from, newest first."""
        return self._connection.read_list(records.Checkpoint, f"/jobs/{job_id}/checkpoints", params={"limit": limit})

    def usage(self, job_id: UUID | str) -> records.Usage:
        """What the job has spent so far."""
        return self._connection.read(records.Usage, "GET", f"/jobs/{job_id}/usage")

    # Approvals

    def approvals(self, limit: int | None = None) -> list[records.Approval]:
        """Approvals of the project that wait for a decision, newest first."""
        pages = self._pages(records.ApprovalPage, "/approvals", limit, state="pending")
        return [approval for page in pages for approval in page.approvals]

    def approvals_of(self, job_id: UUID | str) -> list[records.Approval]:
        """All that a job has asked, in order, with the decisions."""
        return self._connection.read_list(records.Approval, f"/jobs/{job_id}/approvals")

    def approval(self, approval_id: UUID | str) -> records.Approval:
        """One approval."""
        return self._connection.read(records.Approval, "GET", f"/approvals/{approval_id}")

    def decide(self, approval_id: UUID | str, decision: Any, comment: str | None = None) -> records.Approval:
        """Decide an approval; `decision` is any JSON.

        Raises:
            AlreadyDecided: somebody else was first.
        """
        body = {"decision": decision, "comment": comment}
        return self._connection.read(
            records.Approval, "POST", f"/approvals/{approval_id}", content=encoded(body), headers=_JSON
        )
