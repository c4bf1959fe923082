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
    the path if there is one; command: one of the thread protocol; item: something of the store."""


_ID = r"[^/]+"
_OPERATIONS = tuple(
    (methods.split(), re.compile(path), Operation(*operation.split()))
    for methods, path, operation in (
        ("POST", "/threads", "threads create make"),
        ("POST", "/threads/(?:search|count)", "threads search find"),
        ("POST", f"/threads/(?P<thread>{_ID})/runs(?:/stream|/wait)?", "threads create_run run"),
        ("POST", f"/threads/(?P<thread>{_ID})/commands", "threads create_run command"),
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

_RUN, _CRON = Operation("threads", "create_run", "run"), Operation("crons", "create", "make")
_READ_ASSISTANT = Operation("assistants", "read", "one")
_SAVED = text("SELECT NOT system FROM assistants WHERE id = :id AND project_id = :project")

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
        if operation.how == "item":
            new = await self._item(operation, body, scope, identity)
        elif operation.how == "command":
            new = await self._command(named, body, identity)
        else:
            new = await self._judged(operation, named, body, identity)
        return _replay(scope, receive, whole if new == body else orjson.dumps(new))

    async def _judged(
        self, operation: Operation, named: Mapping[str, str], body: dict[str, Any], identity: Identity
    ) -> dict[str, Any]:
        """The body as the handlers want it, when they let it pass."""
        if operation.resource == "crons" and "thread" in named:  # each of its runs is one in that thread
            await self._judged(_RUN, named, body, identity)
        if operation in (_RUN, _CRON):
            await self._may_read_assistant(body.get("assistant_id"), identity)
        changed, wanted = await self._asked(operation, _value(operation, named, body), identity)
        if wanted:
            things = {name: given for name, given in named.items() if operation.resource == f"{name}s"}
            await self._fit(operation, things, body, wanted, identity.project_id)
        return _changed(operation, body, changed, wanted)

    async def _command(self, named: Mapping[str, str], body: dict[str, Any], identity: Identity) -> dict[str, Any]:
        """A command that begins a run is one to the handlers; the others look."""
        method, params = body.get("method"), body.get("params") or {}
        if not isinstance(params, dict):
            raise InvalidInput("`params` is an object", path="/params")
        if method == "run.start":
            return {**body, "params": await self._judged(_RUN, named, params, identity)}
        looks = method in ("state.get", "state.listCheckpoints", "agent.getTree")
        operation = Operation("threads", "read" if looks else "create_run", "one")
        await self._judged(operation, named, params, identity)
        return body

    async def _may_read_assistant(self, given: Any, identity: Identity) -> None:
        """Raises Forbidden or NotFound. Names of workflows are everybody's; what somebody has saved is asked about."""
        try:
            assistant_id = UUID(given)
        except (ValueError, TypeError, AttributeError):
            return
        async with self._db.autocommit() as connection:
            if await connection.scalar(_SAVED, {"id": assistant_id, "project": identity.project_id}):
                await self._judged(_READ_ASSISTANT, {"assistant": str(assistant_id)}, {}, identity)

    async def _asked(
        self, operation: Operation, value: dict[str, Any], identity: Identity
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the handlers have made of the value, and what metadata must contain. Raises Forbidden."""
        answer = await self._queries.ask(
            identity.project_id,
            "authorize",
            {"resource": operation.resource, "action": operation.action, "value": value, "user": identity.user},
            seconds=AUTHORIZE_SECONDS,
        )
        return answer.get("value") or {}, contained(answer.get("filters") or {})

    async def _item(
        self, operation: Operation, body: dict[str, Any], scope: Scope, identity: Identity
    ) -> dict[str, Any]:
        """The handlers judge the namespace that the route reads, and the route reads the one that they have judged."""
        value, place = _place(body, scope)
        changed, wanted = await self._asked(operation, value, identity)
        if wanted:
            raise Forbidden("the project's rules filter items of the store, which have no metadata; change `namespace`")
        space = list(changed.get("namespace") or [])
        if not all(isinstance(part, str) for part in space):
            raise Forbidden("the project's rules gave a namespace that is not a list of words")
        if place is not None:
            return {**body, place: space}
        if any("." in part for part in space):
            raise Forbidden("the project's rules gave a namespace with a dot in it")
        query = [(name, given) for name, given in _query(scope).multi_items() if name not in ("namespace", "key")]
        query += [("key", value["key"])] if "key" in value else []
        scope["query_string"] = str(QueryParams([*query, ("namespace", ".".join(space))])).encode()
        return body

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


def _value(operation: Operation, named: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """What the handlers are shown. Raises InvalidInput."""
    value = {**body, **{f"{name}_id": given for name, given in named.items()}}
    if operation.how in ("make", "run", "find"):
        metadata = body.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise InvalidInput("`metadata` is an object", path="/metadata")
        value["metadata"] = dict(metadata)
    return value


def _place(body: Mapping[str, Any], scope: Scope) -> tuple[dict[str, Any], str | None]:
    """What the handlers are shown of a request to the store, and the field that its route reads the namespace from; None:
    that is the query. Raises InvalidInput."""
    if scope["method"] == "GET":
        query = _query(scope)
        space: Any = [label for part in query.getlist("namespace") for label in part.split(".")]
        return {"namespace": space, **({"key": query["key"]} if "key" in query else {})}, None
    place = {"/store/items/search": "namespace_prefix", "/store/namespaces": "prefix"}.get(scope["path"], "namespace")
    space = body.get(place)
    if space is None:
        space = []
    if not isinstance(space, list) or not all(isinstance(label, str) for label in space):
        raise InvalidInput(f"`{place}` is a list of words", path=f"/{place}")
    others = {name: given for name, given in body.items() if name not in ("namespace", "namespace_prefix", "prefix")}
    return {**others, "namespace": space}, place


def _query(scope: Scope) -> QueryParams:
    return QueryParams(scope.get("query_string", b""))


def _changed(
    operation: Operation,
    body: Mapping[str, Any],
    changed: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> dict[str, Any]:
    """The body as the handlers want it."""
    new = dict(body)
    if operation.how in ("make", "run", "find") and isinstance(changed.get("metadata"), dict):
        new["metadata"] = changed["metadata"]
    if operation.how in ("make", "find") and wanted:
        new["metadata"] = _merged(new.get("metadata") or {}, wanted)
    return new


def _merged(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Both. Raises Forbidden when they contradict each other: nothing would fit."""
    for name, asked in wanted.items():
        if name in given and given[name] != asked:
            raise Forbidden(f"the project's rules want metadata {name!r} to be another value than was sent")
    return {**given, **wanted}


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
