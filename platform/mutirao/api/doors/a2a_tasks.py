"""Jobs as tasks of A2A 0.3, and messages as input of a graph."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mutirao.api.doors.a2a_errors import Code, Refusal
from mutirao.api.doors.a2a_records import Message
from mutirao.api.doors.conversation import last_answer, messages_of, text_of
from mutirao.catalogue import CataloguedWorkflow
from mutirao.jobs.approvals import Approval
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState

ANSWER = "answer"
"""Id and name of the artifact: what the assistant has said last."""

_STATES = {
    JobState.QUEUED: "submitted",
    JobState.STRANDED: "submitted",
    JobState.RUNNING: "working",
    JobState.WAITING: "working",
    JobState.SUCCEEDED: "completed",
    JobState.CANCELLED: "canceled",
}
_ROLES = {"human": "user", "user": "user", "ai": "agent", "assistant": "agent", "AIMessageChunk": "agent"}


def state_of(job: Job) -> str:
    """A job's state as a task."""
    if job.state is JobState.PAUSED:  # until somebody resumes it, a client has nothing to do
        return "input-required" if job.waiting_for == "approval" else "working"
    return _STATES.get(job.state, "failed")


def input_of(message: Message, workflow: CataloguedWorkflow) -> dict[str, Any]:
    """What the graph is given: keys of data parts that its schema knows, and the text as a message.

    Raises:
        Refusal: the workflow takes no such data.
    """
    known = workflow.input_schema.get("properties") or {}
    found = data_of(message)
    if unknown := [name for name in found if name not in known]:
        raise Refusal(
            Code.INVALID_PARAMS,
            f"workflow {workflow.name!r} takes no {unknown[0][:80]!r}; it takes {', '.join(known)}"[:1_000],
        )
    if (text := said_in(message)) is None:
        return found
    before = found.get("messages", [])
    if not isinstance(before, list):
        raise Refusal(Code.INVALID_PARAMS, "`messages` in a data part is a list")
    return found | {"messages": [*before, {"type": "human", "content": text}]}


def answer_of(message: Message) -> Any:
    """What a message answers to a question: its data, or its text.

    Raises:
        Refusal: it has both.
    """
    data, text = data_of(message), said_in(message)
    if data and text is not None:
        raise Refusal(Code.INVALID_PARAMS, "an answer is text, or data; send one of them")
    return data if text is None else text


def data_of(message: Message) -> dict[str, Any]:
    """The data parts, merged by key. Raises Refusal when one is no object."""
    found: dict[str, Any] = {}
    for part in message.parts:
        if "data" not in part.model_fields_set:
            continue
        if not isinstance(part.data, dict):
            raise Refusal(Code.INVALID_PARAMS, "the `data` of a part is an object")
        found |= part.data
    return found


def said_in(message: Message) -> str | None:
    """The text parts, each on lines of its own; None: there are none."""
    texts = [part.text for part in message.parts if part.text is not None]
    return "\n".join(texts) if texts else None


def task_of(job: Job, asked: Sequence[Approval], values: Any, history_length: int | None) -> dict[str, Any]:
    """The job as a task. `values`: those of its thread, where the job has no output yet."""
    task: dict[str, Any] = {
        "kind": "task",
        "id": str(job.id),
        "contextId": str(job.thread_id),
        "status": status_of(job, asked),
    }
    if artifact := artifact_of(job):
        task["artifacts"] = [artifact]
    if history := _history(job, values, history_length):
        task["history"] = history
    return task


def status_of(job: Job, asked: Sequence[Approval]) -> dict[str, Any]:
    """Where the task is; with what it waits for, or why it failed."""
    state = state_of(job)
    at = job.finished_at or max([one.created_at for one in asked], default=job.started_at or job.created_at)
    status: dict[str, Any] = {"state": state, "timestamp": time_of(at)}
    if state == "input-required":
        parts = [_asking(approval.request) for approval in asked]
        ids = [{"approvalId": str(one.id), "interruptId": one.interrupt_id} for one in asked]
        if parts:
            status["message"] = said_by_agent(job, str(asked[0].id), parts) | {"metadata": {"mutirao/approvals": ids}}
    elif state == "failed":
        why = job.error.message if job.error else job.state.value
        told = said_by_agent(job, f"{job.id}-{job.state.value}", [text_part(why)])
        status["message"] = told | {"metadata": {"mutirao/code": job.error.code if job.error else job.state.value}}
    return status


def artifact_of(job: Job) -> dict[str, Any] | None:
    """What a job that has succeeded leaves: the assistant's last words, else its output as data."""
    if job.state is not JobState.SUCCEEDED:
        return None
    text = last_answer(job)
    if text is not None:
        return artifact([text_part(text)])
    if isinstance(job.output, dict) and job.output and "messages" not in job.output:
        return artifact([data_part(job.output)])
    return None


def artifact(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The one artifact of a task, with these parts."""
    return {"artifactId": ANSWER, "name": ANSWER, "parts": parts}


def said_by_agent(job: Job, message_id: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A message of the agent about a task."""
    where = {"taskId": str(job.id), "contextId": str(job.thread_id)}
    return {"kind": "message", "messageId": message_id, "role": "agent", "parts": parts} | where


def text_part(text: str) -> dict[str, Any]:
    return {"kind": "text", "text": text}


def data_part(data: Any) -> dict[str, Any]:
    return {"kind": "data", "data": data if isinstance(data, dict) else {"value": data}}


def time_of(at: datetime) -> str:
    """A time as the protocol writes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _asking(request: Any) -> dict[str, Any]:
    return text_part(request) if isinstance(request, str) else data_part(request)


def _history(job: Job, values: Any, length: int | None) -> list[dict[str, Any]]:
    """The newest messages of the conversation up to this task; `length` None: all of them."""
    if length == 0:
        return []
    messages = messages_of(job.output) or messages_of(values) or messages_of(job.input)
    told = [_told(job, number, message) for number, message in enumerate(messages)]
    found = [message for message in told if message is not None]
    return found if length is None else found[-length:]


def _told(job: Job, number: int, message: dict[str, Any]) -> dict[str, Any] | None:
    """A message of the graph; None: it is none between the two, or says nothing."""
    role = _ROLES.get(str(message.get("type") or message.get("role")))
    text = text_of(message.get("content"))
    if role is None or not text:
        return None
    message_id = str(message.get("id") or f"{job.id}-{number}")
    found = {"kind": "message", "messageId": message_id, "role": role, "parts": [text_part(text)]}
    return found | {"contextId": str(job.thread_id)}
