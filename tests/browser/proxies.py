"""What may stand between a browser and the API: a wire that breaks, and a proxy that serves everything below a prefix."""

import contextlib
import http.client
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Of the connection between two machines, and not of what is said over it.
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}
PIECE = 64 * 1024


class Wire:
    """Carries bytes between a port of its own and the API. `cut` breaks all connections and refuses new ones until `mend`."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._target = (address.hostname or "", address.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = threading.Event()
        self._whole.set()
        self.carried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break everything, in the middle of whatever is being said."""
        self._whole.clear()
        with self._lock:
            for end in self._open:
                # A reset, as when a machine is gone: not an end that looks orderly.
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._whole.set()

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._whole.is_set():
                client.close()
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._target) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                self._pass_on(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    piece = key.fileobj.recv(PIECE)  # type: ignore[union-attr] # only sockets are registered
                    if not piece or not self._whole.is_set():
                        return
                    key.data.sendall(piece)
                    self.carried += len(piece)


@contextmanager
def wire_to(url: str) -> Iterator[Wire]:
    """A wire for the time of the block."""
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()


class _Below(BaseHTTPRequestHandler):
    """Passes on what is asked below a prefix, without the prefix, and says which it was."""

    protocol_version = "HTTP/1.1"
    target = ""
    prefix = ""

    def _serve(self) -> None:
        if not self.path.startswith(f"{self.prefix}/"):
            self.send_error(404, "only what is below the prefix")
            return
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        headers |= {"X-Forwarded-Prefix": self.prefix, "X-Forwarded-Proto": "http", "X-Forwarded-Host": headers["Host"]}
        address = urlsplit(self.target)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            path = self.path.removeprefix(self.prefix)
            connection.request(self.command, path, self.rfile.read(length) or None, headers)
            self._answer(connection.getresponse())

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*HOP, "date", "server"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while piece := answer.read1(PIECE):
            self.wfile.write(piece)
            self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class looks for them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing: the API has a log."""


@contextmanager
def prefixed(url: str, prefix: str) -> Iterator[str]:
    """The address of a proxy that serves the API at `url` below `prefix`, for the time of the block."""
    handler = type("Below", (_Below,), {"target": url, "prefix": prefix})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
