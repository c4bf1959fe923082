"""Some parts of the stack inside another program: `with EmbeddedParts(folder) as parts: parts.database_url`."""

import asyncio
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from mutirao.errors import PartFailed
from mutirao.settings import ModelSettings, Settings, StackSettings
from mutirao.stack.home import Home
from mutirao.stack.lock import StackLock
from mutirao.stack.part import Part, PartState
from mutirao.stack.plan import Plan, Planner
from mutirao.stack.status import RunRecord, Silence
from mutirao.stack.supervisor import Limits, Supervisor

SERVERS = ("postgres", "valkey", "chroma")


class EmbeddedParts:
    """Starts the named parts in a data folder of their own, keeps them running, stops them at the end of the block.

    Only `names` are started, whatever URLs the settings of this process name. They end with this process, too.
    `models` is the folder with the model's file, for the part `model`; without it the file is fetched.

    Raises:
        AlreadyRunning: a stack runs on this folder.
        PartFailed: a part does not start; with the end of its log.
    """

    def __init__(
        self,
        folder: Path,
        names: Collection[str] = SERVERS,
        *,
        models: Path | None = None,
        start_seconds: float = 60,
    ) -> None:
        self._home = Home(folder)
        self._models = models
        self._names = names
        self._limits = Limits(start_seconds=start_seconds)
        self._lock = StackLock(self._home)
        self._plan: Plan | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment that programs using these parts should have: `MUTIRAO_DATABASE_URL` and so on."""
        assert self._plan is not None, "used outside of its with block"
        return self._plan.env

    @property
    def database_url(self) -> str:
        """An empty database of the started cluster; its user may create others."""
        return self.env["MUTIRAO_DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        return self.env["MUTIRAO_REDIS_URL"]

    @property
    def chroma_url(self) -> str:
        return self.env["MUTIRAO_CHROMA_URL"]

    @property
    def model_url(self) -> str:
        return self.env["MUTIRAO_MODEL_URL"]

    def __enter__(self) -> "EmbeddedParts":
        self._home.create()
        self._lock.acquire()
        self._plan = Planner(self._settings(), self._home).plan(self._names)
        # A thread of its own: the kernel ends the servers with the thread that started them.
        self._thread = threading.Thread(target=self._run, name="embedded-parts", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self.__exit__(None, None, None)
            raise self._failure
        return self

    def _settings(self) -> Settings:
        where = StackSettings(home=self._home.path, database_url=None, redis_url=None, chroma_url=None)
        if self._models is not None:
            where = where.model_copy(update={"models_dir": self._models})
        return Settings(stack=where, model=ModelSettings(model="builtin", model_url=None))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._lock.release()

    def _run(self) -> None:
        try:
            asyncio.run(self._supervise())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits
            self._failure = failure
        finally:
            self._started.set()

    async def _supervise(self) -> None:
        assert self._plan is not None
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        record = RunRecord(self._home, self._plan.api_url)
        supervisor = Supervisor(
            self._plan.parts, home=self._home, audience=Silence(), record=record, limits=self._limits
        )
        try:
            await supervisor.start()
            _refuse_missing(self._plan.parts, supervisor)
            self._started.set()
            await self._stop.wait()
        finally:
            await supervisor.stop()


def _refuse_missing(parts: Sequence[Part], supervisor: Supervisor) -> None:
    for part in parts:
        status = supervisor.keeper(part.name).status
        if status.state is PartState.MISSING:
            raise PartFailed(f"{part.name}: {status.detail}")
