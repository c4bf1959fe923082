"""Workflows as MCP tools. A call is a job: its steps are the call's progress, and who cancels the call cancels the job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import mcp_types as types
import orjson
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mutirao import __version__
from mutirao.api.broadcast import Entry
from mutirao.api.gate import IDENTITY
from mutirao.api.open_requests import caller_of
from mutirao.api.services import Services
from mutirao.api.submission import JobRequest, submit
from mutirao.catalogue import CataloguedWorkflow, WorkflowUnknown
from mutirao.errors import Conflict, MutiraoError, RateLimited
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState
from mutirao.keys import Identity

Context = ServerRequestContext[Any, Any]
_INSTRUCTIONS = (
    "Each tool is a workflow that runs as a durable job. A call ends when its job has ended, or waits for a decision of a "
    "person; cancelling the call cancels the job."
)
_TOOLS_IN_PAGE = 100


class McpServer:
    """One MCP server over the services of this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        server: Server[Any] = Server(
            "mutirao",
            version=__version__,
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        api = services.settings.api
        # No event store: what a reader has missed is in the job's journal, under the id that the result names.
        self._manager = StreamableHTTPSessionManager(
            server,
            max_request_body_size=api.max_body_bytes,
            max_sessions=api.mcp_sessions,
            session_idle_timeout=api.mcp_idle_seconds,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sessions live while this is open."""
        async with self._manager.run():
            yield

    async def handle(self, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request of the caller that `identity` is."""
        # What the manager compares with who has opened the session; the key itself is not needed there.
        owner = str(caller_of(identity))
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=owner, scopes=[]))
        if not Headers(scope=scope).get(MCP_SESSION_ID_HEADER):
            self._check_room(owner)
        await self._manager.handle_request(scope, receive, send)

    def _check_room(self, owner: str) -> None:
        """Raises RateLimited when one more session would be too many for one caller."""
        most = self._services.settings.api.mcp_sessions_per_caller
        open_sessions = sum(context["client_id"] == owner for context in [*self._manager._session_owners.values()])
        if open_sessions >= most:
            raise RateLimited(
                f"this key has {most} MCP sessions open; end one (DELETE), or raise MUTIRAO_MCP_SESSIONS_PER_CALLER",
                headers={"Retry-After": "5"},
            )

    async def _list_tools(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        after = (params.cursor if params else None) or ""
        entries = [entry for entry in await self._services.catalogue.entries() if entry.name > after]
        page = entries[:_TOOLS_IN_PAGE]
        following = page[-1].name if len(entries) > len(page) else None
        return types.ListToolsResult(tools=[_tool(entry) for entry in page], next_cursor=following)

    async def _call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        assert context.request is not None  # this server has no other transport than HTTP
        identity: Identity = context.request.scope[IDENTITY]
        try:
            request = JobRequest(workflow=params.name, input=params.arguments or {}, metadata={"door": "mcp"})
            job, _ = await submit(self._services, identity, request)
        except WorkflowUnknown as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from None
        except MutiraoError as error:
            return _refused(error)
        except ValueError as error:
            return _said(str(error), error=True)
        try:
            await self._follow(context, identity, job)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True), suppress(Conflict):  # it may just have ended
                await self._services.jobs.cancel(identity.project_id, job.id, by=identity.actor)
                await self._services.audit.record(identity, "job.cancel", job.id, {"door": "mcp"})
            raise
        return await self._result(identity, job, str(context.request.base_url).rstrip("/"))

    async def _follow(self, context: Context, identity: Identity, job: Job) -> None:
        done = 0
        async for event in self._services.journal.follow(identity.project_id, job.id, until_rest=True):
            if told := _progress(event):
                done += 1
                await context.session.report_progress(done, None, told)

    async def _result(self, identity: Identity, job: Job, url: str) -> types.CallToolResult:
        job = await self._services.jobs.get(identity.project_id, job.id)
        meta = {"mutirao/job_id": str(job.id), "mutirao/state": job.state.value}
        if job.state is JobState.SUCCEEDED:
            output = job.output if isinstance(job.output, dict) else {"output": job.output}
            files: list[Any] = [
                types.ResourceLink(
                    uri=f"{url}/api/v1/jobs/{job.id}/artifacts/{artifact.name}",
                    name=artifact.name,
                    mime_type=artifact.media_type,
                    size=artifact.size,
                )
                for artifact in await self._services.jobs.artifacts(identity.project_id, job.id)
            ]
            return _said(orjson.dumps(output).decode(), structured=output, more=files, meta=meta)
        if job.state is JobState.PAUSED:
            asked = [
                {"approval_id": str(approval.id), "request": approval.request}
                for approval in await self._services.approvals.of_job(identity.project_id, job.id)
                if approval.state == "pending"
            ]
            found = {"job_id": str(job.id), "state": job.state.value, "approvals": asked}
            told = f"job {job.id} waits for a decision: POST {url}/api/v1/approvals/{{approval_id}}"
            return _said(told, structured=found, meta=meta)
        why = job.error.message if job.error else job.state.value
        return _said(f"job {job.id} has {job.state.value}: {why}", error=True, meta=meta)


def _tool(entry: CataloguedWorkflow) -> types.Tool:
    schema = entry.input_schema
    if schema.get("type") != "object":  # the protocol wants one at the root
        schema = {"type": "object", "allOf": [schema]}
    return types.Tool(name=entry.name, description=entry.description or None, input_schema=schema)


def _progress(event: Entry) -> str | None:
    """What a client is told of an event; None: nothing."""
    match event.type:
        case "job.started":
            return "started"
        case "step.started":
            return f"{event.step}: started"
        case "step.finished":
            return f"{event.step}: finished"
        case "progress":
            data = event.data
            return f"{event.step}: {data.get('done')} of {data.get('total')} {data.get('what') or ''}".rstrip()
    return None


def _refused(error: MutiraoError) -> types.CallToolResult:
    return _said(error.message, error=True, meta={"mutirao/code": error.code})


def _said(
    text: str,
    *,
    structured: dict[str, Any] | None = None,
    more: list[Any] | None = None,
    error: bool = False,
    meta: dict[str, Any] | None = None,
) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=text), *(more or [])],
        structured_content=structured,
        is_error=error,
        _meta=meta,
    )
