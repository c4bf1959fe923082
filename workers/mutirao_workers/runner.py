"""One attempt at a job: from the claim to the terminal state."""

import asyncio
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError
from mutirao.db.engine import connection_lost
from mutirao.errors import LeaseLost, MutiraoError, WorkflowUnavailable
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from mutirao_agents.context import Emit, JobContext, use_context
from mutirao_agents.workflows import Workflow
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.calls import MODEL_CALL, CallRecorder
from mutirao_workers.journal import Journal
from mutirao_workers.saver import FencedSaver, Pool
from mutirao_workers.steps import MODES, StepEvents, as_json, running_step

_log = logger("runner")
_FINISH_TRIES = 6  # of a worker that is leaving; one that stays tries until it holds its jobs no more
_FINISH_PAUSE_SECONDS = 0.5
_RECURSION_LIMIT = 200
_MOST_CHARS = 4_000  # of an error's message
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_OWN_KINDS = ("job", "attempt", "step", "model")


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
    leaving: bool = False

    def stop(self, reason: Stop) -> None:
        """End the attempt. The first reason counts; one that is already writing its end is left to it."""
        self.leaving |= reason is not Stop.CANCEL
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
            await self._stopped(attempt)
        except LeaseLost as error:
            _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(error))
        except (KeyboardInterrupt, SystemExit):
            raise  # asyncio ends its loop with them, whoever catches them
        except BaseException as error:  # noqa: BLE001 (whatever user code raises ends its job and nothing else)
            await self._finish(attempt, JobState.FAILED, error=problem_of(error, steps.failed or steps.current))
        else:
            await self._finish(attempt, JobState.SUCCEEDED, output=output)

    async def _stream(self, claim: Claim, steps: StepEvents) -> Any:
        workflow = self._workflows.get(claim.workflow)
        if workflow is None:
            raise WorkflowUnavailable(f"this worker does not serve workflow {claim.workflow!r}")
        # A copy of the graph forgets which types of its state checkpoints may hold; the saver remembers them.
        saver = FencedSaver(self._pool, claim).with_allowlist(workflow.graph._serde_allowlist or ())
        graph = workflow.graph.copy(update={"checkpointer": saver})
        config: Any = {
            "configurable": {"thread_id": str(claim.thread_id)},
            "metadata": {"job_id": str(claim.job_id), "epoch": claim.epoch, "workflow": claim.workflow},
            "callbacks": [CallRecorder(lambda step, data: self._emit_call(claim, step, data))],
            "recursion_limit": _RECURSION_LIMIT,
        }

        def emit(kind: str, data: dict[str, Any]) -> None:
            event = NewEvent(type=checked_kind(kind), step=running_step() or steps.current, data=as_json(data))
            self._journal.emit(claim, event)

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

    async def _input(self, claim: Claim, saver: BaseCheckpointSaver[Any], config: Any) -> Any:
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

    async def _stopped(self, attempt: Attempt) -> None:
        claim, task = attempt.claim, asyncio.current_task()
        if attempt.reason is Stop.CANCEL:
            await self._finish(attempt, JobState.CANCELLED)
        elif attempt.reason is Stop.HAND_BACK:
            await self._claims.hand_back(claim, await self._journal.take(claim))
        elif attempt.reason is None and task is not None and not task.cancelling():
            # Nobody stopped this attempt, nor the loop it runs in: user code cancelled itself.
            error = Problem(code="step_cancelled", message="a step cancelled itself (asyncio.CancelledError)")
            await self._finish(attempt, JobState.FAILED, error=error)

    async def _finish(
        self, attempt: Attempt, state: JobState, *, output: Any = None, error: Problem | None = None
    ) -> None:
        """Write the end. A database that does not answer is tried again until it does; one that refuses the output
        gets a failure instead. A worker that is leaving gives up soon: the next attempt finishes then."""
        claim, tries = attempt.claim, 0
        events = await self._journal.take(claim)
        while tries < _FINISH_TRIES:
            try:
                await self._claims.finish(claim, state, output=output, error=error, events=events)
            except LeaseLost as lost:
                _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(lost))
            except (SQLAlchemyError, OSError) as failure:
                tries += attempt.leaving
                _log.warning("attempt.not_finished", job=str(claim.job_id), tries=tries, error=str(failure))
                if not connection_lost(failure):
                    tries += 1
                    message = f"the database refused the job's output: {failure}"[:_MOST_CHARS]
                    state, output, events = JobState.FAILED, None, []
                    error = Problem(code="output_refused", message=message)
                await asyncio.sleep(_FINISH_PAUSE_SECONDS)
                continue
            return


def problem_of(error: BaseException, step: str | None) -> Problem:
    """What a person reads of an exception that ended a job."""
    kind, said = type(error).__name__, _said(error)
    if isinstance(error, MutiraoError):
        return Problem(code=error.code, message=said[:_MOST_CHARS], step=step, kind=kind)
    if isinstance(error, GraphRecursionError):
        return Problem(code="too_many_steps", message=said, step=step, kind=kind)
    place = traceback.extract_tb(error.__traceback__)
    where = f" ({place[-1].filename.rpartition('/')[2]}:{place[-1].lineno})" if place else ""
    return Problem(code="step_failed", message=f"{kind}: {said[:_MOST_CHARS]}{where}", step=step, kind=kind)


def _said(error: BaseException) -> str:
    try:
        # As JSON, and so the database and the API, can carry it.
        return str(error).encode(errors="replace").decode().replace("\x00", "\ufffd")
    except Exception:  # noqa: BLE001 (an exception of user code may fail even at this)
        return "it cannot say what it is"


def checked_kind(kind: str) -> str:
    """`kind` itself, when a step may write an event of that type.

    Raises:
        ValueError: it is no name, or one of the platform's own.
    """
    if not _KIND.fullmatch(kind) or kind.partition(".")[0] in _OWN_KINDS:
        raise ValueError(
            f"event type {kind[:80]!r}: use at most 64 of a-z, 0-9, '_', '-', '.', beginning with a letter, and none of "
            f"the platform's own, which begin with {', '.join(_OWN_KINDS)}"
        )
    return kind
