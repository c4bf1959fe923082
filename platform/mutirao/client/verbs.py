"""Verbs: one description of each call, from which `Client` and `AsyncClient` both have their typed method.

A verb is written as a method that describes the request. Reached through a `Client` it runs and gives the record;
through an `AsyncClient` it gives the same to `await`. Lists that come in pages also have `each`, which reads page after
page as one goes on, and `select`, which asks for some fields only.
"""

import inspect
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, update_wrapper
from inspect import Signature, signature
from types import NoneType
from typing import Any, BinaryIO, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from mutirao.client.connection import AsyncConnection, Connection, NotAnApi
from mutirao.client.encoding import encoded
from mutirao.client.flows import Flow, Item, Request, asked

PAGE = 200
_PLACE = re.compile(r"\{(\w+)\}")
JSON = {"Content-Type": "application/json"}
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What goes with a request beside its method and path; what is None in `query` is left out.

    `revision`: change it only while it has this one. `limit`: rows of a list, None: all of them.
    """

    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, BinaryIO]] | None = None
    revision: int | None = None
    limit: int | None = None
    silence_seconds: float = 0

    def request(self, route: str, values: Mapping[str, Any]) -> Request:
        """The request to a route such as `GET /jobs/{job_id}`, with `values` in its path."""
        method, _, path = route.partition(" ")
        headers = dict(self.headers)
        if self.body is not None:
            headers |= JSON
        if self.revision is not None:
            headers["If-Match"] = f'"{self.revision}"'
        return Request(
            method=method,
            path=_PLACE.sub(lambda place: quote(str(values[place[1]]), safe=""), path),
            params={name: _plain(value) for name, value in self.query.items() if value is not None},
            headers=headers,
            content=None if self.body is None else encoded(self.body),
            files=self.files,
            silence_seconds=self.silence_seconds,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool) else str(value)


class Verbs:
    """A group of verbs of one API."""

    _connection: Any
    _patience_seconds: float

    @property
    def url(self) -> str:
        """Where the API is, without a slash at the end."""
        return str(self._connection.url)

    def _read(self, kind: type[R], request: Request) -> Flow[R]:
        content = yield from asked(request, self._patience_seconds)
        return self._decoded(kind, content)

    def _decoded(self, kind: type[R], content: bytes) -> R:
        """The answer as a record. Raises NotAnApi when it is something else."""
        found: Any
        try:
            if kind is NoneType:
                found = None
            elif kind is bytes:
                found = content
            elif kind is str:
                found = content.decode()
            else:
                found = _adapter(kind).validate_json(content)
        except (ValidationError, UnicodeDecodeError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise self._not_an_api(reason) from None
        return cast(R, found)

    def _rows(self, kind: type[R], rows: Any) -> list[R]:
        try:
            found: list[R] = _adapter(list[kind]).validate_python(rows)  # type: ignore[valid-type] # a type made here
        except ValidationError as error:
            raise self._not_an_api(error.errors()[0]["msg"]) from None
        return found

    def _not_an_api(self, reason: str) -> NotAnApi:
        return NotAnApi(
            f"{self.url} answered something this version does not read ({reason}); "
            "is the URL that of a Mutirão API, and of the same version?",
            url=self.url,
        )


class SyncVerbs(Verbs):
    """Verbs that run at once."""

    _connection: Connection


class AsyncVerbs(Verbs):
    """Verbs to be awaited."""

    _connection: AsyncConnection


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


class Verb(Generic[P, R]):
    """A call with one result. `routes` are the routes of the API it uses."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[R]], *routes: str) -> None:
        self.flow = flow
        self.described: Callable[..., Any] = inspect.unwrap(flow)
        self.routes = routes
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncVerbs, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, client: AsyncVerbs, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, client: Verbs | None, owner: type) -> Any:
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client._connection.run(self.flow(client, *args, **kwargs))

        return update_wrapper(call, self.flow)


class Following(Generic[P, R]):
    """A call with many results, which come one after the other."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[None]], kind: type[R], *routes: str) -> None:
        self.flow = flow
        self.described: Callable[..., Any] = flow
        self.kind = kind
        self.routes = routes
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncVerbs, owner: type) -> Callable[P, Iterator[R]]: ...
    @overload
    def __get__(self, client: AsyncVerbs, owner: type) -> Callable[P, AsyncIterator[R]]: ...
    def __get__(self, client: Verbs | None, owner: type) -> Any:
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client._connection.each(self.flow(client, *args, **kwargs))

        return update_wrapper(call, self.flow)


class Rows(Generic[P, R]):
    """A list of a `Client`: called, it gives the rows."""

    def __init__(self, client: SyncVerbs, listing: "Listing[P, R]") -> None:
        self._client, self._listing, self._run = client, listing, client._connection

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        return self._run.run(self._listing.all_rows(self._client, *args, **kwargs))

    def each(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        """The rows one after the other; the next page is asked for when it is needed."""
        return self._run.each(self._listing.row_by_row(self._client, *args, **kwargs))

    def select(self, fields: Sequence[str], *args: P.args, **kwargs: P.kwargs) -> list[dict[str, Any]]:
        """The rows with these fields only, as plain JSON. Raises InvalidInput, naming a field that is unknown."""
        return self._run.run(self._listing.some_fields(fields, self._client, *args, **kwargs))


class AsyncRows(Generic[P, R]):
    """A list of an `AsyncClient`: called and awaited, it gives the rows."""

    def __init__(self, client: AsyncVerbs, listing: "Listing[P, R]") -> None:
        self._client, self._listing, self._run = client, listing, client._connection

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        return await self._run.run(self._listing.all_rows(self._client, *args, **kwargs))

    def each(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        """The rows one after the other; the next page is asked for when it is needed."""
        return self._run.each(self._listing.row_by_row(self._client, *args, **kwargs))

    async def select(self, fields: Sequence[str], *args: P.args, **kwargs: P.kwargs) -> list[dict[str, Any]]:
        """The rows with these fields only, as plain JSON. Raises InvalidInput, naming a field that is unknown."""
        return await self._run.run(self._listing.some_fields(fields, self._client, *args, **kwargs))


class Listing(Generic[P, R]):
    """A list that comes in pages, newest first unless it says otherwise."""

    def __init__(self, described: Callable[Concatenate[Any, P], Sent], path: str, kind: type[R], rows: str) -> None:
        self.routes = (f"GET {path}",)
        self.described = described
        self._kind = kind
        self.rows = rows
        self._signature = signature(described)
        self.__doc__ = described.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncVerbs, owner: type) -> Rows[P, R]: ...
    @overload
    def __get__(self, client: AsyncVerbs, owner: type) -> AsyncRows[P, R]: ...
    def __get__(self, client: Verbs | None, owner: type) -> Any:
        match client:
            case SyncVerbs():
                return Rows(client, self)
            case AsyncVerbs():
                return AsyncRows(client, self)
        return self

    def all_rows(self, client: Verbs, *args: P.args, **kwargs: P.kwargs) -> Flow[list[R]]:
        """All rows that are asked for."""
        pages = self._pages(client, args, kwargs)
        found: list[R] = []
        while pages.more:
            found += client._rows(self._kind, (yield from pages.read()))
        return found

    def row_by_row(self, client: Verbs, *args: P.args, **kwargs: P.kwargs) -> Flow[None]:
        """The same, one after the other."""
        pages = self._pages(client, args, kwargs)
        while pages.more:
            for row in client._rows(self._kind, (yield from pages.read())):
                yield Item(row)

    def some_fields(
        self, fields: Sequence[str], client: Verbs, *args: P.args, **kwargs: P.kwargs
    ) -> Flow[list[dict[str, Any]]]:
        """Some fields of all rows that are asked for."""
        pages = self._pages(client, args, kwargs, fields=",".join(fields))
        found: list[dict[str, Any]] = []
        while pages.more:
            found += yield from pages.read()
        return found

    def _pages(self, client: Verbs, args: Any, kwargs: Any, **extra: Any) -> "_Pages":
        sent = self.described(client, *args, **kwargs)
        request = sent.request(self.routes[0], _values(self._signature, client, args, kwargs))
        params = {**request.params, **extra}
        return _Pages(client, replace(request, params=params), self.rows, sent.limit)


class _Pages:
    """The pages of one list. `more`: there is another one, and its rows are wanted."""

    def __init__(self, client: Verbs, request: Request, rows: str, limit: int | None) -> None:
        self._client = client
        self._request = request
        self._name = rows
        self._left = limit
        self._cursor: str | None = None
        self.more = limit is None or limit > 0

    def read(self) -> Flow[list[Any]]:
        """The rows of the next page."""
        size = PAGE if self._left is None else min(PAGE, self._left)
        after = {"cursor": self._cursor} if self._cursor else {}
        asked_for = replace(self._request, params={**self._request.params, "limit": size, **after})
        content = yield from asked(asked_for, self._client._patience_seconds)
        try:
            page = json.loads(content)
            rows: list[Any] = page[self._name]
            self._cursor = page.get("next")
        except (ValueError, TypeError, LookupError, AttributeError):
            raise self._client._not_an_api("no page of a list") from None
        self._left = None if self._left is None else self._left - size
        self.more = self._cursor is not None and (self._left is None or self._left > 0)
        return rows


def _values(wanted: Signature, client: Verbs, args: Any, kwargs: Any) -> dict[str, Any]:
    return dict(wanted.bind(client, *args, **kwargs).arguments)


def verb(route: str, kind: type[R]) -> Callable[[Callable[Concatenate[Any, P], Sent]], Verb[P, R]]:
    """A call of one request: the method it stands over says what is sent, its arguments fill the path of the route."""

    def of(described: Callable[Concatenate[Any, P], Sent]) -> Verb[P, R]:
        wanted = signature(described)

        def flow(client: Verbs, /, *args: P.args, **kwargs: P.kwargs) -> Flow[R]:
            sent = described(client, *args, **kwargs)
            return client._read(kind, sent.request(route, _values(wanted, client, args, kwargs)))

        update_wrapper(flow, described)
        return Verb(flow, route)

    return of


def listing(path: str, kind: type[R], rows: str) -> Callable[[Callable[Concatenate[Any, P], Sent]], Listing[P, R]]:
    """A list in pages: `rows` is the name of the rows in the answer."""
    return lambda described: Listing(described, path, kind, rows)


def steps(*routes: str) -> Callable[[Callable[Concatenate[Any, P], Flow[R]]], Verb[P, R]]:
    """A call of several requests, written as a flow."""
    return lambda flow: Verb(flow, *routes)


def following(kind: type[R], *routes: str) -> Callable[[Callable[Concatenate[Any, P], Flow[None]]], Following[P, R]]:
    """A call whose results come one after the other, written as a flow."""
    return lambda flow: Following(flow, kind, *routes)
