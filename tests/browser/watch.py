"""What must not happen while a page is used: errors on the console, requests that fail, requests to anywhere else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# The browser's own words for a request that has failed, which is watched by itself.
OF_REQUESTS = ("Failed to load resource", "net::ERR_")
# A stream that is closed, or whatever was under way when a page is left.
GIVEN_UP = "net::ERR_ABORTED"


class Watch:
    """Listens to all pages of a context. `problems` are what went wrong and was not expected, in words."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.problems: list[str] = []
        self._origin = origin
        self._expected: list[re.Pattern[str]] = []
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def expects(self, *patterns: str) -> None:
        """These problems are none from now on: `401 GET /api/v1/session`, as regular expressions."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Inside the block the server may be away."""
        before = [*self._expected]
        self.expects(r"^failed ", r"^50[234] ")
        yield
        self._expected = before

    def _found(self, problem: str) -> None:
        if not any(pattern.search(problem) for pattern in self._expected):
            self.problems.append(problem)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in OF_REQUESTS):
            self._found(f"console: {message.text}")

    def _error(self, error: WebError) -> None:
        self._found(f"uncaught: {error.error}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and f"{address.scheme}://{address.netloc}" != self._origin:
            self._found(f"elsewhere: {request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != GIVEN_UP:
            self._found(f"failed {request.method} {_place(request.url)}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._found(f"{response.status} {response.request.method} {_place(response.url)}")


def _place(url: str) -> str:
    address = urlsplit(url)
    return f"{address.path}?{address.query}" if address.query else address.path
