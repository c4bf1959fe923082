"""What the doors for conversations share: which workflows take one, and what the assistant has said."""

from typing import Any

from mutirao.api.broadcast import Entry
from mutirao.api.services import Services
from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Job

_PIECES = "stream.messages"


class NotConversational(InvalidInput):
    """Raised when a workflow takes no `messages`."""

    code = "not_conversational"


async def conversational(services: Services, name: str, where: str) -> CataloguedWorkflow:
    """The workflow of this name. `where`: what lists those that converse.

    Raises:
        WorkflowUnknown: there is none.
        NotConversational: it takes no `messages`.
    """
    entry = await services.catalogue.get(name)
    if not converses(entry):
        raise NotConversational(f"workflow {name!r} takes no `messages`; {where} lists those that do")
    return entry


def converses(entry: CataloguedWorkflow) -> bool:
    """Whether a workflow's input has `messages`."""
    return "messages" in (entry.input_schema.get("properties") or {})


def message_in(event: Entry) -> tuple[str, str, bool] | None:
    """Id and text of what a model has said in this event, and whether that is a piece of it; None: nothing."""
    if event.type != _PIECES or not isinstance(event.data["data"], list):
        return None
    message = event.data["data"][0]
    piece = message.get("type") == "AIMessageChunk"
    if not (piece or message.get("type") == "ai"):
        return None
    text = text_of(message.get("content"))
    return (str(message.get("id")), text, piece) if text else None


def last_answer(job: Job) -> str | None:
    """The text of the assistant's last message; None: the job's output has none."""
    for message in reversed(messages_of(job.output)):
        if message.get("type") in ("ai", "AIMessageChunk"):
            return text_of(message.get("content"))
    return None


def messages_of(values: Any) -> list[dict[str, Any]]:
    """The messages in a job's input or output, or in a thread's values."""
    found = values.get("messages") if isinstance(values, dict) else None
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content or ())
