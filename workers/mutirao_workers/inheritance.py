"""How the successor of a killed worker takes over its zygote, which has everything loaded (Linux).

A zygote whose main process is gone waits a few seconds under a name that only a worker of the same account, folder and
settings knows. It gives itself only to one of its own account, and only while no file that it has loaded has changed.
"""

import contextlib
import hashlib
import os
import socket
import struct
import sys
from pathlib import Path

from mutirao_workers.frames import Lines, Message, encode

WAIT_SECONDS = 3.0
_ANSWER_SECONDS = 2.0
_MOST_FOLDERS = 2_000
_EXTRA = (".env", "mutirao.toml", "pyproject.toml", "langgraph.json")
_CREDENTIALS = struct.Struct("3i")
Seen = dict[str, tuple[int, int] | None]


def estate() -> str:
    """The name under which a zygote of this folder and these settings waits; empty where it cannot."""
    if not sys.platform.startswith("linux"):
        return ""
    own = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("MUTIRAO_"))
    what = "\0".join([str(os.getuid()), sys.executable, str(Path.cwd()), *own])
    return "\0mutirao-" + hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:32]


def inherit() -> socket.socket | None:
    """The control socket of a zygote that waits for this worker; None when there is none, or it does not fit."""
    if not (name := estate()):
        return None
    control = socket.socket(socket.AF_UNIX)
    try:
        control.settimeout(_ANSWER_SECONDS)
        control.connect(name)
        if _account(control) != os.getuid():
            raise ConnectionRefusedError
        control.sendall(encode({"op": "inherit"}))
        if control.recv(1) != b"\n":
            raise ConnectionResetError
    except OSError:
        control.close()
        return None
    control.settimeout(None)
    return control


class Will:
    """What a zygote has loaded, and whom it goes to."""

    def __init__(self) -> None:
        try:
            self._seen: Seen | None = _files()
        except OverflowError:
            self._seen = None

    def heir(self) -> socket.socket | None:
        """The control socket of a worker that comes for it in time; None when none does."""
        if self._seen is None or not (name := estate()):
            return None
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(name)
                listener.listen(1)
                listener.settimeout(WAIT_SECONDS)
                control, _ = listener.accept()
            except OSError:
                return None
        with contextlib.suppress(OSError, OverflowError):
            if _account(control) == os.getuid() and _asked(control) and self._seen == _files(self._seen):
                control.sendall(b"\n")
                return control
        control.close()
        return None


def _asked(control: socket.socket) -> bool:
    control.settimeout(_ANSWER_SECONDS)
    lines, messages = Lines(), list[Message]()
    try:
        while not messages and (data := control.recv(4096)):
            messages += lines.feed(data)
    except (OSError, ValueError):
        return False
    control.settimeout(None)
    return bool(messages) and messages[0]["op"] == "inherit"


def _account(peer: socket.socket) -> int:
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def _files(known: Seen | None = None) -> Seen:
    """Time of change and size of every file that is loaded, or of the `known` ones, and of the project's."""
    paths = set(known) if known is not None else {module for module in _loaded() if module}
    paths |= {str(path) for path in _project()}
    return {path: _stamp(path) for path in paths}


def _loaded() -> list[str | None]:
    return [getattr(module, "__file__", None) for module in list(sys.modules.values())]


def _project() -> list[Path]:
    found = [Path(name) for name in _EXTRA]
    for number, (folder, below, names) in enumerate(os.walk(".")):
        if number > _MOST_FOLDERS:
            raise OverflowError("too many folders to know what has changed")
        below[:] = [name for name in below if not name.startswith(".") and name not in ("node_modules", "__pycache__")]
        found += [Path(folder, name) for name in names if name.endswith((".py", ".env")) or name.startswith(".env")]
    return found


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
