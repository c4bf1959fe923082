"""OpenAI's chat completions as far as workflows can honour them. What they cannot is refused by name."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SAMPLING = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
)


class ContentPart(BaseModel):
    """One part of a message's content; passed on to the graph as it is."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(max_length=64)


class ChatMessage(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = Field(None, max_length=200)
    tool_call_id: str | None = Field(None, max_length=200)
    tool_calls: list[dict[str, Any]] | None = None
    refusal: str | None = None


class StreamAsked(BaseModel):
    """Options of a stream."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A chat completion. Sampling options reach the graph as keys of `config["configurable"]`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"model": "chat", "messages": [{"role": "user", "content": "Where do bees live?"}]}
        },
    )

    model: str = Field(min_length=1, max_length=64, description="Name of a conversational workflow, see `/v1/models`.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=2_000)
    stream: bool = False
    stream_options: StreamAsked | None = None
    n: Literal[1] = Field(1, description="One answer; more are refused.")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, gt=0)
    max_completion_tokens: int | None = Field(None, gt=0)
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    reasoning_effort: str | None = Field(None, max_length=20)
    user: str | None = Field(None, max_length=200, description="Kept with the job's metadata.")
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = Field(None, description="Kept with the job.")

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling options that were sent."""
        return {name: value for name in _SAMPLING if (value := getattr(self, name)) is not None}


class Model(BaseModel):
    """A conversational workflow."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970.")
    owned_by: str = "mutirao"


class ModelList(BaseModel):
    """All conversational workflows."""

    object: Literal["list"] = "list"
    data: list[Model]


class Tokens(BaseModel):
    """Tokens of all model calls of the job."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    """What the assistant has said."""

    role: Literal["assistant"] = "assistant"
    content: str | None


class Choice(BaseModel):
    """The one answer."""

    index: Literal[0] = 0
    message: Answer
    finish_reason: Literal["stop"] = "stop"


class Completion(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Seconds since 1970.")
    model: str
    choices: list[Choice]
    usage: Tokens
