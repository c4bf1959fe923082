"""Runs the handlers of a project's `langgraph_sdk.Auth`."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from langgraph_sdk import Auth
from langgraph_sdk.auth.types import AuthContext
from mutirao.errors import Forbidden, InvalidInput, MutiraoError, Unauthorized
from mutirao_agents.users import ProjectUser
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mutirao_workers.steps import as_json


class Refused(MutiraoError):
    """What a handler raised: its status, its words."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None) -> None:
        super().__init__(detail, headers=dict(headers or {}))
        self.status = status  # type: ignore[misc] # the handler's
        self.code = {401: Unauthorized.code, 403: Forbidden.code}.get(status, "refused")  # type: ignore[misc] # as above


class Headers(dict[bytes, bytes]):
    """Names and values are bytes, as LangGraph's documentation says; asked for by a text, the value is one, too."""

    def __missing__(self, name: Any) -> Any:
        if isinstance(name, str):
            return self[name.lower().encode("latin-1")].decode("latin-1")
        raise KeyError(name)

    def get(self, name: Any, default: Any = None) -> Any:
        """As a dictionary's."""
        try:
            return self[name]
        except KeyError:
            return default


class AuthHandlers:
    """One project's `Auth`. Raises TypeError when it is none."""

    def __init__(self, auth: Any) -> None:
        if not isinstance(auth, Auth):
            raise TypeError(f"{type(auth).__name__} is no langgraph_sdk.Auth")
        self._auth = auth

    async def authenticate(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The user behind a request.

        Raises:
            Refused: as the handler says.
            Unauthorized: the handler names nobody.
        """
        handler = self._auth._authenticate_handler
        if handler is None:
            raise InvalidInput("the project's Auth has no @auth.authenticate handler")
        said = await _called(handler, _given(handler, asked))
        fields = {"identity": said} if isinstance(said, str) else _fields(said)
        if not fields.get("identity"):
            raise Unauthorized("the project's authenticate handler names nobody")
        user: dict[str, Any] = as_json(ProjectUser(fields).dict())
        return user

    async def authorize(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """`{"filters", "value"}`: what found things must fit, and the value as the handler has left it.

        Raises:
            Forbidden: the handler says no.
            Refused: as the handler says.
        """
        resource, action, value = asked["resource"], asked["action"], asked.get("value") or {}
        handler = self._handler(resource, action)
        if handler is None:
            return {"filters": None, "value": value}
        user = ProjectUser(asked["user"])
        permissions = list(asked.get("permissions") or user.permissions)
        context: Any = AuthContext(permissions=permissions, user=user, resource=resource, action=action)
        said = await _called(handler, {"ctx": context, "value": value})
        if said is False:
            raise Forbidden(f"the project's rules do not allow {action!r} on {resource!r}")
        return {"filters": None if said in (None, True) else as_json(said), "value": as_json(value)}

    def _handler(self, resource: str, action: str) -> Any:
        """The most particular one: of resource and action, of either, of everything."""
        for key in ((resource, action), (resource, "*"), ("*", action), ("*", "*")):
            if handlers := self._auth._handlers.get(key):
                return handlers[-1]
        return self._auth._global_handlers[-1] if self._auth._global_handlers else None


def _given(handler: Callable[..., Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a handler names."""
    headers = {str(name).lower(): str(value) for name, value in (asked.get("headers") or {}).items()}
    path, query = asked.get("path") or "/", asked.get("query_params") or {}
    scope = {
        "type": "http",
        "method": asked.get("method") or "GET",
        "path": path,
        "path_params": asked.get("path_params") or {},
        "query_string": "&".join(f"{name}={value}" for name, value in query.items()).encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }
    offered = {
        "request": Request(scope),
        "scope": scope,
        "path": path,
        "method": scope["method"],
        "path_params": scope["path_params"],
        "query_params": query,
        "headers": Headers({name.encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}),
        "authorization": headers.get("authorization"),
        "body": asked.get("body"),
    }
    wanted = inspect.signature(handler).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in wanted.values()):
        return offered
    return {name: value for name, value in offered.items() if name in wanted}


async def _called(handler: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        if inspect.iscoroutinefunction(handler):
            return await handler(**given)
        said = await asyncio.to_thread(handler, **given)
        return await said if inspect.isawaitable(said) else said
    except (Auth.exceptions.HTTPException, HTTPException) as error:
        raise Refused(error.status_code, str(error.detail), error.headers) from error
    except AssertionError as error:
        raise Refused(401, str(error) or "Unauthorized", None) from error


def _fields(said: Any) -> dict[str, Any]:
    if isinstance(said, Mapping):
        return dict(said)
    if hasattr(said, "model_dump"):
        return dict(said.model_dump())
    names = [*getattr(said, "__dict__", {}), "identity", "display_name", "is_authenticated", "permissions"]
    return {name: getattr(said, name) for name in names if not name.startswith("_") and hasattr(said, name)}
