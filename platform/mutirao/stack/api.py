"""The HTTP control plane as a part of the embedded stack."""

import sys
from collections.abc import Mapping

from mutirao.stack.command import Command
from mutirao.stack.part import Part
from mutirao.stack.probe import answers


class ApiPart(Part):
    """`python -m mutirao.api`; it waits for the database and the schema by itself."""

    name = "api"

    def __init__(self, url: str, port: int, env: Mapping[str, str]) -> None:
        self.url = url
        self.port = port
        self._env = env

    def command(self) -> Command:
        return Command(argv=(sys.executable, "-P", "-m", "mutirao.api"), env=self._env)

    async def ready(self, pid: int) -> bool:
        return await answers(f"{self.url}/livez")
