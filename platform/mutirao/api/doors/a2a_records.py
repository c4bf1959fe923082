"""Requests of A2A 0.3 and 1.0, as far as workflows can honour them. What they cannot is refused by name."""

from typing import Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from mutirao.api.doors.a2a_errors import Code, Refusal, wrong
from mutirao.api.submission import Json

Id = StrictStr | StrictInt | None

_TEXTS = ("text", "*")
_FILES = ("file", "raw", "url")


class _Strict(BaseModel):
    """Unknown keys are refused, by name."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class RpcRequest(BaseModel):
    """A call of JSON-RPC. Without `id` nothing is answered."""

    model_config = ConfigDict(extra="forbid")

    jsonrpc: Literal["2.0"]
    id: Id = None
    method: str = Field(max_length=200)
    params: dict[str, Any] | list[Any] = Field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """Whether it is a notification."""
        return "id" not in self.model_fields_set


class Part(_Strict):
    """One part of a message: text, or data. Version 1.0 leaves `kind` out."""

    kind: Literal["text", "data", "file"] | None = None
    text: str | None = None
    data: Any = None
    file: Any = None
    raw: Any = None
    url: Any = None
    filename: str | None = None
    media_type: str | None = None
    metadata: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        given = self.model_fields_set & {"text", "data", *_FILES}
        if len(given) != 1:
            raise ValueError("a part has one of `text`, `data` and `file`")
        if self.kind is not None and self.kind not in given:
            raise ValueError(f"a part of kind {self.kind!r} has {self.kind!r}")
        if "text" in given and self.text is None:
            raise ValueError("`text` is text")
        return self

    @property
    def is_file(self) -> bool:
        """Whether it is a file, or where one is."""
        return not self.model_fields_set.isdisjoint(_FILES)


class Message(_Strict):
    """What a person, or an agent, says to the agent."""

    kind: Literal["message"] = "message"
    message_id: str = Field("", max_length=200)
    role: Literal["user", "ROLE_USER"] = "user"
    parts: list[Part] = Field(min_length=1, max_length=1_000)
    context_id: str | None = Field(None, max_length=200)
    task_id: str | None = Field(None, max_length=200)
    reference_task_ids: list[str] | None = Field(None, max_length=1_000)
    extensions: list[str] | None = Field(None, max_length=1_000)
    metadata: Json | None = None


class Configuration(_Strict):
    """How the answer is wanted. `returnImmediately` is what version 1.0 says for `blocking: false`."""

    accepted_output_modes: list[str] | None = Field(None, max_length=1_000)
    history_length: int | None = Field(None, ge=0, le=1_000_000)
    blocking: bool | None = None
    return_immediately: bool | None = None
    push_notification_config: Any = None
    task_push_notification_config: Any = None

    @property
    def waits(self) -> bool:
        """Whether the answer is to come when the task is at rest."""
        return self.blocking is not False and not self.return_immediately


class SendParams(_Strict):
    """Of `message/send` and `message/stream`."""

    message: Message
    configuration: Configuration = Configuration()
    metadata: Json | None = None

    def check(self) -> None:
        """Raises Refusal when it asks for what this server does not do."""
        asked = self.configuration
        if asked.push_notification_config is not None or asked.task_push_notification_config is not None:
            raise Refusal(Code.NO_PUSH_NOTIFICATIONS, "push notifications are not sent; a project's webhooks are")
        modes = asked.accepted_output_modes
        if modes and not any(mode.startswith(_TEXTS) for mode in modes):
            raise Refusal(Code.CONTENT_TYPE, f"answers are text/plain, which is none of {', '.join(modes)[:200]}")
        if any(part.is_file for part in self.message.parts):
            raise Refusal(Code.CONTENT_TYPE, "parts are text and data; a file is neither")


class TaskParams(_Strict):
    """Of the methods about one task."""

    id: str = Field(max_length=200)
    metadata: dict[str, Any] | None = None


class GetParams(TaskParams):
    """Of `tasks/get`."""

    history_length: int | None = Field(None, ge=0, le=1_000_000)


def read(body: bytes) -> RpcRequest:
    """The call in a body. Raises Refusal when there is none."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(Code.UNREADABLE, f"the body is not JSON: {error}") from None
    if isinstance(given, list):
        raise Refusal(Code.INVALID_REQUEST, "batches are not taken; send one call")
    try:
        return RpcRequest.model_validate(given)
    except ValidationError as error:
        raise wrong(error, Code.INVALID_REQUEST) from None


def id_of(body: bytes) -> Id:
    """The id of a call that cannot be read, where that can be."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str | int) and not isinstance(given, bool) else None


def uuid_of(given: str) -> UUID | None:
    """Ids of tasks and contexts are UUIDs; None: nothing has this one."""
    try:
        return UUID(given)
    except ValueError:
        return None
