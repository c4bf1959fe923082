"""Approvals: what graphs have asked people, and the decisions."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from mutirao.api import pages
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import kept
from mutirao.errors import MutiraoError
from mutirao.jobs.approvals import Approval, ApprovalState
from mutirao.jobs.decisions import Kind, Verdict
from mutirao.jobs.inbox import Order, Wanted

router = APIRouter(tags=["approvals"])

_EXAMPLE: JsonDict = {"type": "edit", "args": {"to": "ana@example.com"}, "comment": "the new address"}
_MOST = 100

Anything = Annotated[Any, AfterValidator(kept)]
Text = Annotated[str | None, Query(max_length=200)]
Time = Annotated[AwareDatetime | None, Query()]


class ApprovalPage(BaseModel):
    """Approvals in the order that was asked for."""

    approvals: list[Approval]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


class VerdictRequest(BaseModel):
    """What is decided about one of several actions. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    type: Kind
    args: Anything = Field(None, description="For `edit`: the arguments in place of the proposed ones.")
    message: str | None = Field(None, max_length=10_000, description="For `reject`: why.")
    answer: Anything = Field(None, description="For `answer`: any JSON.")

    def verdict(self) -> Verdict:
        """The same, with only what was sent."""
        return Verdict.model_validate({name: getattr(self, name) for name in self.model_fields_set})


class DecisionRequest(BaseModel):
    """A decision: `decision` as it is, or a `type` (with what belongs to it), or `decisions`, one for each action that the
    question proposes. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    decision: Anything = Field(None, description="Any JSON: the graph gets it as the answer of its `interrupt`.")
    type: Kind | None = Field(None, description="The graph gets what this means for its kind of question.")
    args: Anything = Field(None, description="For `edit`: the arguments in place of the proposed ones.")
    message: str | None = Field(None, max_length=10_000, description="For `reject`: why.")
    answer: Anything = Field(None, description="For `answer`: any JSON.")
    decisions: list[VerdictRequest] = Field([], max_length=_MOST, description="In the order of the proposed actions.")
    request_sha256: str | None = Field(
        None, max_length=64, description="Of the question decided about; 409 `approval_changed` when it asks another."
    )
    comment: str | None = Field(None, max_length=10_000, description="For people; kept with the decision.")

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        said = ["decision" in self.model_fields_set, self.type is not None, bool(self.decisions)]
        if sum(said) != 1:
            raise ValueError("send one of `decision`, `type` and `decisions`")
        if self.type is None and self.model_fields_set & {"args", "message", "answer"}:
            raise ValueError("`args`, `message` and `answer` belong to a `type`")
        return self

    def verdicts(self) -> list[Verdict]:
        """What is decided about each action; empty for a plain `decision`."""
        if self.type is None:
            return [one.verdict() for one in self.decisions]
        sent = self.model_fields_set & set(Verdict.model_fields)
        return [Verdict.model_validate({name: getattr(self, name) for name in sent})]


class BulkDecisionRequest(DecisionRequest):
    """The same decision about several approvals. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"ids": ["0192f0c1-2f6b-7c1e-8a4b-3d2e1f0a9b8c"], "type": "approve"}},
    )

    ids: list[UUID] = Field(min_length=1, max_length=_MOST)


class DecisionProblem(BaseModel):
    """Why one of several could not be decided."""

    code: str
    message: str


class DecisionResult(BaseModel):
    """What has become of one of several: the approval, or why it could not be decided."""

    id: UUID
    approval: Approval | None = None
    error: DecisionProblem | None = None


class DecisionResults(BaseModel):
    """One for each id, in the order they were sent."""

    results: list[DecisionResult]


class ApprovalChanges(BaseModel):
    """What to change of a pending approval; what is left out stays. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"assignee": "ana"}})

    assignee: str | None = Field(None, min_length=1, max_length=200, description="null: anybody who may.")
    expires_at: AwareDatetime | None = Field(None, description="Within 366 days; null: never.")

    def given(self) -> dict[str, Any]:
        """What was sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


async def _wanted(
    state: Annotated[list[ApprovalState] | None, Query(description="Those in these states; default: pending.")] = None,
    assignee: Text = None,
    unassigned: Annotated[bool, Query(description="Only those of nobody.")] = False,
    workflow: Text = None,
    job: Annotated[UUID | None, Query()] = None,
    thread: Annotated[UUID | None, Query()] = None,
    created_after: Time = None,
    created_before: Time = None,
    expires_after: Time = None,
    expires_before: Time = None,
) -> Wanted:
    return Wanted(
        states=state or [ApprovalState.PENDING],
        assignee=assignee,
        unassigned=unassigned,
        workflow=workflow,
        job=job,
        thread=thread,
        created_after=created_after,
        created_before=created_before,
        expires_after=expires_after,
        expires_before=expires_before,
    )


@router.get("/approvals", responses=responses(401, 422))
async def list_approvals(
    services: HasServices,
    caller: Caller,
    wanted: Annotated[Wanted, Depends(_wanted)],
    sort: Annotated[Order, Query(description="`expires`: the most urgent first.")] = Order.NEWEST,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ApprovalPage:
    """Approvals of the project, across its threads: those that wait for a decision, newest first, unless asked for others."""
    found = await services.inbox.page(
        caller.project_id, wanted, order=sort, cursor=pages.read_cursor(cursor), limit=limit + 1
    )
    rows, following = pages.cut(found, limit)
    return ApprovalPage(approvals=rows, next=following)


@router.post("/approvals/decide", responses=responses(401, 413, 422))
async def decide_approvals(request: BulkDecisionRequest, services: HasServices, caller: Caller) -> DecisionResults:
    """Decide several in the same way, each by itself: what is wrong with one changes nothing for the others."""
    results = [await _result(approval_id, request, services, caller) for approval_id in dict.fromkeys(request.ids)]
    return DecisionResults(results=results)


@router.get("/jobs/{job_id}/approvals", responses=responses(401, 404, 422))
async def list_approvals_of_job(job_id: UUID, services: HasServices, caller: Caller) -> list[Approval]:
    """All that a job has asked, in the order it was asked, with the decisions."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.approvals.of_job(caller.project_id, job_id)


@router.get("/approvals/{approval_id}", responses=responses(401, 404, 422))
async def get_approval(approval_id: UUID, response: Response, services: HasServices, caller: Caller) -> Approval:
    """One approval: what was asked, and the decision where there is one."""
    approval = await services.approvals.get(caller.project_id, approval_id)
    tag(response, approval.revision)
    return approval


@router.patch("/approvals/{approval_id}", responses=responses(401, 404, 409, 412, 413, 422))
async def change_approval(
    approval_id: UUID,
    request: ApprovalChanges,
    response: Response,
    services: HasServices,
    caller: Caller,
    expected: Expected,
) -> Approval:
    """Give a pending approval to somebody, or another time to be decided in."""
    approval = await services.inbox.change(
        caller.project_id, approval_id, request.given(), by=caller.actor, revision=expected
    )
    tag(response, approval.revision)
    return approval


@router.post("/approvals/{approval_id}", responses=responses(401, 404, 409, 413, 422))
async def decide_approval(
    approval_id: UUID, request: DecisionRequest, services: HasServices, caller: Caller
) -> Approval:
    """Decide. The first decision wins, every later one gets 409 `already_decided`; with its last one the job goes on."""
    return await _decide(approval_id, request, services, caller)


async def _decide(approval_id: UUID, request: DecisionRequest, services: HasServices, caller: Caller) -> Approval:
    return await services.approvals.decide(
        caller.project_id,
        approval_id,
        request.decision,
        verdicts=request.verdicts(),
        request_sha256=request.request_sha256,
        comment=request.comment,
        by=caller.actor,
    )


async def _result(approval_id: UUID, request: DecisionRequest, services: HasServices, caller: Caller) -> DecisionResult:
    try:
        return DecisionResult(id=approval_id, approval=await _decide(approval_id, request, services, caller))
    except MutiraoError as error:
        return DecisionResult(id=approval_id, error=DecisionProblem(code=error.code, message=error.message))
