"""One API over HTTP: what it refuses comes as errors of `mutirao.errors`, and so does its silence."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from mutirao import __version__
from mutirao.client.flows import RETRY_AFTER, Close, Course, Flow, Item, Open, Part, Pause, Request, Step
from mutirao.client.problems import error_of
from mutirao.errors import MutiraoError, SettingsInvalid, Unauthorized, Unavailable

PREFIX = "/api/v1"
CONNECT_SECONDS = 5.0
R = TypeVar("R")

# The API closes a connection on which nothing was said for five seconds: whoever asks on it just then is told that it broke.
IDLE_SECONDS = 3.0


class NoConnection(Unavailable):
    """Raised when nothing listens at the API's URL: the request was not sent."""

    code = "not_running"


class ConnectionLost(Unavailable):
    """Raised when the connection broke: whether the request was carried out is not known."""

    code = "connection_lost"


class NotAnApi(SettingsInvalid):
    """Raised when something answers at the API's URL that does not speak as this version of the API does."""

    code = "not_an_api"


class _Address:
    """What both kinds of connection know of the API. `timeout_seconds` is the longest silence of it that is borne."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 30.0) -> None:
        self.url = _checked_url(url).rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._options: dict[str, Any] = {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {_checked_key(key)}", "User-Agent": f"mutirao/{__version__}"},
            "timeout": _limits(timeout_seconds),
            "limits": httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS),
            "trust_env": not is_loopback(self.url),  # no proxy stands between this machine and itself
        }

    def _request(self, request: Request) -> dict[str, Any]:
        """`request` as the HTTP library takes it."""
        return {
            "method": request.method, "url": PREFIX + request.path, "params": request.params, "headers": request.headers,
            "content": request.content, "files": request.files,
            "timeout": _limits(self.timeout_seconds + request.silence_seconds),
        }  # fmt: skip

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NoConnection(
                f"no API answers at {self.url} ({error}); start one with `mutirao up`, "
                "or name another with --url or MUTIRAO_API_URL",
                url=self.url,
            ) from error
        except httpx.TimeoutException as error:
            raise ConnectionLost(
                f"{self.url} did not answer within {self.timeout_seconds:g} s; see `mutirao status`", url=self.url
            ) from error
        except httpx.HTTPError as error:
            raise ConnectionLost(
                f"the connection to {self.url} broke ({error or type(error).__name__}); see `mutirao status`",
                url=self.url,
            ) from error


class Connection(_Address):
    """Takes the steps of flows, one after the other, in this thread."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 30.0) -> None:
        super().__init__(url, key, timeout_seconds=timeout_seconds)
        self._http = httpx.Client(**self._options)

    def close(self) -> None:
        """Close its sockets."""
        self._http.close()

    def run(self, flow: Flow[R]) -> R:
        """The result of a flow. Raises what it raises."""
        with ExitStack() as held, closing(Course(flow)) as course:
            stream = _Stream(held)
            while not course.over:
                self._take(course, stream)
            return course.result

    def each(self, flow: Flow[None]) -> Iterator[Any]:
        """The items of a flow, as they come. Raises what it raises."""
        with ExitStack() as held, closing(Course(flow)) as course:
            stream = _Stream(held)
            while not course.over:
                if isinstance(course.step, Item):
                    yield course.step.value
                    course.answer(None)
                else:
                    self._take(course, stream)

    def _take(self, course: Course[Any], stream: "_Stream") -> None:
        try:
            found = self._done(course.step, stream)
        except MutiraoError as error:
            failed = error
        else:
            return course.answer(found)
        return course.fail(failed)

    def _done(self, step: Step, stream: "_Stream") -> Any:
        with self._named_errors():
            match step:
                case Request():
                    response = self._http.request(**self._request(step))
                    _refuse_errors(response)
                    return response.content
                case Open():
                    response = stream.held.enter_context(self._http.stream(**self._request(step.request)))
                    if not response.is_success:
                        response.read()
                        _refuse_errors(response)
                    stream.parts = response.iter_bytes()
                case Part():
                    return next(stream.parts, None)
                case Close():
                    stream.held.close()
                case Pause():
                    time.sleep(step.seconds)
        return None


@dataclass
class _Stream:
    """The answer that a flow has open."""

    held: ExitStack
    parts: Iterator[bytes] = field(default_factory=lambda: iter(()))


class AsyncConnection(_Address):
    """Takes the steps of flows in an event loop."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 30.0) -> None:
        super().__init__(url, key, timeout_seconds=timeout_seconds)
        self._http = httpx.AsyncClient(**self._options)

    async def close(self) -> None:
        """Close its sockets."""
        await self._http.aclose()

    async def run(self, flow: Flow[R]) -> R:
        """The result of a flow. Raises what it raises."""
        async with AsyncExitStack() as held:
            with closing(Course(flow)) as course:
                stream = _AsyncStream(held)
                while not course.over:
                    await self._take(course, stream)
                return course.result

    async def each(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """The items of a flow, as they come. Raises what it raises."""
        async with AsyncExitStack() as held:
            with closing(Course(flow)) as course:
                stream = _AsyncStream(held)
                while not course.over:
                    if isinstance(course.step, Item):
                        yield course.step.value
                        course.answer(None)
                    else:
                        await self._take(course, stream)

    async def _take(self, course: Course[Any], stream: "_AsyncStream") -> None:
        try:
            found = await self._done(course.step, stream)
        except MutiraoError as error:
            failed = error
        else:
            return course.answer(found)
        return course.fail(failed)

    async def _done(self, step: Step, stream: "_AsyncStream") -> Any:
        with self._named_errors():
            match step:
                case Request():
                    response = await self._http.request(**self._request(step))
                    _refuse_errors(response)
                    return response.content
                case Open():
                    asked = self._http.stream(**self._request(step.request))
                    response = await stream.held.enter_async_context(asked)
                    if not response.is_success:
                        await response.aread()
                        _refuse_errors(response)
                    stream.parts = response.aiter_bytes()
                case Part():
                    return await anext(stream.parts, None) if stream.parts is not None else None
                case Close():
                    await stream.held.aclose()
                case Pause():
                    await asyncio.sleep(step.seconds)
        return None


@dataclass
class _AsyncStream:
    """The answer that a flow has open."""

    held: AsyncExitStack
    parts: AsyncIterator[bytes] | None = None


def _limits(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_SECONDS)


def is_loopback(url: str) -> bool:
    """Whether a URL means this machine by a loopback address."""
    host = httpx.URL(url).host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SettingsInvalid(f"URL {url!r}: {error}; use http://host:port", setting="MUTIRAO_API_URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SettingsInvalid(f"URL {url!r} is not one of HTTP; use http://host:port", setting="MUTIRAO_API_URL")
    return url


def _checked_key(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Unauthorized("the key is empty or has characters that no key has; it looks like mk_<prefix>.<secret>")
    return key


def _refuse_errors(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    error = error_of(response.status_code, body)
    pause = response.headers.get("Retry-After", "")
    if pause.isascii() and pause.isdigit():
        error.details[RETRY_AFTER] = int(pause)
    raise error
