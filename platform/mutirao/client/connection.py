"""One API over HTTP: what it refuses comes as errors of `mutirao.errors`, and so does its silence."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from mutirao import __version__
from mutirao.client.problems import error_of
from mutirao.errors import SettingsInvalid, Unauthorized, Unavailable

PREFIX = "/api/v1"
CONNECT_SECONDS = 5.0
Answer = TypeVar("Answer", bound=BaseModel)


class NoConnection(Unavailable):
    """Raised when nothing listens at the API's URL: the request was not sent."""

    code = "not_running"


class ConnectionLost(Unavailable):
    """Raised when the connection broke: whether the request was carried out is not known."""

    code = "connection_lost"


class NotAnApi(SettingsInvalid):
    """Raised when something answers at the API's URL that does not speak as this version of the API does."""

    code = "not_an_api"


class Connection:
    """Sends requests with the key. `timeout_seconds` is the longest silence of the API that is borne."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 30.0) -> None:
        self.url = _checked_url(url).rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {_checked_key(key)}", "User-Agent": f"mutirao/{__version__}"},
            timeout=_limits(timeout_seconds),
            trust_env=not is_loopback(self.url),  # no proxy stands between this machine and itself
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, method: str, path: str, *, silence_seconds: float = 0, **options: Any) -> httpx.Response:
        """The answer to one request, read to its end; it may be silent for `silence_seconds` more than usual.

        Raises:
            MutiraoError: what the API refused, by its code.
            NoConnection, ConnectionLost: it could not be asked.
        """
        timeout = _limits(self.timeout_seconds + silence_seconds)
        with self._named_errors():
            response = self._http.request(method, PREFIX + path, timeout=timeout, **options)
        _refuse_errors(response)
        return response

    @contextmanager
    def stream(self, path: str, *, silence_seconds: float = 0, **options: Any) -> Iterator[Iterator[bytes]]:
        """An answer to be read in parts inside the block. Raises what `send` raises, also while it is read."""
        timeout = _limits(self.timeout_seconds + silence_seconds)
        with self._named_errors(), self._http.stream("GET", PREFIX + path, timeout=timeout, **options) as response:
            if not response.is_success:
                response.read()
                _refuse_errors(response)
            yield response.iter_bytes()

    def read(self, kind: type[Answer], method: str, path: str, **options: Any) -> Answer:
        """The answer as one record. Raises what `send` raises, and NotAnApi when it is something else."""
        found: Answer = self._decoded(TypeAdapter(kind), self.send(method, path, **options))
        return found

    def read_list(self, kind: type[Answer], path: str, **options: Any) -> list[Answer]:
        """The answer to a GET as a list of records."""
        found: list[Answer] = self._decoded(TypeAdapter(list[kind]), self.send("GET", path, **options))  # type: ignore[valid-type]
        return found

    def _decoded(self, adapter: TypeAdapter[Any], response: httpx.Response) -> Any:
        try:
            return adapter.validate_json(response.content)
        except ValidationError as error:
            first = error.errors()[0]
            raise NotAnApi(
                f"{self.url} answered something this version does not read ({first['msg']}); "
                "is the URL that of a Mutirão API, and of the same version?",
                url=self.url,
            ) from None

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
    raise error_of(response.status_code, body)
