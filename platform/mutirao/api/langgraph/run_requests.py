"""A run as clients of the protocol ask for it, from the request to the commit."""

from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mutirao.api.langgraph.stream_modes import MODES, as_list
from mutirao.api.services import Services
from mutirao.api.submission import Json, kept
from mutirao.assistants import in_step
from mutirao.callers import CALLER, nobodys, without_caller
from mutirao.errors import InvalidInput
from mutirao.jobs.records import LONGEST_SECONDS, Job, RunOptions, StreamOptions, Submission
from mutirao.keys import Identity, Scope

HONOURED = (
    "assistant_id", "input", "command", "stream_mode", "stream_subgraphs", "stream_resumable", "metadata", "config",
    "context", "checkpoint", "checkpoint_id", "checkpoint_during", "durability", "interrupt_before", "interrupt_after",
    "webhook", "on_disconnect", "on_completion", "multitask_strategy", "if_not_exists", "after_seconds", "strict_resume",
)  # fmt: skip
"""Fields of a run's request that do what they say."""

WITHOUT_EFFECT = ("feedback_keys", "langsmith_tracer")
"""Fields that may be sent and change nothing: there is no LangSmith behind this server."""

_SHOWN = (*WITHOUT_EFFECT, "strict_resume")

MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
_MOST_WORDS = 1000
Steps = Literal["*"] | Annotated[list[str], Field(max_length=_MOST_WORDS)]
Kept = Annotated[Any, AfterValidator(kept)]


def _known_place(given: dict[str, Any]) -> dict[str, Any]:
    """Where something is in a thread; only what names that goes on to the graph."""
    for name in ("thread_id", "checkpoint_id", "checkpoint_ns"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise ValueError(f"{name} is text")
    if given.get("checkpoint_map") is not None and not isinstance(given["checkpoint_map"], dict):
        raise ValueError("checkpoint_map is an object")
    if unknown := [name for name in given if name not in _PLACE]:
        raise ValueError(f"unknown key {unknown[0][:80]!r}; there are {', '.join(_PLACE)}")
    return given


_PLACE = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
Checkpoint = Annotated[Json, AfterValidator(_known_place)]
"""Place of a state in its thread."""


def _modes(given: Any) -> list[str]:
    asked = given if isinstance(given, list) else [given]
    if not all(isinstance(mode, str) and mode in (*MODES, "lifecycle") for mode in asked):
        raise ValueError(f"unknown stream mode in {str(given)[:200]}; there are {', '.join(MODES)}")
    return as_list(asked)


StreamModes = Annotated[list[str], BeforeValidator(_modes), Field(max_length=_MOST_WORDS)]


class Command(BaseModel):
    """What a graph is told in place of an input."""

    model_config = ConfigDict(extra="ignore")

    update: Kept = None
    resume: Kept = None
    goto: Kept = None


class RunRequest(BaseModel):
    """A run to create. Unknown fields are passed over; what is null counts as not sent."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"example": {"assistant_id": "report", "input": {"topic": "composting"}}}
    )

    assistant_id: str = Field(description="Id of an assistant, or name of a workflow.")
    input: Kept = Field(None, description="What the graph is given; null: it goes on from its thread's state.")
    command: Command | None = Field(None, description="In place of the input, which is passed over then.")
    stream_mode: StreamModes = Field(default_factory=lambda: ["values"], description="One mode or several.")
    stream_subgraphs: bool = Field(False, description="Frames of sub-graphs, too.")
    stream_resumable: bool = Field(False, description="Frames have ids, for `Last-Event-ID`.")
    metadata: Json = Field(default_factory=dict)
    config: Json = Field(default_factory=dict, description='`{"tags", "recursion_limit", "configurable"}`')
    context: Json | None = Field(None, description="Static context of the run.")
    checkpoint: Checkpoint | None = Field(None, description="Where to begin in the thread.")
    checkpoint_id: str | None = Field(None, max_length=64, description="The same, by its id alone.")
    checkpoint_during: bool | None = Field(None, description="Deprecated: `durability`.")
    durability: Literal["sync", "async", "exit"] | None = Field(None, description="When checkpoints are written.")
    interrupt_before: Steps | None = None
    interrupt_after: Steps | None = None
    feedback_keys: list[str] | None = Field(None, max_length=_MOST_WORDS)
    langsmith_tracer: Kept = None
    strict_resume: bool | None = Field(None, description="Fail when it answers what nobody asks.")
    webhook: str | None = Field(None, max_length=2048, description="Where to tell of its end.")
    on_disconnect: Literal["cancel", "continue"] = Field("continue", description="When who reads it goes away.")
    on_completion: Literal["delete", "keep"] = Field("delete", description="What becomes of a thread of its own.")
    multitask_strategy: MultitaskStrategy = Field("enqueue", description="What it does to active runs of its thread.")
    if_not_exists: Literal["create", "reject"] = Field("reject", description="When there is no such thread.")
    after_seconds: float = Field(0, ge=0, le=LONGEST_SECONDS, description="Begin so much later.")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given

    def options(self, config: dict[str, Any], context: dict[str, Any], *, live: bool) -> RunOptions:
        """What the worker is told; `live`: somebody reads its stream from the beginning."""
        checkpoint = dict(self.checkpoint or {})
        if self.checkpoint_id:
            checkpoint["checkpoint_id"] = self.checkpoint_id
        shown = {name: getattr(self, name) for name in _SHOWN if getattr(self, name) is not None}
        return RunOptions(
            command=self.command.model_dump(exclude_unset=True) if self.command else None,
            config=config,
            context=context or None,
            checkpoint=checkpoint or None,
            interrupt_before=self.interrupt_before,
            interrupt_after=self.interrupt_after,
            durability=self._durability(),
            stream=StreamOptions(
                modes=[mode for mode in self.stream_mode if mode in MODES],
                subgraphs=self.stream_subgraphs,
                resumable=self.stream_resumable,
                live=live,
            ),
            multitask_strategy=self.multitask_strategy,
            on_disconnect=self.on_disconnect,
            on_completion=self.on_completion,
            kwargs=shown,
        )

    def _durability(self) -> str:
        if self.durability is None and self.checkpoint_during is not None:
            return "async" if self.checkpoint_during else "exit"
        return self.durability or "sync"


class ConfigAmbiguous(InvalidInput):
    """Raised when both `config.configurable` and `context` are given; they are the same in two words."""

    code = "config_ambiguous"
    status = 400


AnyRequest = TypeVar("AnyRequest", bound=RunRequest)
Batch = Annotated[list[RunRequest], Field(min_length=1, max_length=1000)]


async def start_run(
    services: Services,
    caller: Identity,
    request: RunRequest,
    thread_id: UUID | None = None,
    *,
    live: bool = False,
    urgent: bool = False,
) -> Job:
    """Resolve the assistant, commit the run, then hint. Without a thread it gets one of its own. `live`: somebody
    reads its stream; `urgent`: somebody waits for it, and idle workers need no hint.

    Raises:
        NotFound: no such assistant or thread.
        ConfigAmbiguous: it has both a context and configurable fields.
        ThreadBusy: the thread has an active run and the strategy is `reject`.
        AlreadyDecided: it answers a question whose time to decide has passed.
        Forbidden: it answers what people are asked, and the caller may not approve.
        AddressRefused: nothing may be sent to its webhook.
    """
    submission = await _resolved(services, caller, request, thread_id, live=live, urgent=live or urgent)
    await services.limits.check("max_queued_jobs", caller.project_id)
    if thread_id is None and not submission.ephemeral:
        await services.limits.check("max_threads", caller.project_id)
    job = await services.runs.accept(submission, create_thread=request.if_not_exists == "create")
    _hint(services, submission, job)
    return job


async def start_runs(services: Services, caller: Identity, requests: Batch) -> list[Job]:
    """As `start_run`, for runs that each get a thread of their own: all of them are committed, or none."""
    submissions = [await _resolved(services, caller, request, None) for request in requests]
    for limit in ("max_queued_jobs", "max_threads"):
        await services.limits.check(limit, caller.project_id)
    jobs = await services.runs.accept_all(submissions)
    for submission, job in zip(submissions, jobs, strict=True):
        _hint(services, submission, job)
    return jobs


def _hint(services: Services, submission: Submission, job: Job) -> None:
    services.changes.told(job.id)
    if not submission.delay_seconds:
        services.hints.send(job.queue, job.id)


async def _resolved(
    services: Services,
    caller: Identity,
    request: RunRequest,
    thread_id: UUID | None,
    *,
    live: bool = False,
    urgent: bool = False,
) -> Submission:
    request = await admitted(services, request)
    if request.command is not None and request.command.resume is not None:
        caller.need(Scope.APPROVE)
    assistant = await services.known_assistants.resolve(caller.project_id, request.assistant_id)
    workflow = await services.catalogue.get(assistant.workflow)
    config, context = assistant.merged(*_in_step(request))
    known = {"graph_id": workflow.name, "assistant_id": str(assistant.id)}
    return Submission(
        project_id=caller.project_id,
        workflow=workflow.name,
        version=workflow.version,
        queue=workflow.queue,
        kind=workflow.kind,
        input=None if request.command is not None else request.input,
        metadata={**assistant.metadata, **known, **request.metadata},
        thread_id=thread_id,
        assistant_id=assistant.id,
        run=request.options(stamped(config, caller), context, live=live),
        webhook=request.webhook,
        created_by=caller.actor,
        may_approve=Scope.APPROVE in caller.scopes,
        ephemeral=thread_id is None and request.on_completion == "delete",
        max_attempts=services.settings.worker.attempts,
        delay_seconds=request.after_seconds,
        urgent=urgent and not request.after_seconds,
    )


async def admitted(services: Services, request: AnyRequest) -> AnyRequest:
    """The request without what only this server may say: who the caller is. `stamped` says so.

    Raises:
        AddressRefused: nothing may be sent to its webhook.
    """
    if request.webhook is not None:
        await services.outbound.check(request.webhook)
    changes: dict[str, Any] = {"config": without_caller(request.config)}
    if request.context is not None:
        changes["context"] = nobodys(request.context)
    return request.model_copy(update=changes)


def stamped(config: dict[str, Any], caller: Identity) -> dict[str, Any]:
    """The config of a run, whose graph finds who asked for it where LangGraph's server puts it."""
    if caller.user is None:
        return config
    told = {
        f"{CALLER}user": caller.user,
        f"{CALLER}user_id": caller.subject,
        f"{CALLER}permissions": caller.user.get("permissions") or [],
    }
    return {**config, "configurable": {**(config.get("configurable") or {}), **told}}


def _in_step(request: RunRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return in_step(request.config, request.context)
    except InvalidInput as error:
        raise ConfigAmbiguous(error.message) from None
