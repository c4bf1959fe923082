"""Approvals: what graphs ask people, and what was decided."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Record


class Approval(Record):
    """A question to people and what was decided; `state` is pending, decided, expired or withdrawn."""

    id: UUID
    job_id: UUID
    thread_id: UUID
    workflow: str
    step: str | None = None
    request: Any = Field(None, description="What the graph has asked.")
    request_sha256: str = Field("", description="Of the request: a decision that names it counts for no other one.")
    allowed: list[str] = Field(default=[], description="Kinds of decisions it takes: approve, edit, reject, answer.")
    state: str
    assignee: str | None = None
    decision: Any = None
    comment: str | None = None
    decided_by: str | None = None
    on_expiry: str = "expire"
    escalate_to: str | None = None
    reminders: int = 0
    revision: int = 0
    created_at: datetime
    decided_at: datetime | None = None
    applied_at: datetime | None = None
    expires_at: datetime | None = None
    remind_at: datetime | None = None


class Verdict(StrEnum):
    """Kinds of decisions."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    ANSWER = "answer"


class DecisionProblem(Record):
    """Why an approval could not be decided."""

    code: str
    message: str


class DecisionResult(Record):
    """What became of one decision of several: `approval`, or `error`."""

    id: UUID
    approval: Approval | None = None
    error: DecisionProblem | None = None


class DecisionResults(Record):
    """One result for each, in their order."""

    results: list[DecisionResult]
