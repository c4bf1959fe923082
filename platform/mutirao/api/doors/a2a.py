"""The A2A door: conversational workflows as agents. A task is a job, a context is its thread."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from mutirao.api.doors import a2a_methods, a2a_records
from mutirao.api.doors.a2a_call import Call
from mutirao.api.doors.a2a_card import AgentCard, card_of
from mutirao.api.doors.a2a_errors import Code, Refusal, RpcError, a2a_responses, refused
from mutirao.api.doors.a2a_records import RpcRequest
from mutirao.api.doors.a2a_versions import is_newer
from mutirao.api.doors.conversation import conversational
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.assistants import Assistant
from mutirao.errors import MutiraoError, NotFound
from mutirao.keys import Identity

router = APIRouter(tags=["a2a"])

CARD = "/.well-known/agent-card.json"
VERSION = "A2A-Version"

_NOT_DONE = {
    "tasks/list": (Code.UNSUPPORTED, "tasks are listed by GET /api/v1/jobs, or GET /threads/{thread_id}/runs"),
    "agent/getAuthenticatedExtendedCard": (Code.NO_EXTENDED_CARD, "there is one card, for whoever has a key"),
}
_PUSH = "tasks/pushNotificationConfig/"
_EXAMPLE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "message/send",
    "params": {
        "message": {"role": "user", "messageId": "m1", "parts": [{"kind": "text", "text": "Where do bees live?"}]}
    },
}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": RpcRequest.model_json_schema(), "example": _EXAMPLE}},
}
_SSE: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


class RpcAnswer(BaseModel):
    """An answer of JSON-RPC: a result, or an error."""

    jsonrpc: str = "2.0"
    id: str | int | None
    result: dict[str, Any] | None = Field(None, description="A task, or what has become of one.")
    error: RpcError | None = None


@router.get(CARD, responses=details(401, 404, 422))
async def get_agent_card(
    assistant_id: Annotated[str, Query(description="Id of an assistant, or name of a workflow.")],
    request: Request,
    services: HasServices,
    caller: Caller,
) -> AgentCard:
    """What an agent is, and how it is called."""
    return await _card(assistant_id, request, services, caller)


@router.get(f"/a2a/{{assistant_id}}{CARD}", responses=details(401, 404, 422))
async def get_agent_card_of(assistant_id: str, request: Request, services: HasServices, caller: Caller) -> AgentCard:
    """The same, where clients look for it that are given the agent's address."""
    return await _card(assistant_id, request, services, caller)


@router.post(
    "/a2a/{assistant_id}",
    response_model=RpcAnswer,
    responses={
        **a2a_responses(401, 404, 413, 422, 503),
        200: {"content": _SSE},
        204: {"description": "It was a call without `id`."},
    },
    openapi_extra={"requestBody": _BODY},
)
async def call_agent(assistant_id: str, request: Request, services: HasServices, caller: Caller) -> Response:
    """Call a method of A2A: `message/send`, `message/stream`, `tasks/get`, `tasks/cancel`, `tasks/resubscribe`.

    Names of version 1.0 (`SendMessage`, …) are answered in its words. What is wrong with a call is told by an `error`
    with status 200. A caller that hangs up does not cancel the task.
    """
    assistant = await services.known_assistants.resolve(caller.project_id, assistant_id)
    body = await request.body()
    try:
        call = a2a_records.read(body)
    except Refusal as refusal:
        return refused(a2a_records.id_of(body), refusal)
    try:
        answer = await _answer(call, request, services, caller, assistant)
    except (Refusal, MutiraoError) as error:
        answer = refused(call.id, error, newer=is_newer(call.method))
    return Response(status_code=204) if call.silent else answer


async def _answer(
    call: RpcRequest, request: Request, services: Services, caller: Identity, assistant: Assistant
) -> Response:
    version = request.headers.get(VERSION)
    if version and not version.startswith(("0.", "1.")):
        raise Refusal(Code.VERSION, f"version {version[:40]!r} is not spoken here; 1.0 and 0.3 are")
    workflow = await conversational(services, assistant.workflow, "GET /v1/models")
    found = Call(services, caller, assistant, workflow, call)
    if (method := a2a_methods.METHODS.get(found.method)) is not None:
        return await method(found)
    if found.method.startswith(_PUSH):
        raise Refusal(Code.NO_PUSH_NOTIFICATIONS, "push notifications are not sent; a project's webhooks are")
    if found.method in _NOT_DONE:
        raise Refusal(*_NOT_DONE[found.method])
    there = ", ".join(a2a_methods.METHODS)
    raise Refusal(Code.UNKNOWN_METHOD, f"unknown method {call.method!r}; there are {there}")


async def _card(assistant_id: str, request: Request, services: Services, caller: Identity) -> AgentCard:
    assistant = await services.known_assistants.resolve(caller.project_id, assistant_id)
    try:
        workflow = await conversational(services, assistant.workflow, "GET /v1/models")
    except MutiraoError as error:
        raise NotFound(error.message) from None  # no agent, so no card
    return card_of(assistant, workflow, assistant_id, str(request.base_url))
