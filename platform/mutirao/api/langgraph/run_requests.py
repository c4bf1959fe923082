"""A run as clients of the protocol ask for it, from the request to the commit."""

from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mutirao.api.langgraph.stream_modes import MODES, as_list
from mutirao.api.services import Services
from mutirao.api.submission import Json, kept
from mutirao.assistants import in_step
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
Steps = Literal["*"] | list[str]
Kept = Annotated[Any, AfterValidator(kept)]


def _modes(given: Any) -> list[str]:
    modes = as_list(given) if isinstance(given, (str, list)) else None
    if modes is None or not all(mode in (*MODES, "lifecycle") for mode in modes):
        raise ValueError(f"unknown stream mode in {given!r}; there are {', '.join(MODES)}")
    return modes


StreamModes = Annotated[list[str], BeforeValidator(_modes)]


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
    checkpoint: Json | None = Field(None, description="Where to begin in the thread.")
    checkpoint_id: str | None = Field(None, max_length=64, description="The same, by its id alone.")
    checkpoint_during: bool | None = Field(None, description="Deprecated: `durability`.")
    durability: Literal["sync", "async", "exit"] | None = Field(None, description="When checkpoints are written.")
    interrupt_before: Steps | None = None
    interrupt_after: Steps | None = None
    feedback_keys: list[str] | None = None
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


_CALLER = "langgraph_auth_"  # how keys begin that say who is calling
AnyRequest = TypeVar("AnyRequest", bound=RunRequest)
Batch = Annotated[list[RunRequest], Field(min_length=1, max_length=1000)]


async def start_run(
    services: Services, caller: Identity, request: RunRequest, thread_id: UUID | None = None, *, live: bool = False
) -> Job:
    """Resolve the assistant, commit the run, then hint. Without a thread it gets one of its own.

    Raises:
        NotFound: no such assistant or thread.
        ConfigAmbiguous: it has both a context and configurable fields.
        ThreadBusy: the thread has an active run and the strategy is `reject`.
        Forbidden: it answers what people are asked, and the caller may not approve.
        AddressRefused: nothing may be sent to its webhook.
    """
    request = await admitted(services, caller, request)
    if request.command is not None and request.command.resume is not None:
        caller.need(Scope.APPROVE)
    assistant = await services.assistants.resolve(caller.project_id, request.assistant_id)
    workflow = await services.catalogue.get(assistant.workflow)
    config, context = assistant.merged(*_in_step(request))
    known = {"graph_id": workflow.name, "assistant_id": str(assistant.id)}
    submission = Submission(
        project_id=caller.project_id,
        workflow=workflow.name,
        version=workflow.version,
        queue=workflow.queue,
        kind=workflow.kind,
        input=None if request.command is not None else request.input,
        metadata={**assistant.metadata, **known, **request.metadata},
        thread_id=thread_id,
        assistant_id=assistant.id,
        run=request.options(config, context, live=live),
        webhook=request.webhook,
        created_by=caller.actor,
        ephemeral=thread_id is None and request.on_completion == "delete",
        max_attempts=services.settings.worker.attempts,
        delay_seconds=request.after_seconds,
    )
    job = await services.runs.accept(submission, create_thread=request.if_not_exists == "create")
    if not request.after_seconds:
        services.hints.send(job.queue, job.id)
    return job


async def admitted(services: Services, caller: Identity, request: AnyRequest) -> AnyRequest:
    """The request without what only this server may say: who the caller is.

    Raises:
        AddressRefused: nothing may be sent to its webhook.
    """
    if request.webhook is not None:
        await services.outbound.check(request.webhook)
    given = request.config.get("configurable")
    if caller.user is not None or not isinstance(given, dict):
        return request
    own = {name: value for name, value in given.items() if not name.startswith(_CALLER)}
    return request.model_copy(update={"config": {**request.config, "configurable": own}})


def _in_step(request: RunRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return in_step(request.config, request.context)
    except InvalidInput as error:
        raise ConfigAmbiguous(error.message) from None
