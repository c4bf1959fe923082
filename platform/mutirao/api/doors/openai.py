"""The OpenAI door: conversational workflows as chat models. Each completion is a job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from mutirao.api.broadcast import Entry
from mutirao.api.doors.conversation import conversational, converses, last_answer, message_in
from mutirao.api.doors.openai_errors import error_body, openai_responses
from mutirao.api.doors.openai_records import (
    Answer,
    ChatRequest,
    Choice,
    Completion,
    Model,
    ModelList,
    Tokens,
)
from mutirao.api.services import Caller, HasServices, Services
from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import Conflict
from mutirao.jobs.records import Job, RunOptions, StreamOptions, Submission
from mutirao.jobs.states import JobState
from mutirao.keys import Identity

router = APIRouter(prefix="/v1", tags=["openai"])

_DISCONNECT = "http.disconnect"
_LIST = "GET /v1/models"


@router.get("/models", responses=openai_responses(401))
async def list_models(services: HasServices, caller: Caller) -> ModelList:
    """Workflows whose input has `messages`."""
    entries = await services.catalogue.entries()
    return ModelList(data=[_model(entry) for entry in entries if converses(entry)])


@router.get("/models/{model}", responses=openai_responses(401, 404, 422))
async def get_model(model: str, services: HasServices, caller: Caller) -> Model:
    """One of them."""
    return _model(await conversational(services, model, _LIST))


@router.post("/chat/completions", response_model=Completion, responses=openai_responses(400, 401, 404, 413, 422, 500))
async def complete(request: Request, body: ChatRequest, services: HasServices, caller: Caller) -> Response:
    """Ask a conversational workflow. With `stream` the answer comes as server-sent events while it is written.

    The whole conversation comes with each request, as OpenAI's clients send it; the job's id is in the header
    `X-Mutirao-Job-Id` and in the completion's `id`. A caller that hangs up cancels the job.
    """
    job = await _submit(services, caller, body)
    headers = {"X-Mutirao-Job-Id": str(job.id)}
    if body.stream:
        headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = _Stream(services, caller, job, body)
        return StreamingResponse(stream.frames(), media_type="text/event-stream", headers=headers)
    ended = await _ended(services, caller, job, request)
    if ended.state not in (JobState.SUCCEEDED, JobState.PAUSED):
        return JSONResponse(_failure(ended), 500, headers=headers)
    completion = Completion(
        id=_completion_id(job),
        created=int(job.created_at.timestamp()),
        model=body.model,
        choices=[Choice(message=Answer(content=await _said(services, caller, ended)))],
        usage=await _tokens(services, job),
    )
    return JSONResponse(completion.model_dump(), headers=headers)


class _Stream:
    """The frames of one streamed completion."""

    def __init__(self, services: Services, caller: Identity, job: Job, body: ChatRequest) -> None:
        self._services = services
        self._caller = caller
        self._job = job
        self._model = body.model
        self._usage = bool(body.stream_options and body.stream_options.include_usage)
        self._said_by: set[str] = set()

    async def frames(self) -> AsyncIterator[bytes]:
        """Server-sent events until `[DONE]`."""
        try:
            yield self._chunk({"role": "assistant", "content": ""})
            async for event in self._services.journal.follow(self._caller.project_id, self._job.id, until_rest=True):
                if text := self._text(event):
                    yield self._chunk({"content": text})
            async for frame in self._end():
                yield frame
        except (asyncio.CancelledError, GeneratorExit):
            await asyncio.shield(_cancel(self._services, self._caller, self._job))
            raise

    async def _end(self) -> AsyncIterator[bytes]:
        job = await self._services.jobs.get(self._caller.project_id, self._job.id)
        if job.state not in (JobState.SUCCEEDED, JobState.PAUSED):
            yield _frame(_failure(job))
        else:
            if not self._said_by:  # a model, or a graph, that does not stream
                yield self._chunk({"content": await _said(self._services, self._caller, job)})
            yield self._chunk({}, finish="stop")
            if self._usage:
                usage = (await _tokens(self._services, job)).model_dump()
                yield _frame(self._envelope() | {"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def _text(self, event: Entry) -> str:
        """What a piece of a model's answer adds; whole messages count where nothing of them came in pieces."""
        found = message_in(event)
        if found is None:
            return ""
        message_id, text, piece = found
        if not piece and message_id in self._said_by:
            return ""
        self._said_by.add(message_id)
        return text

    def _envelope(self) -> dict[str, Any]:
        created = int(self._job.created_at.timestamp())
        return {
            "id": _completion_id(self._job),
            "object": "chat.completion.chunk",
            "created": created,
            "model": self._model,
        }

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _frame(self._envelope() | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


async def _submit(services: Services, caller: Identity, body: ChatRequest) -> Job:
    workflow = await conversational(services, body.model, _LIST)
    messages = [message.model_dump(exclude_none=True) for message in body.messages]
    modes = ["messages-tuple"] if body.stream else []
    submission = Submission(
        project_id=caller.project_id,
        workflow=workflow.name,
        version=workflow.version,
        queue=workflow.queue,
        kind=workflow.kind,
        input={"messages": messages},
        metadata={"door": "openai", **(body.metadata or {}), **({"user": body.user} if body.user else {})},
        run=RunOptions(
            config={"configurable": body.sampling} if body.sampling else {},
            stream=StreamOptions(modes=modes, live=body.stream),
            on_disconnect="cancel",
            on_completion="delete",
        ),
        created_by=caller.actor,
        ephemeral=True,
        max_attempts=services.settings.worker.attempts,
    )
    await services.limits.check("max_queued_jobs", caller.project_id)
    job, _ = await services.jobs.accept(submission)
    services.changes.told(job.id)
    services.hints.send(job.queue, job.id)
    return job


def _model(entry: CataloguedWorkflow) -> Model:
    return Model(id=entry.name, created=int(entry.created_at.timestamp()))


async def _ended(services: Services, caller: Identity, job: Job, request: Request) -> Job:
    """The job at rest; it is cancelled when the caller hangs up before."""
    rest = asyncio.create_task(_rest(services, caller, job))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((rest, gone), return_when=asyncio.FIRST_COMPLETED)
        if not rest.done():
            await _cancel(services, caller, job)
        return await rest
    finally:
        rest.cancel()
        gone.cancel()


async def _rest(services: Services, caller: Identity, job: Job) -> Job:
    async for _ in services.journal.follow(caller.project_id, job.id, until_rest=True):
        pass
    return await services.jobs.get(caller.project_id, job.id)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != _DISCONNECT:
        pass


async def _cancel(services: Services, caller: Identity, job: Job) -> None:
    with suppress(Conflict):  # it has ended
        await services.jobs.cancel(caller.project_id, job.id, by=caller.actor)
        await services.audit.record(caller, "job.cancel", job.id, {"door": "openai"})


async def _said(services: Services, caller: Identity, job: Job) -> str:
    """The last message of the assistant, or what the job asks a person."""
    if job.state is JobState.PAUSED:
        asked = await services.approvals.of_job(caller.project_id, job.id)
        open_ones = [approval.request for approval in asked if approval.state == "pending"]
        return "\n\n".join(one if isinstance(one, str) else orjson.dumps(one).decode() for one in open_ones)
    return last_answer(job) or ""


async def _tokens(services: Services, job: Job) -> Tokens:
    usage = await services.usage.of_job(job.id)
    return Tokens(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
    )


def _failure(job: Job) -> dict[str, Any]:
    why = job.error.message if job.error else job.state.value
    return error_body(
        f"job {job.id} has {job.state.value}: {why}", 500, job.error.code if job.error else job.state.value
    )


def _completion_id(job: Job) -> str:
    return f"chatcmpl-{job.id.hex}"


def _frame(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"
