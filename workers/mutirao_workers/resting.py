"""What becomes of a thread's row when an attempt leaves its job at rest."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from mutirao.jobs.records import Claim, Problem
from mutirao.jobs.rest import Rest
from mutirao.jobs.states import JobState
from mutirao.logs import logger

from mutirao_workers.endings import Ending
from mutirao_workers.options import Graph
from mutirao_workers.steps import StepEvents
from mutirao_workers.wire import asked, fragment

_log = logger("runner")


class Resting:
    """Says what the thread of a job with `run` looks like at the end of an attempt.

    Without a graph, which could not be run then, only the error is known.
    """

    def __init__(
        self,
        claim: Claim,
        steps: StepEvents | None = None,
        graph: Graph | None = None,
        config: RunnableConfig | None = None,
    ) -> None:
        self._claim = claim
        self._steps = steps
        self._graph = graph
        self._config = config

    async def rest(self, ending: Ending) -> Rest | None:
        """The thread's state after this ending; None where the job goes on, or nobody reads the row."""
        if self._claim.run is None or not _rests(ending):
            return None
        if ending.state is JobState.SUCCEEDED:
            return self._as(values=self._values(ending), interrupts={}, next=())
        return self._as(**await self._standing(), error=_error(ending.error, ending.said))

    async def _standing(self) -> dict[str, Any]:
        """Where a graph stands that has not come to its end."""
        if self._graph is None or self._config is None:
            return {}
        try:
            state = await self._graph.aget_state(self._config)
        except Exception as error:  # noqa: BLE001 (a checkpoint that cannot be read must not cost the job its end)
            _log.warning("attempt.state_unread", job=str(self._claim.job_id), error=str(error))
            return {}
        if state.created_at is None:
            return {}
        return {"values": _known(state.values), "interrupts": interrupts_of(state), "next": state.next}

    def _values(self, ending: Ending) -> Any:
        """The last values that the stream has brought; encoded once when they are the job's output, too."""
        if self._graph is not None and self._graph.output_channels == self._graph.stream_channels_asis:
            return ending.output
        return _known(self._steps.output if self._steps is not None else None)

    def _as(self, **known: Any) -> Rest:
        claim = self._claim
        return Rest(thread_id=claim.thread_id, workflow=claim.workflow, assistant_id=claim.assistant_id, **known)


def interrupts_of(state: StateSnapshot) -> Mapping[str, Any]:
    """What a graph asks where it stands, by the task that asks."""
    return {task.id: fragment(asked(task.interrupts)) for task in state.tasks if task.interrupts}


def _rests(ending: Ending) -> bool:
    """Whether the job may stand still after it: one that has failed may also be tried again."""
    if ending.state is JobState.QUEUED:
        return ending.error is not None
    return ending.state is not JobState.WAITING and ending.waiting_for != "request"


def _known(values: Any) -> Any:
    return fragment(values) if values is not None else None


def _error(problem: Problem | None, said: str | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {"error": problem.kind or problem.code, "message": said if said is not None else problem.message}
