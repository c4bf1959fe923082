"""Commands of the thread protocol: begin a run, answer its questions, look at its agents and its state."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from mutirao.api.langgraph.protocol_events import Agents, is_breakpoint
from mutirao.api.langgraph.protocol_messages import (
    Command,
    CommandError,
    Done,
    ErrorCode,
    GetTree,
    InputInject,
    InputRespond,
    ListCheckpoints,
    Meta,
    Refused,
    RunStart,
    StateFork,
    StateGet,
)
from mutirao.api.langgraph.run_requests import Command as GraphCommand
from mutirao.api.langgraph.run_requests import RunRequest, start_run
from mutirao.api.services import Services
from mutirao.errors import Conflict, Forbidden, InvalidInput, MutiraoError, NotFound
from mutirao.jobs.records import Job, RunOptions, StreamOptions
from mutirao.jobs.thread_journal import ThreadEvent, ThreadFacts, ThreadJournal
from mutirao.keys import Identity, Scope

_PLACES = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
_MOST_MESSAGES = 5
_PAGE = 1_000
BEGIN = frozenset({"run.start", "input.respond", "input.inject", "state.fork"})
"""Commands that begin a run."""


class ProtocolRun(RunRequest):
    """A run whose events the thread protocol tells."""

    def options(self, config: dict[str, Any], context: dict[str, Any], *, live: bool) -> RunOptions:
        """The same, but that its journal gets typed events and nothing else of its stream."""
        stream = StreamOptions(live=live, protocol=True)
        return super().options(config, context, live=live).model_copy(update={"stream": stream})


class Commands:
    """Carries out commands on one thread for one caller."""

    def __init__(self, services: Services, journal: ThreadJournal, caller: Identity, thread_id: UUID) -> None:
        self._services = services
        self._journal = journal
        self._caller = caller
        self._project = caller.project_id
        self._thread = thread_id
        self._methods: dict[str, Callable[[Command], Awaitable[Done]]] = {
            "run.start": self._run_start,
            "input.respond": self._input_respond,
            "input.inject": self._input_inject,
            "agent.getTree": self._get_tree,
            "state.get": self._state_get,
            "state.listCheckpoints": self._list_checkpoints,
            "state.fork": self._fork,
        }

    async def answer(self, command: Command) -> Done | Refused:
        """Carry it out. Never raises but for bugs, and for a database that does not answer."""
        return await answered(command, self.carry_out)

    async def carry_out(self, command: Command) -> Done:
        """Carry it out. Raises CommandError, ValidationError, MutiraoError."""
        if command.method.startswith("subscription."):
            raise CommandError(
                "not_supported",
                f"{command.method} belongs to a WebSocket; over HTTP, POST /threads/{{thread_id}}/stream/events",
            )
        method = self._methods.get(command.method)
        if method is None:
            raise CommandError("unknown_command", f"there is no command {command.method!r}; there are {_names(self)}")
        return await method(command)

    async def _run_start(self, command: Command) -> Done:
        params = RunStart.model_validate(command.params)
        facts = await self._journal.facts(self._project, self._thread)
        answers = params.input is not None and facts is not None and not facts.busy and bool(await self._asked(facts))
        config, checkpoint = _placed(params.config)
        return await self._begin(
            command.id,
            ProtocolRun(
                assistant_id=params.assistant_id,
                input=None if answers and not checkpoint else params.input,
                command=GraphCommand(resume=params.input) if answers and not checkpoint else None,
                config=config,
                context=params.context,
                checkpoint=checkpoint or None,
                metadata=params.metadata or {},
                multitask_strategy=params.multitask_strategy or "enqueue",
                if_not_exists="create",
            ),
        )

    async def _input_respond(self, command: Command) -> Done:
        params = InputRespond.model_validate(command.params)
        answers, facts = params.answers(), await self._facts()
        if not answers:
            raise CommandError("invalid_argument", "input.respond needs an interrupt_id, or responses that have one")
        asked = [] if facts.busy else await self._asked(facts, breakpoints=True)
        for interrupt_id in answers:
            if interrupt_id not in asked:
                raise CommandError("no_such_interrupt", f"nothing waits for an answer to {interrupt_id[:80]!r}")
        given: dict[str, Any] = {key: answer for key, answer in answers.items() if not is_breakpoint(key)}
        told = {"resume": given or None, "update": params.update, "goto": params.goto}
        told = {name: value for name, value in told.items() if value is not None}
        config, _ = _placed(params.config)
        run = ProtocolRun(
            assistant_id=_assistant(facts),
            command=GraphCommand(**told) if told else None,
            config=config,
            metadata=params.metadata or {},
        )
        return await self._begin(command.id, run)

    async def _input_inject(self, command: Command) -> Done:
        params = InputInject.model_validate(command.params)
        if params.namespace:
            raise CommandError("not_supported", "a message goes to the outermost graph: send an empty namespace")
        facts = await self._facts()
        message = params.message.model_dump(exclude_none=True)
        run = ProtocolRun(assistant_id=_assistant(facts), input={"messages": [message]})
        return await self._begin(command.id, run)

    async def _fork(self, command: Command) -> Done:
        params = StateFork.model_validate(command.params)
        facts = await self._facts()
        if not await self._journal.has_checkpoint(self._project, self._thread, params.checkpoint_id):
            raise CommandError("no_such_checkpoint", f"the thread has no checkpoint {params.checkpoint_id!r}")
        config, _ = _placed(params.config)
        run = ProtocolRun(
            assistant_id=_assistant(facts),
            input=params.input,
            checkpoint={"checkpoint_id": params.checkpoint_id},
            config=config,
        )
        return await self._begin(command.id, run, thread_id=str(self._thread))

    async def _begin(self, number: int, run: ProtocolRun, **more: Any) -> Done:
        """The newest number is read before: what the run tells has higher ones."""
        self._caller.need(Scope.SUBMIT)
        last = await self._journal.last(self._project, self._thread)
        job: Job = await start_run(self._services, self._caller, run, self._thread, live=True)
        return Done(id=number, result={"run_id": str(job.id), **more}, meta=Meta(applied_through_seq=last))

    async def _get_tree(self, command: Command) -> Done:
        params = GetTree.model_validate(command.params)
        return Done(id=command.id, result={"tree": await self.tree(params.run_id)})

    async def tree(
        self, run_id: UUID | None = None, look: Callable[[ThreadEvent], None] | None = None
    ) -> dict[str, Any]:
        """The agents of a run of this thread, the newest where none is named; `look` sees all of its events, without what
        is large in them. Raises CommandError: there is none, or there are too many agents."""
        if run_id is None:
            head = await self._journal.head(self._project, self._thread)
            run_id = head.job if head else None
        found: Agents | None = None
        async for event in self._outlines(run_id):
            found = found or Agents(event.workflow)
            if not found.add(event):
                raise CommandError("not_supported", f"the run has more than {found.MOST} agents")
            if look is not None:
                look(event)
        if found is None:
            raise CommandError("no_such_run", "the thread has no such run, or nobody has begun it yet")
        return found.root()

    async def _outlines(self, run_id: UUID | None) -> AsyncIterator[ThreadEvent]:
        """All events of a run, page by page."""
        last, more = -1, run_id is not None
        while more:
            page = await self._journal.after(
                self._project, self._thread, last, job_id=run_id, limit=_PAGE, outlines=True
            )
            for event in page:
                last = event.seq
                yield event
            more = len(page) == _PAGE

    async def _state_get(self, command: Command) -> Done:
        params = StateGet.model_validate(command.params)
        await self._facts()
        request = {"thread_id": str(self._thread), "checkpoint_ns": "|".join(params.namespace), "subgraphs": False}
        state = await self._services.queries.ask(self._project, "state", request)
        checkpoint = state.get("checkpoint") or {}
        if params.namespace and not checkpoint.get("checkpoint_id"):
            raise CommandError("no_such_namespace", f"the thread has no state in {'|'.join(params.namespace)[:200]!r}")
        values = state.get("values") or {}
        if params.keys is not None and isinstance(values, dict):
            values = {key: value for key, value in values.items() if key in params.keys}
        result: dict[str, Any] = {"values": values}
        if checkpoint.get("checkpoint_id"):
            result["checkpoint"] = {"id": checkpoint["checkpoint_id"], "ns": checkpoint.get("checkpoint_ns") or ""}
        return Done(id=command.id, result=result)

    async def _list_checkpoints(self, command: Command) -> Done:
        params = ListCheckpoints.model_validate(command.params)
        await self._facts()
        request: dict[str, Any] = {"thread_id": str(self._thread), "limit": params.limit}
        if params.before:
            request["before"] = params.before
        if params.namespace:
            request["checkpoint"] = {"checkpoint_ns": "|".join(params.namespace)}
        states = await self._services.queries.ask(self._project, "history", request)
        return Done(id=command.id, result={"checkpoints": [_summary(state) for state in states]})

    async def _facts(self) -> ThreadFacts:
        facts = await self._journal.facts(self._project, self._thread)
        if facts is None:
            raise CommandError("no_such_run", f"there is no thread {str(self._thread)!r}; run.start makes it")
        return facts

    async def _asked(self, facts: ThreadFacts, *, breakpoints: bool = False) -> list[str]:
        """Interrupts that wait for an answer."""
        asked = await self._journal.asked(self._project, self._thread)
        asked += [interrupt["id"] for task in facts.interrupts.values() for interrupt in task if interrupt.get("id")]
        return [interrupt for interrupt in asked if breakpoints or not is_breakpoint(interrupt)]


async def answered(command: Command, carry_out: Callable[[Command], Awaitable[Done]]) -> Done | Refused:
    """What comes of a command, or why nothing does."""
    try:
        return await carry_out(command)
    except CommandError as error:
        return Refused(id=command.id, error=error.code, message=error.message)
    except ValidationError as error:
        why = "; ".join(
            f"{'.'.join(map(str, miss['loc'])) or 'params'}: {miss['msg']}" for miss in error.errors()[:_MOST_MESSAGES]
        )
        return Refused(id=command.id, error="invalid_argument", message=f"{command.method}: {why}")
    except MutiraoError as error:
        return Refused(id=command.id, error=_code_of(error), message=error.message)


def _code_of(error: MutiraoError) -> ErrorCode:
    if isinstance(error, Forbidden):
        return "permission_denied"
    if isinstance(error, (InvalidInput, NotFound, Conflict)):
        return "invalid_argument"
    return "unknown_error"


def _placed(config: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's config, and the checkpoint that its `configurable` names as where to begin."""
    configurable = (config or {}).get("configurable")
    if not isinstance(configurable, dict):
        return config or {}, {}
    place = {key: configurable[key] for key in _PLACES if configurable.get(key)}
    left = {key: value for key, value in configurable.items() if key not in _PLACES}
    return {**(config or {}), "configurable": left}, place if "checkpoint_id" in place else {}


def _assistant(facts: ThreadFacts) -> str:
    found = facts.assistant_id or facts.workflow
    if found is None:
        raise CommandError("no_such_run", "nothing has run in this thread yet; begin with run.start")
    return str(found)


def _summary(state: dict[str, Any]) -> dict[str, Any]:
    metadata = state.get("metadata") or {}
    return {
        "id": (state.get("checkpoint") or {}).get("checkpoint_id"),
        "timestamp": state.get("created_at"),
        "step": metadata.get("step"),
        "metadata": metadata,
    }


def _names(commands: Commands) -> str:
    return ", ".join(commands._methods)
