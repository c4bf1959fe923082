"""One attempt at a job: from the claim to the terminal state."""

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from langgraph.errors import GraphRecursionError
from mutirao.errors import LeaseLost, MutiraoError, WorkflowUnavailable
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from mutirao_agents.context import Emit, JobContext, use_context
from mutirao_agents.workflows import Workflow
from sqlalchemy.exc import DBAPIError

from mutirao_workers.calls import MODEL_CALL, CallRecorder
from mutirao_workers.journal import Journal
from mutirao_workers.saver import FencedSaver, Pool
from mutirao_workers.steps import MODES, StepEvents, as_json

_log = logger("runner")
_FINISH_TRIES = 6
_FINISH_PAUSE_SECONDS = 0.5
_RECURSION_LIMIT = 200


class Stop(Enum):
    """Why an attempt is stopped from outside."""

    CANCEL = auto()  # somebody asked for the end of the job
    HAND_BACK = auto()  # this worker is shutting down
    LOST = auto()  # this worker's lease has run out


class ApprovalUnsupported(MutiraoError):
    """Raised when a graph interrupts itself: this version cannot wait for a decision yet."""

    code = "approval_unsupported"


@dataclass
class Attempt:
    """A running attempt. `stop` may be called at any time, from the loop that runs it."""

    claim: Claim
    task: "asyncio.Task[None] | None" = None
    reason: Stop | None = None
    streaming: bool = False

    def stop(self, reason: Stop) -> None:
        """End the attempt. The first reason counts; one that is already writing its end is left to it."""
        if self.reason is None:
            self.reason = reason
            # A task that is cancelled before its first step never runs at all, not even its `except`.
            if self.streaming and self.task is not None:
                self.task.cancel()


class Runner:
    """Runs attempts; one per worker process, shared by all its attempts."""

    def __init__(
        self,
        *,
        claims: ClaimStore,
        journal: Journal,
        pool: Pool,
        workflows: dict[str, Workflow],
        context: Callable[[Claim, Emit], JobContext],
    ) -> None:
        self._claims = claims
        self._journal = journal
        self._pool = pool
        self._workflows = workflows
        self._context = context

    async def run(self, attempt: Attempt) -> None:
        """Run one attempt to its end and write how it ended. Never raises, but for bugs."""
        claim = attempt.claim
        steps = StepEvents(lambda event: self._journal.emit(claim, event))
        try:
            try:
                attempt.streaming = True
                if attempt.reason is not None:
                    raise asyncio.CancelledError
                output = await self._stream(claim, steps)
            finally:
                attempt.streaming = False
        except asyncio.CancelledError:
            await self._stopped(claim, attempt.reason)
        except LeaseLost as error:
            _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(error))
        except Exception as error:  # noqa: BLE001 (whatever user code raises ends its job and nothing else)
            await self._finish(claim, JobState.FAILED, error=problem_of(error, steps.current))
        else:
            await self._finish(claim, JobState.SUCCEEDED, output=output)

    async def _stream(self, claim: Claim, steps: StepEvents) -> Any:
        workflow = self._workflows.get(claim.workflow)
        if workflow is None:
            raise WorkflowUnavailable(f"this worker does not serve workflow {claim.workflow!r}")
        saver = FencedSaver(self._pool, claim)
        graph = workflow.graph.copy(update={"checkpointer": saver})
        config: Any = {
            "configurable": {"thread_id": str(claim.thread_id)},
            "metadata": {"job_id": str(claim.job_id), "epoch": claim.epoch, "workflow": claim.workflow},
            "callbacks": [CallRecorder(lambda step, data: self._emit_call(claim, step, data))],
            "recursion_limit": _RECURSION_LIMIT,
        }

        def emit(kind: str, data: dict[str, Any]) -> None:
            self._journal.emit(claim, NewEvent(type=kind, step=steps.current, data=data))

        with use_context(self._context(claim, emit)):
            stream = graph.astream(
                await self._input(claim, saver, config),
                config,
                stream_mode=MODES,
                output_keys=graph.output_channels,
                subgraphs=True,
                durability="sync",
                version="v2",
            )
            async for part in stream:
                steps.take(part)
        if steps.interrupted:
            raise ApprovalUnsupported(
                f"workflow {claim.workflow!r} interrupted itself to ask; this version cannot wait for an answer"
            )
        return as_json(steps.output)

    async def _input(self, claim: Claim, saver: FencedSaver, config: Any) -> Any:
        """The job's input; None, to go on from the last checkpoint, where an earlier attempt has left one."""
        if claim.epoch > 1:
            latest = await saver.aget_tuple(config)
            if latest is not None and latest.metadata.get("job_id") == str(claim.job_id):
                step = latest.metadata.get("step")
                self._journal.emit(claim, NewEvent(type="attempt.resumed", data={"after_step": step}))
                return None
        return claim.input

    def _emit_call(self, claim: Claim, step: str | None, data: dict[str, Any]) -> None:
        self._journal.emit(claim, NewEvent(type=MODEL_CALL, step=step, data=data))

    async def _stopped(self, claim: Claim, reason: Stop | None) -> None:
        if reason is Stop.CANCEL:
            await self._finish(claim, JobState.CANCELLED)
        elif reason is Stop.HAND_BACK:
            await self._claims.hand_back(claim, await self._journal.take(claim))
        elif reason is None:
            # Nobody stopped this attempt: user code cancelled itself.
            error = Problem(code="step_cancelled", message="a step cancelled itself (asyncio.CancelledError)")
            await self._finish(claim, JobState.FAILED, error=error)

    async def _finish(self, claim: Claim, state: JobState, *, output: Any = None, error: Problem | None = None) -> None:
        events = await self._journal.take(claim)
        for left in reversed(range(_FINISH_TRIES)):
            try:
                await self._claims.finish(claim, state, output=output, error=error, events=events)
            except LeaseLost as lost:
                _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(lost))
            except (DBAPIError, OSError) as failure:
                _log.warning("attempt.not_finished", job=str(claim.job_id), tries_left=left, error=str(failure))
                await asyncio.sleep(_FINISH_PAUSE_SECONDS)
                continue
            return
        # The lease will run out or has; the next attempt goes on from the last checkpoint and finishes.


def problem_of(error: BaseException, step: str | None) -> Problem:
    """What a person reads of an exception that ended a job."""
    if isinstance(error, MutiraoError):
        return Problem(code=error.code, message=error.message, step=step, kind=type(error).__name__)
    if isinstance(error, GraphRecursionError):
        return Problem(code="too_many_steps", message=str(error), step=step, kind=type(error).__name__)
    place = traceback.extract_tb(error.__traceback__)
    where = f" ({place[-1].filename.rpartition('/')[2]}:{place[-1].lineno})" if place else ""
    message = f"{type(error).__name__}: {error}{where}"
    return Problem(code="step_failed", message=message[:4000], step=step, kind=type(error).__name__)
