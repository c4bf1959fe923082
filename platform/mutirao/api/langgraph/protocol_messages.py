"""Commands of the thread protocol and their answers as they are on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mutirao.api.langgraph.run_requests import MultitaskStrategy
from mutirao.api.submission import Json, kept

ErrorCode = Literal[
    "invalid_argument",
    "unknown_command",
    "unknown_error",
    "no_such_run",
    "no_such_subscription",
    "no_such_namespace",
    "no_such_interrupt",
    "no_such_checkpoint",
    "permission_denied",
    "not_supported",
]
Kept = Annotated[Any, AfterValidator(kept)]
Namespace = Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=100)]


class Command(BaseModel):
    """What a client asks of a thread."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "example": {
                "id": 1,
                "method": "run.start",
                "params": {"assistant_id": "report", "input": {"topic": "bees"}},
            }
        },
    )

    id: int = Field(ge=0, lt=1 << 53, description="The client's own number; the answer has it, too.")
    method: str = Field(max_length=100)
    params: Json = Field(default_factory=dict)


class Meta(BaseModel):
    """Where the thread stood."""

    applied_through_seq: int = Field(description="Number of the thread's newest event before the command.")


class Done(BaseModel):
    """A command that was carried out."""

    type: Literal["success"] = "success"
    id: int
    result: dict[str, Any]
    meta: Meta | None = None


class Refused(BaseModel):
    """A command that was not."""

    type: Literal["error"] = "error"
    id: int | None
    error: ErrorCode
    message: str


class CommandError(Exception):
    """Raised when a command cannot be carried out; becomes its answer."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Params(BaseModel):
    """Parameters of a command; unknown ones are passed over."""

    model_config = ConfigDict(extra="ignore")


class RunStart(Params):
    """Of `run.start`."""

    assistant_id: str = Field(min_length=1, max_length=200)
    input: Kept = None
    config: Json | None = None
    context: Json | None = None
    metadata: Json | None = None
    multitask_strategy: MultitaskStrategy | None = Field(None, alias="multitaskStrategy")

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Response(Params):
    """An answer to one question."""

    interrupt_id: str
    response: Kept = None


class InputRespond(Params):
    """Of `input.respond`."""

    interrupt_id: str | None = None
    response: Kept = None
    responses: list[Response] | None = Field(None, max_length=1000)
    update: Json | None = None
    goto: Kept = None
    config: Json | None = None
    metadata: Json | None = None

    def answers(self) -> dict[str, Any]:
        """Interrupt id → answer."""
        if self.responses is not None:
            return {answer.interrupt_id: answer.response for answer in self.responses}
        return {} if self.interrupt_id is None else {self.interrupt_id: self.response}


class Message(Params):
    """What is put into a thread."""

    role: Literal["user", "system"]
    content: str
    name: str | None = None


class InputInject(Params):
    """Of `input.inject`."""

    namespace: Namespace = Field(default_factory=list)
    message: Message


class GetTree(Params):
    """Of `agent.getTree`."""

    run_id: UUID | None = None


class StateGet(Params):
    """Of `state.get`."""

    namespace: Namespace = Field(default_factory=list)
    keys: list[str] | None = Field(None, max_length=1000)


class ListCheckpoints(Params):
    """Of `state.listCheckpoints`."""

    namespace: Namespace | None = None
    limit: int = Field(20, ge=1, le=1000)
    before: str | None = Field(None, max_length=64)


class StateFork(Params):
    """Of `state.fork`."""

    checkpoint_id: str = Field(max_length=64)
    input: Kept = None
    config: Json | None = None
