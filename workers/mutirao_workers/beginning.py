"""Where an attempt begins: with the job's input, after its last checkpoint, with people's decisions, or at a checkpoint
that somebody has chosen."""

import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, RESUME
from langgraph.errors import InvalidUpdateError
from langgraph.types import Interrupt, StateSnapshot
from mutirao.errors import StepFailed
from mutirao.jobs.attempts import AttemptStore
from mutirao.jobs.records import Claim, NewEvent, Start

from mutirao_workers.answers import Answers
from mutirao_workers.options import Graph, at_checkpoint, command_of
from mutirao_workers.saver import FencedSaver, Writes
from mutirao_workers.steady import steadily

_NO_OUTPUT = (ERROR, INTERRUPT, RESUME, "__error_source_node__")
_INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")
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
        self._empty = self.claim.fresh

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the base class says."""
        # What is asked first of a thread that was made with its job needs no answer from the database.
        empty, self._empty = self._empty, False
        if empty:
            return None
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

    async def find(self, graph: Graph, saver: AttemptSaver, config: Any) -> tuple[Any, Any]:
        """What to stream the graph with, and the config that says where it begins.

        Raises:
            StartInvalid: the job cannot go on from the checkpoint that was chosen.
        """
        if self._claim.start is not None:
            await self._make_start(self._claim.start, graph, saver, config)
        elif self._claim.epoch == 1:
            place = at_checkpoint(config, self._claim.run)
            return await self._given(graph, place), place
        latest = await saver.aget_tuple(config)
        if latest is not None and latest.metadata.get("job_id") != str(self._claim.job_id):
            latest = await self._back_to_own(graph, saver, config)
        if latest is None:
            place = at_checkpoint(config, self._claim.run)
            return await self._again(graph, place), place
        self._emit(NewEvent(type="attempt.resumed", data={"after_step": latest.metadata.get("step")}))
        return await self._answers.take(), config

    async def _given(self, graph: Graph, config: Any) -> Any:
        """What the job brings: its input, or its command.

        An answer that names no question is taken for the only one there is, and written down as that.
        """
        command = self._command
        if command is None:
            return self._claim.input
        answer = command.get("resume")
        if answer is not None and not _by_question(answer):
            asked = list(_unanswered(await graph.aget_state(config)))
            if len(asked) == 1:
                command = {**command, "resume": {asked[0].id: answer}}
                settled = command
                await steadily(lambda: self._attempts.settle(self._claim, settled))
        return command_of(command)

    async def _again(self, graph: Graph, config: Any) -> Any:
        """What is left to give of what the job brings, when no step has ended since; with people's decisions."""
        decided = await self._answers.take()
        if self._command is None:
            return self._claim.input if decided is None else decided
        left = {key: value for key, value in self._command.items() if value is not None}
        answers = left.pop("resume", None)
        if _by_question(answers):
            open_ids = {interrupt.id for interrupt in _unanswered(await graph.aget_state(config, subgraphs=True))}
            answers = {key: value for key, value in answers.items() if key in open_ids} or None
        if decided is not None:
            answers = {**(answers or {}), **dict(decided.resume or {})}
        if answers is not None:
            left["resume"] = answers
        return command_of(left) if left else None

    @property
    def _command(self) -> Mapping[str, Any] | None:
        """The job's command; an empty one is none."""
        return (self._claim.run.command or None) if self._claim.run is not None else None

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


def _by_question(answer: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether an answer says which questions it answers: `{interrupt id: value}`."""
    return isinstance(answer, Mapping) and bool(answer) and all(_INTERRUPT_ID.fullmatch(str(key)) for key in answer)


def _unanswered(state: StateSnapshot) -> Iterator[Interrupt]:
    """What a graph waits for, as the innermost graph knows it: what is around it may not have heard of an answer yet."""
    for task in state.tasks:
        if isinstance(task.state, StateSnapshot) and task.state.tasks:
            yield from _unanswered(task.state)
        elif task.result is None:
            yield from task.interrupts


async def _last(saver: AttemptSaver, config: Any, claim: Claim) -> str | None:
    """The id of the last checkpoint that the job has written."""
    outermost = _at(config, None)
    async for found in saver.alist(outermost, filter={"job_id": str(claim.job_id)}, limit=1):
        return str(found.config["configurable"]["checkpoint_id"])
    return None


def _at(config: Any, checkpoint_id: str | None) -> Any:
    place = {"checkpoint_ns": ""} | ({"checkpoint_id": checkpoint_id} if checkpoint_id is not None else {})
    return {**config, "configurable": {**config["configurable"], **place}}
