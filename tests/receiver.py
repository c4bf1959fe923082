"""A receiver of webhooks: a small HTTP server of the test's own, which keeps what it gets and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson


@dataclass(frozen=True)
class Message:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answers`: statuses of the next requests to a path, in order; then 204. A path in `held` waits for `let_go`."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Message]:
        """What came to a path."""
        return [message for message in self.messages if message.path == path]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver on a free port."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.messages.append(Message(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if self.path in found.held:
                found.let_go.wait(20)
            statuses = found.answers.get(self.path) or [204]
            status = statuses.pop(0)
            self.send_response(status)
            if status // 100 == 3:
                self.send_header("Location", found.url("/elsewhere"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
