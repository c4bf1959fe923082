"""Ports of the parts: free ones, remembered, so that addresses stay the same from start to start."""

import random
import socket

from mutirao.errors import Conflict
from mutirao.stack.home import Home, read_record, write_record

# Below the ranges that systems give to outgoing connections, which would take a remembered port now and then.
FIRST, LAST = 20_000, 29_999
TRIES = 200
LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Ports:
    """The remembered ports of one data folder. `notes` says which ones had to change, and why."""

    def __init__(self, home: Home) -> None:
        self._file = home.stack_file
        self._record = read_record(self._file)
        self._taken: set[int] = set()
        self.notes: list[str] = []

    def fixed(self, part: str, port: int, host: str = LOOPBACK) -> int:
        """A port the settings name.

        Raises:
            Conflict: another program listens there.
        """
        if not is_free(port, host):
            raise Conflict(f"port {port} of {part} is taken by another program; end it or name another port")
        self._taken.add(port)
        return port

    def choose(self, part: str) -> int:
        """The remembered port of a part, or a new one when there is none or it is taken."""
        known = self._record.setdefault("ports", {})
        port = known.get(part)
        if not isinstance(port, int) or port in self._taken or not is_free(port):
            fresh = self._free_one()
            if port is not None:
                self.notes.append(f"port {port} of {part} is taken by another program; using {fresh}")
            known[part] = port = fresh
            write_record(self._file, self._record)
        self._taken.add(port)
        return port

    def _free_one(self) -> int:
        for _ in range(TRIES):
            port = random.randint(FIRST, LAST)  # noqa: S311 - not a secret
            if port not in self._taken and is_free(port):
                return port
        raise Conflict(f"no free port found between {FIRST} and {LAST} on {LOOPBACK}")
