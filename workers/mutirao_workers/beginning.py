"""Where an attempt begins: with the job's input, after its last checkpoint, with people's decisions, or at a checkpoint
that somebody has chosen."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, RESUME
from langgraph.errors import InvalidUpdateError
from langgraph.graph.state import CompiledStateGraph
from mutirao.errors import StepFailed
from mutirao.jobs.attempts import AttemptStore
from mutirao.jobs.records import Claim, NewEvent, Start

from mutirao_workers.answers import Answers
from mutirao_workers.saver import FencedSaver, Writes
from mutirao_workers.steady import steadily

Graph = CompiledStateGraph[Any, Any, Any, Any]
_NO_OUTPUT = (ERROR, INTERRUPT, RESUME, "__error_source_node__")
_COPY = "__copy__"  # LangGraph's: the same state and the same next steps as a new checkpoint


class StartInvalid(StepFailed):
    """Raised when a job cannot go on from the checkpoint that was chosen for it."""

    code = "start_invalid"


class AttemptSaver(FencedSaver):
    """The checkpointer of one attempt. Every checkpoint names its job.

    `kept` are the tasks that an earlier attempt has finished, whose writes LangGraph takes as they are instead of running
    them again. `asked_by`: interrupt id → the innermost task it happened in.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.kept: set[str] = set()
        self.asked_by: dict[str, str] = {}

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the base class says."""
        found = await super().aget_tuple(config)
        if found is not None:
            self.kept.update(task for task, channel, _ in found.pending_writes or () if channel not in _NO_OUTPUT)
        return found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As the base class says."""
        named: Any = {**metadata, "job_id": str(self.claim.job_id), "epoch": self.claim.epoch}
        return await super().aput(config, checkpoint, named, new_versions)

    def aput_writes(
        self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = ""
    ) -> Coroutine[Any, Any, None]:
        """As the base class says."""
        for channel, value in writes:
            if channel == INTERRUPT:
                for interrupt in value if isinstance(value, Sequence) else (value,):
                    # Asked for first by the task it happens in, then by those around it; stored in any order.
                    self.asked_by.setdefault(interrupt.id, task_id)
        return super().aput_writes(config, writes, task_id, task_path)


class Beginning:
    """Finds the input that makes the graph begin where it should."""

    def __init__(
        self, claim: Claim, attempts: AttemptStore, answers: Answers, emit: Callable[[NewEvent], None]
    ) -> None:
        self._claim = claim
        self._attempts = attempts
        self._answers = answers
        self._emit = emit

    async def input(self, graph: Graph, saver: AttemptSaver, config: Any) -> Any:
        """What to stream the graph with.

        Raises:
            StartInvalid: the job cannot go on from the checkpoint that was chosen.
        """
        if self._claim.start is not None:
            await self._make_start(self._claim.start, graph, saver, config)
        elif self._claim.epoch == 1:
            return self._claim.input
        latest = await saver.aget_tuple(config)
        if latest is not None and latest.metadata.get("job_id") != str(self._claim.job_id):
            latest = await self._back_to_own(graph, saver, config)
        if latest is None:
            return self._claim.input
        self._emit(NewEvent(type="attempt.resumed", data={"after_step": latest.metadata.get("step")}))
        return await self._answers.take()

    async def _back_to_own(self, graph: Graph, saver: AttemptSaver, config: Any) -> CheckpointTuple | None:
        """The job's last checkpoint, made the newest of the thread again; None when it has none.

        Other jobs of the thread may have run between a job's end and its retry.
        """
        own = await steadily(lambda: _last(saver, config, self._claim))
        if own is None:
            return None
        # First: the copy asks its questions anew, and decisions on the old ones must not reach it, crash or not.
        await steadily(lambda: self._attempts.begun(self._claim))
        await self._choose(Start(checkpoint_id=own), graph, config)
        return await saver.aget_tuple(config)

    async def _make_start(self, start: Start, graph: Graph, saver: AttemptSaver, config: Any) -> None:
        """Make the chosen checkpoint the newest of the job's thread, once: after a crash it is made again."""
        other = start.thread_id if start.thread_id != self._claim.thread_id else None
        if other is not None:
            here, until = str(self._claim.thread_id), start.checkpoint_id
            await steadily(lambda: saver.acopy_thread(str(other), here, until=until))
        if other or start.checkpoint_id or start.values is not None or start.as_node:
            await self._choose(start, graph, config)
        await steadily(lambda: self._attempts.begun(self._claim))

    async def _choose(self, start: Start, graph: Graph, config: Any) -> None:
        chosen = _at(config, start.checkpoint_id)
        state = await graph.aget_state(chosen)
        name = f"checkpoint {start.checkpoint_id!r}" if start.checkpoint_id else "the last checkpoint"
        if state.created_at is None:
            raise StartInvalid(f"{name} does not exist in thread {str(start.thread_id or self._claim.thread_id)!r}")
        try:
            if start.values is not None or start.as_node:
                await graph.aupdate_state(chosen, start.values, start.as_node)
                state = await graph.aget_state(config)
            elif state.next:
                await graph.aupdate_state(chosen, None, _COPY)
        except InvalidUpdateError as error:
            raise StartInvalid(f"the changes cannot be made at {name}: {error}") from error
        if not state.next:
            raise StartInvalid(f"the graph had already ended at {name}; choose an earlier one, or name the step before")


def has_breakpoints(graph: Graph) -> bool:
    """Whether the graph was compiled to stop before or after some of its steps."""
    return bool(graph.interrupt_before_nodes or graph.interrupt_after_nodes)


async def _last(saver: AttemptSaver, config: Any, claim: Claim) -> str | None:
    """The id of the last checkpoint that the job has written."""
    async for found in saver.alist(_at(config, None), filter={"job_id": str(claim.job_id)}, limit=1):
        return str(found.config["configurable"]["checkpoint_id"])
    return None


def _at(config: Any, checkpoint_id: str | None) -> Any:
    if checkpoint_id is None:
        return config
    return {**config, "configurable": {**config["configurable"], "checkpoint_ns": "", "checkpoint_id": checkpoint_id}}
