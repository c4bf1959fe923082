"""A project's own rules (`auth` of its `langgraph.json`) for those whom they have let in.

Its handlers run in a worker. They know the operations of the LangGraph protocol and nothing else, so whoever came in by
them may call those only. What a handler says is applied before the route runs: a refusal, a changed value, or filters on
metadata; where filters cannot be applied the request is refused, never let through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope

from mutirao.db import Database
from mutirao.errors import Forbidden, InvalidInput, NotFound
from mutirao.keys import Identity
from mutirao.queries import Queries

AUTHORIZE_SECONDS = 10.0


@dataclass(frozen=True)
class Operation:
    """What a request is in the words of the handlers."""

    resource: str
    action: str
    how: str
    """make: metadata is written; find: metadata is sought; one: the thing of the path; run: a new run, in the thread of
    the path if there is one; item: something of the store."""


_ID = r"[^/]+"
_OPERATIONS = tuple(
    (methods.split(), re.compile(path), Operation(*operation.split()))
    for methods, path, operation in (
        ("POST", "/threads", "threads create make"),
        ("POST", "/threads/(?:search|count)", "threads search find"),
        ("POST", f"/threads/(?P<thread>{_ID})/runs(?:/stream|/wait)?", "threads create_run run"),
        ("POST", f"/threads/(?P<thread>{_ID})/commands", "threads create_run one"),
        ("POST", f"/threads/(?P<thread>{_ID})/runs/crons", "crons create make"),
        ("POST", f"/threads/(?P<thread>{_ID})/runs/{_ID}/cancel", "threads update one"),
        ("POST", f"/threads/(?P<thread>{_ID})/(?:history|state/checkpoint|stream|stream/events|copy)", "threads read one"),
        ("GET", f"/threads/(?P<thread>{_ID})(?:/.*)?", "threads read one"),
        ("PATCH", f"/threads/(?P<thread>{_ID})(?:/state)?", "threads update one"),
        ("POST", f"/threads/(?P<thread>{_ID})/state", "threads update one"),
        ("DELETE", f"/threads/(?P<thread>{_ID})(?:/runs/{_ID})?", "threads delete one"),
        ("POST", "/runs(?:/stream|/wait)?", "threads create_run run"),
        ("POST", "/runs/crons", "crons create make"),
        ("POST", "/runs/crons/(?:search|count)", "crons search find"),
        ("GET", f"/runs/crons/(?P<cron>{_ID})", "crons read one"),
        ("PATCH", f"/runs/crons/(?P<cron>{_ID})", "crons update one"),
        ("DELETE", f"/runs/crons/(?P<cron>{_ID})", "crons delete one"),
        ("POST", "/assistants", "assistants create make"),
        ("POST", "/assistants/(?:search|count)", "assistants search find"),
        ("POST", f"/assistants/(?P<assistant>{_ID})/versions", "assistants read one"),
        ("GET", f"/assistants/(?P<assistant>{_ID})(?:/.*)?", "assistants read one"),
        ("PATCH", f"/assistants/(?P<assistant>{_ID})", "assistants update one"),
        ("POST", f"/assistants/(?P<assistant>{_ID})/latest", "assistants update one"),
        ("DELETE", f"/assistants/(?P<assistant>{_ID})", "assistants delete one"),
        ("PUT", "/store/items", "store put item"), ("GET", "/store/items", "store get item"),
        ("DELETE", "/store/items", "store delete item"), ("POST", "/store/items/search", "store search item"),
        ("POST", "/store/namespaces", "store list_namespaces item"),
    )
)  # fmt: skip

_FITS = {
    name: text(f"SELECT metadata @> :wanted FROM {table} WHERE id = :id AND project_id = :project").bindparams(
        bindparam("wanted", type_=JSONB)
    )
    for name, table in (("thread", "threads"), ("assistant", "assistants"), ("cron", "schedules"))
}


def operation_of(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """What a request is, and the things its path names; None: the handlers have no word for it."""
    for methods, expression, operation in _OPERATIONS:
        if method in methods and (found := expression.fullmatch(path)):
            return operation, {name: value for name, value in found.groupdict().items() if value is not None}
    return None


def contained(filters: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata must contain to fit the filters. Raises Forbidden when containment cannot say it."""
    wanted: dict[str, Any] = {}
    for name, asked in filters.items():
        if name.startswith("$"):
            raise Forbidden(f"the project's rules filter by {name!r}, which cannot be applied here")
        if not isinstance(asked, Mapping) or not any(str(key).startswith("$") for key in asked):
            wanted[name] = asked
        elif list(asked) == ["$eq"]:
            wanted[name] = asked["$eq"]
        elif list(asked) == ["$contains"]:
            wanted[name] = asked["$contains"] if isinstance(asked["$contains"], list) else [asked["$contains"]]
        else:
            raise Forbidden(f"the project's rules filter {name!r} by {[*asked]!r}, which cannot be applied here")
    return wanted


class OwnRules:
    """Asks a worker's handlers, and applies what they say."""

    def __init__(self, db: Database, queries: Queries) -> None:
        self._db = db
        self._queries = queries

    async def apply(self, scope: Scope, receive: Receive, identity: Identity) -> Receive:
        """Let a request pass as the handlers say; what it is to be read from.

        Raises:
            Forbidden: they refuse it, or have no word for it.
            NotFound: what it names does not fit their filters.
        """
        found = operation_of(scope.get("method", "WEBSOCKET"), scope["path"])
        if found is None:
            raise Forbidden(f"the project's rules say nothing about {scope['path']!r}; use a key of the project")
        operation, named = found
        whole = await _whole(receive)
        body = _parsed(whole)
        value = _value(operation, named, body, scope)
        answer = await self._queries.ask(
            identity.project_id,
            "authorize",
            {"resource": operation.resource, "action": operation.action, "value": value, "user": identity.user},
            seconds=AUTHORIZE_SECONDS,
        )
        wanted = contained(answer.get("filters") or {})
        changed = answer.get("value") or {}
        if operation.how == "item":
            new = _item(scope, body, value, changed, wanted)
        else:
            if wanted:
                await self._fit(operation, named, body, wanted, identity.project_id)
            new = _changed(operation, body, changed, wanted, identity)
        return _replay(scope, receive, whole if new == body else orjson.dumps(new))

    async def _fit(
        self, operation: Operation, named: Mapping[str, str], body: Mapping[str, Any], wanted: Any, project: UUID
    ) -> None:
        """What the request names must contain what is wanted, where it is there already."""
        things = dict(named)
        own = operation.resource.removesuffix("s")
        if operation.how == "make" and isinstance(given := body.get(f"{own}_id"), str):
            things[own] = given
        for thing, given in things.items():
            try:
                thing_id = UUID(given)
            except ValueError:
                raise NotFound(f"no {thing} {given!r}") from None
            async with self._db.autocommit() as connection:
                fits = await connection.scalar(_FITS[thing], {"wanted": wanted, "id": thing_id, "project": project})
            if fits is None and operation.how == "run":
                raise Forbidden("the project's rules are about threads; make the thread first (`POST /threads`)")
            if fits is False or (fits is None and operation.how == "one"):
                raise NotFound(f"no {thing} {given!r}")


def _value(operation: Operation, named: Mapping[str, str], body: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """What the handlers are shown."""
    value = {**body, **{f"{name}_id": given for name, given in named.items()}}
    if operation.how == "item":
        query = QueryParams(scope.get("query_string", b""))
        given = query.get("namespace")
        space = given.split(".") if given else body.get("namespace_prefix", body.get("namespace", body.get("prefix")))
        value |= {"namespace": space or [], **({"key": query["key"]} if "key" in query else {})}
    elif operation.how in ("make", "run", "find"):
        value["metadata"] = dict(body.get("metadata") or {})
    return value


def _changed(
    operation: Operation,
    body: Mapping[str, Any],
    changed: Mapping[str, Any],
    wanted: Mapping[str, Any],
    identity: Identity,
) -> dict[str, Any]:
    """The body as the handlers want it."""
    new = dict(body)
    if operation.how in ("make", "run", "find") and isinstance(changed.get("metadata"), dict):
        new["metadata"] = changed["metadata"]
    if operation.how in ("make", "find") and wanted:
        new["metadata"] = _merged(new.get("metadata") or {}, wanted)
    if operation.how == "run":
        new["config"] = _with_user(new.get("config"), identity)
    return new


def _item(
    scope: Scope, body: Mapping[str, Any], value: Mapping[str, Any], changed: Mapping[str, Any], wanted: Any
) -> dict[str, Any]:
    """The store knows no metadata: handlers move the namespace instead."""
    if wanted:
        raise Forbidden("the project's rules filter items of the store, which have no metadata; change `namespace`")
    space = list(changed.get("namespace") or [])
    if not all(isinstance(part, str) for part in space):
        raise Forbidden("the project's rules gave a namespace that is not a list of words")
    if space == list(value["namespace"]):
        return dict(body)
    if scope["method"] == "GET":
        if any("." in part for part in space):
            raise Forbidden("the project's rules gave a namespace with a dot in it")
        query = [
            (name, given) for name, given in QueryParams(scope["query_string"]).multi_items() if name != "namespace"
        ]
        scope["query_string"] = str(QueryParams([*query, ("namespace", ".".join(space))])).encode()
        return dict(body)
    name = {"/store/items/search": "namespace_prefix", "/store/namespaces": "prefix"}.get(scope["path"], "namespace")
    return {**body, name: space}


def _merged(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Both. Raises Forbidden when they contradict each other: nothing would fit."""
    for name, asked in wanted.items():
        if name in given and given[name] != asked:
            raise Forbidden(f"the project's rules want metadata {name!r} to be another value than was sent")
    return {**given, **wanted}


def _with_user(config: Any, identity: Identity) -> dict[str, Any]:
    """The run's graph finds who asked for it where LangGraph's server puts it."""
    config = dict(config) if isinstance(config, dict) else {}
    user = identity.user or {}
    told = {
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": identity.subject,
        "langgraph_auth_permissions": user.get("permissions") or [],
    }
    return {**config, "configurable": {**(config.get("configurable") or {}), **told}}


async def _whole(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = bool(message.get("more_body", False))
    return b"".join(parts)


def _parsed(whole: bytes) -> dict[str, Any]:
    """Raises Forbidden when the body is no object: handlers have no word for it."""
    try:
        found = orjson.loads(whole) if whole else {}
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Forbidden("the project's rules say nothing about a body that is not an object; use a key of the project")
    return found


def _replay(scope: Scope, original: Receive, body: bytes) -> Receive:
    """The body once, then what the server says: that the client is gone."""
    headers = [
        (name, given) for name, given in scope["headers"] if name not in (b"content-length", b"transfer-encoding")
    ]
    scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return await original()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
