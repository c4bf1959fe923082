"""The methods of A2A: a message is a job, or decides what a job asks; a task is looked at, followed, ended."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from pydantic import ValidationError
from starlette.responses import Response

from mutirao.api.doors import a2a_tasks
from mutirao.api.doors.a2a_call import Call, unknown
from mutirao.api.doors.a2a_errors import Code, Refusal, wrong
from mutirao.api.doors.a2a_records import GetParams, SendParams, TaskParams, uuid_of
from mutirao.api.doors.a2a_stream import TaskStream
from mutirao.api.frames import FrameStream
from mutirao.api.langgraph.run_requests import RunRequest, start_run
from mutirao.api.langgraph.run_streams import RunAnswer, until_rest
from mutirao.api.open_requests import caller_of
from mutirao.api.routes.jobs import ended
from mutirao.api.scopes import Class
from mutirao.api.submission import kept
from mutirao.catalogue import check_input
from mutirao.errors import Conflict, NotFound
from mutirao.jobs.records import Job
from mutirao.keys import Scope

CANCEL_SECONDS = 10.0
"""How long the answer to a cancel waits for the task's end."""

_NO_STORE = {"Cache-Control": "no-store"}


async def send(call: Call) -> Response:
    """`message/send`: the task once it is at rest, or as it was accepted."""
    params = call.params(SendParams)
    asked = params.configuration
    waits = asked.waits and not call.request.silent
    job, _ = await _said(call, params, waits=waits)
    if not waits:
        return _json(call.result(await call.shown(job, asked.history_length)))
    return RunAnswer(_rested(call, job, asked.history_length), {}, media_type="application/json")


async def stream(call: Call) -> Response:
    """`message/stream`: the task, then what becomes of it, until it is at rest."""
    if call.request.silent:
        return await send(call)
    params = call.params(SendParams)
    job, after = await _said(call, params, live=True)
    task = await call.shown(job, params.configuration.history_length)
    return FrameStream(TaskStream(call, job, task, after).frames(), headers=_NO_STORE)


async def resubscribe(call: Call) -> Response:
    """`tasks/resubscribe`: the task, then all that has become of it and becomes, until it is at rest."""
    call.caller.need(Scope.READ)
    job = await call.task(call.params(TaskParams).id)
    return FrameStream(TaskStream(call, job, await call.shown(job), 0).frames(), headers=_NO_STORE)


async def get(call: Call) -> Response:
    """`tasks/get`: the task as it is now."""
    call.caller.need(Scope.READ)
    params = call.params(GetParams)
    return _json(call.result(await call.shown(await call.task(params.id), params.history_length)))


async def cancel(call: Call) -> Response:
    """`tasks/cancel`: ask for the task's end; the answer waits for it a little."""
    params = call.params(TaskParams)
    await _may_submit(call)
    job = await call.task(params.id)
    services, project_id = call.services, call.caller.project_id
    try:
        await services.jobs.cancel(project_id, job.id)
    except Conflict:
        state = a2a_tasks.state_of(await services.jobs.get(project_id, job.id))
        raise Refusal(Code.NOT_CANCELABLE, f"task {params.id!r} has ended: {state}", "conflict") from None
    await services.audit.record(call.caller, "job.cancel", job.id, {"door": "a2a"})
    if not call.request.silent:
        job = await ended(services, project_id, job.id, CANCEL_SECONDS)
    return _json(call.result(await call.shown(job)))


METHODS: dict[str, Callable[[Call], Awaitable[Response]]] = {
    "message/send": send,
    "message/stream": stream,
    "tasks/get": get,
    "tasks/cancel": cancel,
    "tasks/resubscribe": resubscribe,
}


async def _said(call: Call, params: SendParams, *, live: bool = False, waits: bool = False) -> tuple[Job, int]:
    """The task that a message begins or answers, and the place in its journal behind which it goes on."""
    params.check()
    await _may_submit(call)
    if params.message.task_id:
        return await _answered(call, params)
    return await _begun(call, params, live=live, waits=waits), 0


async def _begun(call: Call, params: SendParams, *, live: bool, waits: bool) -> Job:
    message = params.message
    thread_id = uuid_of(message.context_id) if message.context_id else None
    if message.context_id and thread_id is None:
        raise _no_context(message.context_id)
    value = a2a_tasks.input_of(message, call.workflow)
    check_input(call.workflow, value)
    noted = {"message_id": message.message_id} if message.message_id else {}
    try:
        request = RunRequest(
            assistant_id=str(call.assistant.id),
            input=value,
            metadata={**(params.metadata or {}), **(message.metadata or {}), **noted, "door": "a2a"},
            stream_mode=["messages-tuple"] if live else [],
            on_completion="keep",
        )
    except ValidationError as error:
        raise wrong(error, Code.INVALID_PARAMS) from None
    try:
        return await start_run(call.services, call.caller, request, thread_id, live=live, urgent=waits)
    except NotFound as error:
        raise _no_context(message.context_id or "") if thread_id is not None else error from None


async def _answered(call: Call, params: SendParams) -> tuple[Job, int]:
    """Decide what a task asks. Its questions all get the same answer, or each its own, by their interrupts' ids."""
    message = params.message
    assert message.task_id is not None
    job = await call.task(message.task_id)
    if message.context_id and uuid_of(message.context_id) != job.thread_id:
        raise Refusal(Code.INVALID_PARAMS, f"task {message.task_id!r} is in context {str(job.thread_id)!r}")
    asked = await call.asked(job)
    if not asked:
        raise _asks_nothing(job)
    call.caller.need(Scope.APPROVE)
    answer = a2a_tasks.answer_of(message)
    try:
        kept(answer)
    except ValueError as error:
        raise Refusal(Code.INVALID_PARAMS, f"/message/parts: {error}") from None
    by_id = isinstance(answer, dict) and any(one.interrupt_id in answer for one in asked)
    for one in asked:
        if by_id and one.interrupt_id not in answer:
            continue
        await call.services.approvals.decide(
            call.caller.project_id,
            one.id,
            answer[one.interrupt_id] if by_id else answer,
            request_sha256=one.request_sha256,
            by=call.caller.actor,
        )
    return await call.services.jobs.get(call.caller.project_id, job.id), job.last_seq


async def _may_submit(call: Call) -> None:
    """What the gate cannot ask, as it does not know the method."""
    call.caller.need(Scope.SUBMIT)
    await call.services.rate_limits.take(str(caller_of(call.caller)), Class.SUBMIT)


async def _rested(call: Call, job: Job, history_length: int | None) -> AsyncGenerator[bytes, None]:
    """The answer, once the task is at rest; a space, which JSON allows, as a sign of life until then."""
    try:
        async with aclosing(until_rest(call.services, call.caller.project_id, job)) as looks:
            async for outcome in looks:
                yield call.result(await call.shown(outcome.job, history_length)) if outcome else b" "
    except NotFound:  # deleted meanwhile
        yield call.failure(unknown(str(job.id)))


def _no_context(context_id: str) -> Refusal:
    said = f"no context {context_id!r} in this project; leave `contextId` out to begin one"
    return Refusal(Code.INVALID_PARAMS, said, "not_found")


def _asks_nothing(job: Job) -> Refusal:
    if job.state.terminal:
        what = f"has ended ({a2a_tasks.state_of(job)}); leave `taskId` out and keep `contextId` to go on from there"
    else:
        what = f"asks nothing now ({a2a_tasks.state_of(job)}); wait for it, or leave `taskId` out to say more after it"
    return Refusal(Code.UNSUPPORTED, f"task {str(job.id)!r} {what}", "conflict")


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=_NO_STORE)
