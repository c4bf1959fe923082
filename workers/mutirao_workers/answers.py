"""Between people and a running graph: the decisions an attempt brings it, and the questions it asks.

LangGraph keeps the answers a step has been given with the step's own writes. In that same transaction the approvals are
marked as applied: an attempt that is killed before gives the decision again, one after it never does.
"""

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from langgraph.checkpoint.serde.types import RESUME
from langgraph.types import Command, Interrupt, StateSnapshot
from mutirao.ids import new_id
from mutirao.jobs.approvals import APPLIED, ApprovalState, ApprovalStore, Decision, Question
from mutirao.jobs.attempts import COMMAND_TAKEN
from mutirao.jobs.records import LONGEST_SECONDS, Claim, NewEvent
from mutirao.jobs.states import JobState
from psycopg import AsyncCursor
from psycopg.rows import DictRow
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao_workers.endings import Ending
from mutirao_workers.steady import steadily
from mutirao_workers.steps import as_json

_CHILDREN = "children"
_COMMAND_TASK = "00000000-0000-0000-0000-000000000000"  # LangGraph's: whose writes a command's are
_BREAKPOINT = "breakpoint:"


class Answers:
    """What one attempt has to say to its graph, and hears from it.

    `asked_by`: interrupt id → the task it happened in, which the attempt's saver writes down.
    """

    def __init__(self, claim: Claim, approvals: ApprovalStore) -> None:
        self._claim = claim
        self._approvals = approvals
        self._given: list[Decision] = []
        self.asked_by: dict[str, str] = {}

    async def take(self) -> Command[Any] | None:
        """The decisions that the graph has not taken in yet, as its input; None when there are none."""
        decided = await steadily(lambda: self._approvals.decided(self._claim.job_id))
        # Going on at all is what passes a breakpoint.
        passed = [decision.approval_id for decision in decided if decision.interrupt_id.startswith(_BREAKPOINT)]
        if passed:
            await steadily(lambda: self._approvals.passed(self._claim, passed))
        self._given = [decision for decision in decided if decision.approval_id not in passed]
        if not self._given:
            return None
        return Command(resume={decision.interrupt_id: decision.value for decision in self._given})

    async def on_writes(self, cursor: AsyncCursor[DictRow], task_id: str, writes: Sequence[tuple[str, Any]]) -> None:
        """Mark what these writes of a task take in. For `FencedSaver.on_writes`."""
        if task_id == _COMMAND_TASK and self._claim.run is not None and self._claim.run.command is not None:
            await cursor.execute(COMMAND_TAKEN, {"job": self._claim.job_id})
        for channel, value in writes:
            if channel == RESUME and self._given:
                answers = len(value) if isinstance(value, list) else 1
                await cursor.execute(APPLIED, {"job": self._claim.job_id, "task": task_id, "answers": answers})

    async def refused(self, why: str) -> Ending | None:
        """How to end when the graph cannot take a decision: ask again. None where the time to decide has passed."""
        left = await steadily(lambda: self._approvals.decided(self._claim.job_id))
        if not left or any(decision.state is ApprovalState.EXPIRED for decision in left):
            return None
        again = {decision.approval_id: new_id() for decision in left}
        events = [
            _requested(again[decision.approval_id], decision.step, decision.request, refused=why) for decision in left
        ]
        return self._paused(events, lambda connection: self._approvals.reopen(connection, self._claim, again))

    async def ending(self, interrupts: Collection[Interrupt], steps: Mapping[str, str | None]) -> Ending:
        """How to end when the graph has interrupted itself: asking people goes before waiting for children.

        `steps`: task id → path of the step.
        """
        asked = [interrupt for interrupt in interrupts if not waits_for_children(interrupt)]
        if not asked:
            return Ending(state=JobState.WAITING, waiting_for="children")
        return await self._ask([self._question(interrupt, steps) for interrupt in asked])

    async def at_breakpoint(self, state: StateSnapshot) -> Ending:
        """How to end when the graph stands at a breakpoint that it was compiled with: any decision lets it go on."""
        checkpoint_id = (state.config.get("configurable") or {}).get("checkpoint_id")
        request = {"breakpoint": sorted(set(state.next))}
        return await self._ask([Question(id=new_id(), interrupt_id=f"{_BREAKPOINT}{checkpoint_id}", request=request)])

    async def _ask(self, questions: list[Question]) -> Ending:
        known = await steadily(lambda: self._approvals.open_ids(self._claim.job_id))
        questions = [
            question.model_copy(update={"id": known.get(question.interrupt_id, question.id)}) for question in questions
        ]
        events = [
            _requested(question.id, question.step, question.request, expires_seconds=question.expires_seconds)
            for question in questions
        ]
        return self._paused(events, lambda connection: self._approvals.open(connection, self._claim, questions))

    def _paused(self, events: list[NewEvent], also: Callable[[AsyncConnection], Awaitable[None]]) -> Ending:
        return Ending(state=JobState.PAUSED, waiting_for="approval", also=also, events=events)

    def _question(self, interrupt: Interrupt, steps: Mapping[str, str | None]) -> Question:
        task_id = self.asked_by.get(interrupt.id)
        request = as_json(interrupt.value)
        return Question(
            id=new_id(),
            interrupt_id=interrupt.id,
            task_id=task_id,
            step=steps.get(task_id or ""),
            request=request,
            expires_seconds=_expires_seconds(request),
        )


def waits_for_children(interrupt: Interrupt) -> bool:
    """Whether a fan-out has interrupted its step until the jobs of its group have ended."""
    return isinstance(interrupt.value, dict) and interrupt.value.get("mutirao") == _CHILDREN


def _expires_seconds(request: Any) -> float | None:
    """How long a question may stay open, at most `LONGEST_SECONDS`; None where it says nothing that is a time."""
    seconds = request.get("expires_seconds") if isinstance(request, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        return None
    return float(min(seconds, LONGEST_SECONDS))


def _requested(approval_id: UUID, step: str | None, request: Any, **more: Any) -> NewEvent:
    """The event that tells people of a question."""
    known = {key: value for key, value in more.items() if value is not None}
    return NewEvent(type="approval.requested", step=step, data={"id": str(approval_id), "request": request, **known})
