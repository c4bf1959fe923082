"""Verbs on approvals: the inbox, and the decisions."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from mutirao.client import records
from mutirao.client.records import Approval, Verdict
from mutirao.client.verbs import Sent, Verbs, listing, verb


class ApprovalFilters(TypedDict, total=False):
    """Which approvals; what is left out or None lets all pass."""

    assignee: str | None
    unassigned: bool
    workflow: str | None
    job_id: UUID | str | None
    thread_id: UUID | str | None
    created_after: datetime | None
    created_before: datetime | None
    expires_after: datetime | None
    expires_before: datetime | None


class DecisionFields(TypedDict, total=False):
    """A decision by kind: `args` belong to edit, `message` to reject, `answer` to answer. Or any JSON, as `decision`.

    `decisions` has one for each action of a question that proposes several. `request_sha256` is that of the approval
    that was read: about another request the decision is refused.
    """

    decision: Any
    type: Verdict | str
    args: Any
    message: str | None
    answer: Any
    decisions: Iterable[Mapping[str, Any]]
    comment: str | None
    request_sha256: str | None


class ApprovalChanges(TypedDict, total=False):
    """What may be changed of an approval; None takes it away."""

    assignee: str | None
    expires_at: datetime | None


class ApprovalVerbs(Verbs):
    """Verbs on what graphs ask people. Each on one raises NotFound."""

    @listing("/approvals", Approval, "approvals")
    def approvals(
        self,
        limit: int | None = None,
        *,
        states: Iterable[str] = ("pending",),
        sort: str | None = None,
        **filters: Unpack[ApprovalFilters],
    ) -> Sent:
        """Approvals of the project, newest first; without `states` those that wait for a decision.

        `sort`: created, -created or expires.
        """
        query: dict[str, Any] = {**filters}
        query |= {"job": query.pop("job_id", None), "thread": query.pop("thread_id", None)}
        return Sent(query={**query, "state": list(states), "sort": sort}, limit=limit)

    @verb("GET /jobs/{job_id}/approvals", list[Approval])
    def approvals_of(self, job_id: UUID | str) -> Sent:
        """All that a job has asked, in order, with the decisions."""
        return Sent()

    @verb("GET /approvals/{approval_id}", Approval)
    def approval(self, approval_id: UUID | str) -> Sent:
        """One approval."""
        return Sent()

    @verb("POST /approvals/{approval_id}", Approval)
    def decide(self, approval_id: UUID | str, decision: Any, comment: str | None = None) -> Sent:
        """Decide an approval; `decision` is any JSON, and what the graph gets as the answer.

        Raises:
            AlreadyDecided: somebody else was first.
        """
        return Sent(body={"decision": decision, "comment": comment})

    @verb("POST /approvals/{approval_id}", Approval)
    def settle(self, approval_id: UUID | str, **decision: Unpack[DecisionFields]) -> Sent:
        """Approve, edit, reject or answer: the graph gets what that means for its kind of question.

        Raises:
            AlreadyDecided: somebody else was first.
            ApprovalChanged: `request_sha256` is not that of what is asked now.
            InvalidInput: the question does not take this kind of decision.
        """
        return Sent(body=_given(decision))

    @verb("POST /approvals/decide", records.DecisionResults)
    def settle_many(self, ids: Iterable[UUID | str], **decision: Unpack[DecisionFields]) -> Sent:
        """The same decision for up to 100 approvals; one result for each."""
        return Sent(body={"ids": [str(one) for one in ids], **_given(decision)})

    @verb("PATCH /approvals/{approval_id}", Approval)
    def change_approval(
        self, approval_id: UUID | str, *, revision: int | None = None, **changes: Unpack[ApprovalChanges]
    ) -> Sent:
        """Change `assignee` and `expires_at`, each where it is given; None takes it away.

        Raises:
            PreconditionFailed: it is not the `revision` any more.
        """
        return Sent(body={**changes}, revision=revision)


def _given(decision: DecisionFields) -> dict[str, Any]:
    found: dict[str, Any] = {**decision}
    for name in ("message", "comment", "request_sha256"):
        if found.get(name) is None:
            found.pop(name, None)
    if "decisions" in found:
        found["decisions"] = [dict(one) for one in found["decisions"]]
    return found
