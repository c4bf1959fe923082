"""The main process's side of a project's own routes: their child, and where it can be reached."""

import asyncio
import socket
from uuid import UUID

from mutirao.db import Database
from mutirao.errors import PartFailed
from mutirao.logs import logger
from mutirao.workers import WorkerStore
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.nursery import APP, Born, Nursery

_log = logger("apps")
_PAUSES_SECONDS = (0.5, 2.0, 10.0)
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 (what the setting may say)


class Apps:
    """Keeps the child alive while the worker serves, where the project has routes of its own."""

    def __init__(self, db: Database, nursery: Nursery, worker: UUID, host: str) -> None:
        self._workers = WorkerStore(db)
        self._nursery = nursery
        self._worker = worker
        name = _own_address() if host in _EVERYWHERE else host
        self._host = f"[{name}]" if ":" in name else name
        self._born: Born | None = None

    async def run(self) -> None:
        """Serve until cancelled; for ever nothing where there are no such routes."""
        failures = 0
        try:
            while self._nursery.brings.get("app"):
                served = await self._serve()
                failures = 0 if served else failures + 1
                await asyncio.sleep(_PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)])
            await asyncio.Event().wait()
        finally:
            if self._born is not None:
                await asyncio.shield(self._nursery.kill(self._born))

    async def _serve(self) -> bool:
        """One child, from its birth to its end; whether it could be reached."""
        served = False
        try:
            born = self._born = await self._nursery.bear(APP)
            async for message in born.messages():
                served = True
                await self._workers.serves(self._worker, f"http://{self._host}:{message['port']}")
                _log.info("apps.serving", port=message["port"])
            await self._nursery.kill(born)
            self._born = None
            _log.warning("apps.gone", pid=born.pid)
            await self._workers.serves(self._worker, None)
        except (PartFailed, SQLAlchemyError, OSError) as error:
            _log.warning("apps.error", error=str(error))
        return served


def _own_address() -> str:
    """Where other hosts reach this one."""
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return name
    return name if address.startswith("127.") else address
