"""The built-in model behind llama.cpp's server (`xllamacpp` wheel), OpenAI-compatible."""

import asyncio
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.command import Command
from mutirao.stack.logs import tail
from mutirao.stack.model_file import FILE_NAME, is_present, model_file
from mutirao.stack.part import Part, PartMissing, Say
from mutirao.stack.ports import LOOPBACK
from mutirao.stack.probe import answers
from mutirao.stack.program import run

TELL_SECONDS = 1.0


class ModelPart(Part):
    """One model server on loopback. Without the model file, and without a network to get it, the stack does without."""

    name = "model"
    patient = True

    def __init__(self, models: Path, port: int, slots: int, env: Mapping[str, str]) -> None:
        self.port = port
        self._models = models
        self._slots = slots
        self._env = env

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/v1"

    async def prepare(self, log: Path, say: Say) -> None:
        if find_spec("xllamacpp") is None:
            raise PartMissing("the wheel xllamacpp is not installed; pip install 'mutirao[embedded]'")
        if not is_present(self._models):
            await self._pull(log, say)

    async def _pull(self, log: Path, say: Say) -> None:
        argv = (sys.executable, "-P", "-m", "mutirao.stack.model_pull", str(self._models))
        say(f"model: fetching {FILE_NAME}")
        telling = asyncio.create_task(_tell_progress(log, say))
        try:
            await run(Command(argv=argv, env=self._env), log)
        except PartFailed:
            raise PartMissing(tail(log, 1).strip()) from None
        finally:
            telling.cancel()

    def command(self) -> Command:
        program = (sys.executable, "-P", "-m", "mutirao.stack.model_server")
        return Command(
            argv=(*program, str(model_file(self._models)), str(self.port), str(self._slots)),
            env=self._env,
            cwd=Path("/"),
        )

    async def ready(self, pid: int) -> bool:
        return await answers(f"http://{LOOPBACK}:{self.port}/health")


async def _tell_progress(log: Path, say: Say) -> None:
    told = ""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        if (line := tail(log, 1).strip()) != told and line.endswith("%"):
            say(f"model: {line}")
            told = line
