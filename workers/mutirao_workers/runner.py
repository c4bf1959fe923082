"""One attempt at a job: from the claim to the state it leaves the job in."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from langgraph.errors import GraphDrained, is_invalid_resume
from langgraph.store.base import BaseStore
from mutirao.errors import LeaseLost
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.attempts import AttemptStore
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.spending import Prices
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from mutirao_agents.context import Emit, JobContext, use_context
from mutirao_agents.workflows import Workflow

from mutirao_workers.answers import Answers
from mutirao_workers.attempt import Attempt, Stop
from mutirao_workers.beginning import AttemptSaver, Beginning
from mutirao_workers.building import built_for
from mutirao_workers.calls import MODEL_CALL, CallRecorder
from mutirao_workers.endings import Ending, Endings
from mutirao_workers.failures import failure
from mutirao_workers.graph_run import GraphRun
from mutirao_workers.journal import Journal
from mutirao_workers.limits import TimeLimits
from mutirao_workers.options import Graph, config_of, output_of, stops_at_steps
from mutirao_workers.resting import Resting
from mutirao_workers.saver import Pool
from mutirao_workers.steady import steadily
from mutirao_workers.steps import StepEvents, as_json, running_step
from mutirao_workers.wire import fragment

__all__ = ["Attempt", "Forced", "Runner", "Stop", "checked_kind"]

_log = logger("runner")
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_OWN_KINDS = ("job", "attempt", "step", "model", "approval")
Forced = Callable[[Attempt, JobState, Problem | None, list[NewEvent]], Awaitable[None]]
"""Takes over the end of an attempt whose user code may still run in a thread: ends its process, then writes
`Ending(state=…, error=…)` with the events."""


class StepsSpent:
    """The `StepHook` that counts steps against the job's budget."""

    def __init__(self, claim: Claim, spend: Callable[[Claim], Awaitable[None]]) -> None:
        self._claim = claim
        self._spend = spend

    async def step_began(self, task_id: str, step: str) -> None:
        """Raises BudgetExhausted when the job may begin no more steps."""
        await steadily(lambda: self._spend(self._claim))

    async def step_ended(self, task_id: str, step: str) -> None:
        """Nothing: a step is spent when it begins."""


class Runner:
    """Runs attempts; one per process, shared by all its attempts.

    `forced` is for processes of one job each; without it the runner writes every end itself. `steps_spent` raises
    BudgetExhausted when the job may begin no more steps. `silence` returns when nothing of a job runs any more but its
    attempt. `store` gives a job's graph the long-term store in place of its own. `most_stream_bytes`: largest payload of
    a row that a reader of the stream gets. `prices`: what a recorded model call is said to have cost.
    """

    def __init__(
        self,
        *,
        claims: ClaimStore,
        journal: Journal,
        pool: Pool,
        workflows: dict[str, Workflow],
        context: Callable[[Claim, Emit], JobContext],
        prices: Prices | None = None,
        forced: Forced | None = None,
        steps_spent: Callable[[Claim], Awaitable[None]] | None = None,
        silence: Callable[[Claim], Awaitable[None]] | None = None,
        store: Callable[[Claim], BaseStore | None] | None = None,
        most_stream_bytes: int = 4 << 20,
    ) -> None:
        self._endings = Endings(claims)
        self._journal = journal
        self._pool = pool
        self._workflows = workflows
        self._context = context
        self._prices = prices or Prices({})
        self._forced = forced
        self._steps_spent = steps_spent
        self._silence = silence
        self._store = store
        self._most_stream_bytes = most_stream_bytes
        self._approvals = ApprovalStore(claims.db)
        self._attempts = AttemptStore(claims.db)

    async def run(self, attempt: Attempt) -> None:
        """Run one attempt to its end and write how it ended. Never raises, but for bugs."""
        claim = attempt.claim
        limits = TimeLimits(claim, attempt.stop_with)
        spent = [StepsSpent(claim, self._steps_spent)] if self._steps_spent is not None else []
        steps = attempt.steps = StepEvents(partial(self._journal.emit, claim), [*spent, limits])
        try:
            ending = await self._ending(attempt, steps, limits)
        except LeaseLost as error:
            _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(error))
            return
        finally:
            limits.close()
        if ending is not None:
            await self._end(attempt, steps, ending)

    async def _ending(self, attempt: Attempt, steps: StepEvents, limits: TimeLimits) -> Ending | None:
        """Run the graph; how it ended. None: nothing may be written."""
        try:
            try:
                attempt.streaming = True
                if attempt.reason is not None:
                    raise asyncio.CancelledError
                await limits.begin(self._attempts)
                return await self._answered(attempt, steps)
            finally:
                attempt.streaming = False
        except asyncio.CancelledError:
            return attempt.ending() if attempt.reason is not None else _cancelled_itself()
        except GraphDrained:
            return attempt.ending() or Ending(state=JobState.QUEUED)
        except (LeaseLost, KeyboardInterrupt, SystemExit):
            raise  # asyncio ends its loop with the last two, whoever catches them
        except BaseException as error:  # noqa: BLE001 (whatever user code raises ends its job and nothing else)
            return failure(error, steps.failed or steps.current)

    async def _answered(self, attempt: Attempt, steps: StepEvents) -> Ending:
        """Run the graph; a decision that it cannot take is asked for again."""
        answers = Answers(attempt.claim, self._approvals)
        store = self._store(attempt.claim) if self._store is not None else None
        async with built_for(attempt.claim, self._workflows, store) as built:
            try:
                return await self._stream(attempt, steps, answers, built, store)
            except Exception as error:
                if is_invalid_resume(error) and (again := await answers.refused(str(error))) is not None:
                    return again
                raise

    async def _stream(
        self, attempt: Attempt, steps: StepEvents, answers: Answers, built: Graph, store: BaseStore | None
    ) -> Ending:
        claim = attempt.claim
        graph, saver = self._graph(claim, answers, built, store)
        emit = partial(self._journal.emit, claim)
        config: Any = config_of(claim)
        steps.kept = saver.kept
        attempt.resting = Resting(claim, steps, graph, config)
        attempt.run = GraphRun(claim, graph, steps, emit, self._most_stream_bytes)
        beginning = Beginning(claim, self._attempts, answers, emit)
        context = self._context(claim, partial(self._emit, claim, steps))
        recorder = CallRecorder(lambda step, data: self._emit_call(claim, step, data), self._prices)
        config["callbacks"] = [*context.callbacks, recorder]  # what may refuse a call comes before what records it
        with use_context(context):
            given, place = await beginning.find(graph, saver, config)
            await attempt.run.run(given, place, attempt.control)
        if steps.interrupts:
            return await answers.ending(steps.interrupts.values(), steps.paths)
        if (steps.running or stops_at_steps(claim.run, graph)) and (state := await graph.aget_state(config)).next:
            return await answers.at_breakpoint(state)
        output = as_json(steps.output) if claim.run is None else fragment(output_of(graph, steps.output))
        return Ending(state=JobState.SUCCEEDED, output=output)

    def _graph(
        self, claim: Claim, answers: Answers, built: Graph, store: BaseStore | None
    ) -> tuple[Graph, AttemptSaver]:
        """The graph on the checkpoints of this attempt, and on its project's store."""
        saver = AttemptSaver(self._pool, claim)
        saver.on_writes, saver.asked_by = answers.on_writes, answers.asked_by
        # A copy of the graph forgets which types of its state checkpoints may hold; the saver remembers them.
        listed = saver.with_allowlist(built._serde_allowlist or ())
        assert isinstance(listed, AttemptSaver)
        kept = {"store": store} if store is not None else {}
        return built.copy(update={"checkpointer": listed, **kept}), listed

    async def _end(self, attempt: Attempt, steps: StepEvents, ending: Ending) -> None:
        """Write the end, or have it written by who can make sure that nothing of the attempt runs any more."""
        if attempt.cut:
            # A step that was cut off may have left tasks, threads and programs: they end before the job does.
            await self._silenced(attempt)
        ending = await self._told(attempt, ending)
        events = [*await self._journal.take(attempt.claim), *ending.events]
        # A step whose end was not seen may be a thread, which nobody can stop from here.
        if self._forced is not None and steps.running and (attempt.cut or ending.error is not None) and ending.plain:
            await self._endings.rest_before(attempt.claim, ending)
            await self._forced(attempt, ending.state, ending.error, events)
        else:
            await self._endings.write(attempt.claim, ending, events, lambda: attempt.leaving)

    async def _silenced(self, attempt: Attempt) -> None:
        """Return when nothing of the job runs any more; who has asked for its end gets impatient meanwhile."""
        if self._silence is not None:
            attempt.silencing = True
            await self._silence(attempt.claim)
            attempt.silencing = False

    async def _told(self, attempt: Attempt, ending: Ending) -> Ending:
        """The ending, with what the thread's row says from then on; who follows the thread is told of it."""
        if attempt.claim.run is None:
            return ending
        if attempt.run is not None and not await attempt.run.ended(ending):
            await self._silenced(attempt)
        resting = attempt.resting or Resting(attempt.claim)
        return replace(ending, rest=await resting.rest(ending))

    def _emit(self, claim: Claim, steps: StepEvents, kind: str, data: dict[str, Any]) -> None:
        event = NewEvent(type=checked_kind(kind), step=running_step() or steps.current, data=as_json(data))
        self._journal.emit(claim, event)

    def _emit_call(self, claim: Claim, step: str | None, data: dict[str, Any]) -> None:
        self._journal.emit(claim, NewEvent(type=MODEL_CALL, step=step, data=data))


def _cancelled_itself() -> Ending | None:
    """Nobody stopped this attempt: user code has cancelled itself, unless it is the loop that ends."""
    task = asyncio.current_task()
    if task is None or task.cancelling():
        return None
    error = Problem(code="step_cancelled", message="a step cancelled itself (asyncio.CancelledError)")
    return Ending(state=JobState.QUEUED, error=error)


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
