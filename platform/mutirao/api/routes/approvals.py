"""Approvals: what graphs have asked people, and the decisions."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mutirao.api import pages
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import kept
from mutirao.jobs.approvals import Approval

router = APIRouter(tags=["approvals"])


class ApprovalPage(BaseModel):
    """Approvals, newest first."""

    approvals: list[Approval]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


class DecisionRequest(BaseModel):
    """A decision. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    decision: Annotated[Any, AfterValidator(kept)] = Field(
        description="Any JSON: the graph gets it as the answer of its `interrupt`."
    )
    comment: str | None = Field(None, max_length=10_000, description="For people; kept with the decision.")


@router.get("/approvals", responses=responses(401, 422))
async def list_approvals(
    services: HasServices,
    caller: Caller,
    state: Annotated[Literal["pending"], Query(description="Those that wait for a decision.")] = "pending",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ApprovalPage:
    """Approvals of the project that wait for a decision, newest first."""
    before = pages.read_cursor(cursor)
    found = await services.approvals.pending(caller.project_id, before=before, limit=limit + 1)
    rows, following = pages.cut(found, limit)
    return ApprovalPage(approvals=rows, next=following)


@router.get("/jobs/{job_id}/approvals", responses=responses(401, 404, 422))
async def list_approvals_of_job(job_id: UUID, services: HasServices, caller: Caller) -> list[Approval]:
    """All that a job has asked, in the order it was asked, with the decisions."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.approvals.of_job(caller.project_id, job_id)


@router.get("/approvals/{approval_id}", responses=responses(401, 404, 422))
async def get_approval(approval_id: UUID, services: HasServices, caller: Caller) -> Approval:
    """One approval: what was asked, and the decision where there is one."""
    return await services.approvals.get(caller.project_id, approval_id)


@router.post("/approvals/{approval_id}", responses=responses(401, 404, 409, 413, 422))
async def decide_approval(
    approval_id: UUID, request: DecisionRequest, services: HasServices, caller: Caller
) -> Approval:
    """Decide. The first decision wins, every later one gets 409 `already_decided`; with its last one the job goes on."""
    return await services.approvals.decide(
        caller.project_id, approval_id, request.decision, comment=request.comment, by=caller.key_prefix
    )
