"""Chroma's Rust server from the `chromadb` wheel: the vector index."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.command import Command
from mutirao.stack.home import Home
from mutirao.stack.part import Part, Say
from mutirao.stack.ports import LOOPBACK
from mutirao.stack.probe import answers


class ChromaPart(Part):
    """One Chroma server on loopback. Its folder is used by this one process only: two would corrupt it."""

    name = "chroma"

    def __init__(self, home: Home, port: int, env: Mapping[str, str]) -> None:
        self.port = port
        self._folder = home.path / "chroma"
        self._env = env

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def prepare(self, log: Path, say: Say) -> None:
        if find_spec("chromadb_rust_bindings") is None:
            raise PartFailed("the wheel chromadb is not installed; pip install chromadb, or set MUTIRAO_CHROMA_URL")
        self._folder.mkdir(exist_ok=True, mode=0o700)

    def command(self) -> Command:
        where = ("--path", str(self._folder), "--host", LOOPBACK, "--port", str(self.port))
        return Command(
            argv=(sys.executable, "-P", "-m", "mutirao.stack.chroma_server", "run", *where),
            env=self._env,
            cwd=self._folder,
        )

    async def ready(self, pid: int) -> bool:
        return await answers(f"{self.url}/api/v2/heartbeat")
