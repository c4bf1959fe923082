"""`?fields=id,state`: answers of the native API with these fields only, in objects and in the rows of pages."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs

import orjson
from fastapi import Depends, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mutirao.api.openapi import amend
from mutirao.api.problems import MEDIA_TYPE, problem

_JSON = "application/json"
MEDIA_TYPE_OF_PARTS = "application/vnd.mutirao.fields+json"
"""Of an answer with some of its fields: it fits no schema but its own."""
_ASKED = "mutirao.fields"


async def _asked_fields(request: Request) -> frozenset[str]:
    asked: frozenset[str] = request.scope.get(_ASKED, frozenset())
    return asked


AskedFields = Annotated[frozenset[str], Depends(_asked_fields)]
"""The fields that the caller wants, for routes that spare themselves the others; empty: all."""


class FieldSelection:
    """Middleware: cuts JSON answers of GET under `prefix`. `document` gives the OpenAPI document, asked for once."""

    def __init__(self, app: ASGIApp, prefix: str, document: Callable[[], dict[str, Any]]) -> None:
        self.app = app
        self.prefix = prefix
        self.document = document
        self._known: list[tuple[re.Pattern[str], tuple[str | None, frozenset[str]]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked(scope)
        if not asked:
            await self.app(scope, receive, send)
            return
        scope[_ASKED] = frozenset(asked)
        start: Message = {}
        body = bytearray()

        async def kept(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                if not self._cuts(message):
                    await send(message)
            elif not self._cuts(start):
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    await self._answer(asked, scope, start, bytes(body), receive, send)

        await self.app(scope, receive, kept)

    def _asked(self, scope: Scope) -> list[str]:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self.prefix):
            return []
        if b"fields=" not in scope["query_string"]:
            return []
        given = parse_qs(scope["query_string"].decode("latin-1")).get("fields", [])
        return [name.strip() for part in given for name in part.split(",") if name.strip()]

    def _cuts(self, start: Message) -> bool:
        headers = {name.lower(): value for name, value in start["headers"]}
        return bool(start["status"] == 200) and headers.get(b"content-type", b"").startswith(_JSON.encode())

    async def _answer(
        self, asked: list[str], scope: Scope, start: Message, body: bytes, receive: Receive, send: Send
    ) -> None:
        rows, known = self._fields_of(scope["path"].removeprefix(scope.get("root_path", "")))
        if unknown := [name for name in asked if name not in known]:
            names = ", ".join(sorted(known)) or "none"
            detail = f"fields: no field {unknown[0]!r} here; there are {names}"
            await problem(Request(scope), 422, "invalid_request", detail)(scope, receive, send)
            return
        cut = orjson.dumps(_cut(orjson.loads(body), rows, frozenset(asked)))
        headers = MutableHeaders(scope=start)
        headers["content-length"], headers["content-type"] = str(len(cut)), MEDIA_TYPE_OF_PARTS
        await send(start)
        await send({"type": "http.response.body", "body": cut})

    def _fields_of(self, path: str) -> tuple[str | None, frozenset[str]]:
        if self._known is None:
            found = fields_by_path(self.document()).items()
            # Paths without parameters first: `/jobs/counts` is no job.
            self._known = [(compile_path(path)[0], what) for path, what in sorted(found, key=lambda one: "{" in one[0])]
        return next((what for shape, what in self._known if shape.match(path)), (None, frozenset()))


def install(app: FastAPI, prefix: str) -> None:
    """Say in the OpenAPI document where `fields` may be asked for."""
    refusal = {
        "description": "Unprocessable Entity",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }

    def offer(document: dict[str, Any]) -> None:
        for path, (_, names) in fields_by_path(document).items():
            operation = document["paths"][path]["get"]
            parameter = _parameter(names)
            if names and path.startswith(prefix) and parameter not in operation.get("parameters", ()):
                operation.setdefault("parameters", []).append(parameter)
                operation["responses"].setdefault("422", refusal)
                operation["responses"]["200"]["content"][MEDIA_TYPE_OF_PARTS] = {"schema": {}}

    amend(app, offer)


def _parameter(names: frozenset[str]) -> dict[str, Any]:
    return {
        "name": "fields",
        "in": "query",
        "required": False,
        "description": "Only these fields of each object, separated by commas.",
        "schema": {"type": "array", "items": {"type": "string", "enum": sorted(names)}},
        "style": "form",
        "explode": False,
    }


def fields_by_path(document: dict[str, Any]) -> dict[str, tuple[str | None, frozenset[str]]]:
    """For the GET of each path: where its rows are (None: the answer itself), and which fields an object has."""
    found = {}
    for path, operations in document["paths"].items():
        schema = _schema(operations.get("get"))
        if schema is not None:
            found[path] = _objects(document, schema)
    return found


def _schema(operation: dict[str, Any] | None) -> dict[str, Any] | None:
    content = (operation or {}).get("responses", {}).get("200", {}).get("content", {})
    found: dict[str, Any] | None = content.get(_JSON, {}).get("schema")
    return found


def _objects(document: dict[str, Any], schema: dict[str, Any]) -> tuple[str | None, frozenset[str]]:
    schema = _resolved(document, schema)
    if schema.get("type") == "array":
        return None, _names(document, schema["items"])
    properties = schema.get("properties", {})
    arrays = [name for name, of in properties.items() if _resolved(document, of).get("type") == "array"]
    if "next" in properties and len(arrays) == 1:  # a page
        return arrays[0], _names(document, _resolved(document, properties[arrays[0]])["items"])
    return None, frozenset(properties)


def _names(document: dict[str, Any], schema: dict[str, Any]) -> frozenset[str]:
    return frozenset(_resolved(document, schema).get("properties", {}))


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _cut(value: Any, rows: str | None, names: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_cut(row, None, names) for row in value]
    if rows is not None:
        return value | {rows: _cut(value[rows], None, names)}
    return {name: part for name, part in value.items() if name in names}
