"""The main process's side of the reader: born when somebody first asks, replaced when it blocks or dies."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.errors import PartFailed
from mutirao.logs import logger
from mutirao.queries import QUERIES_CHANNEL
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.nursery import READER, Born, Nursery

_log = logger("readers")
BLOCKED_SECONDS = 2.0
"""How long an answer may keep the reader's loop to itself."""

_PAUSE_SECONDS = 0.5
_SILENT_SECONDS = 3 * BLOCKED_SECONDS  # of one that cannot even say that it is blocked
READS = ["state", "history", "refresh", "graph", "subgraphs", "schemas", "embed", "authenticate", "authorize"]
"""Kinds that may be asked twice: those that a dead reader had taken are taken again by its successor."""

_NOBODY = UUID(int=0)

_WAITING = text("""
SELECT 1 FROM queries WHERE taken_at IS NULL AND (workflow IS NULL OR workflow = ANY(:workflows)) LIMIT 1""")

# `culprit`: the query that blocked it; unknown when NULL, and then any of them may be it.
_END_TAKEN = text("""
WITH ended AS (
    UPDATE queries SET error = :error WHERE worker_id = :worker AND taken_at IS NOT NULL AND answer IS NULL
      AND error IS NULL AND (CAST(:culprit AS uuid) IS NULL OR id = :culprit OR kind <> ALL(:reads))
    RETURNING id
), again AS (
    UPDATE queries SET taken_at = NULL, worker_id = NULL WHERE worker_id = :worker AND taken_at IS NOT NULL
      AND answer IS NULL AND error IS NULL AND id <> CAST(:culprit AS uuid) AND kind = ANY(:reads)
    RETURNING id
)
SELECT pg_notify('mutirao_answers', id::text) FROM ended
UNION ALL SELECT pg_notify('mutirao_queries', id::text) FROM again""").bindparams(bindparam("error", type_=JSONB))


class Readers:
    """Keeps one reader alive once it has been needed."""

    def __init__(self, db: Database, nursery: Nursery, worker: UUID, *, beside: Notices | None = None) -> None:
        self._db = db
        self._nursery = nursery
        self._worker = worker
        self._workflows = [str(entry["name"]) for entry in nursery.entries]
        self._notices = Notices(db.url, QUERIES_CHANNEL, beside=beside)
        self._born: Born | None = None

    async def run(self) -> None:
        """Wait for the first query, then see to it that a reader is there, until cancelled."""
        await self._notices.start()
        try:
            async with self._notices.all_keys() as keys:
                while True:
                    await keys.get()
                    if await self._wanted():
                        await self._until_gone()
        finally:
            await self._notices.stop()
            if self._born is not None:
                await asyncio.shield(self._nursery.kill(self._born))
                await asyncio.shield(self._answer_for({"culprit": str(_NOBODY), "message": "its worker has left"}))

    async def _wanted(self) -> bool:
        try:
            async with self._db.autocommit() as connection:
                return bool(await connection.scalar(_WAITING, {"workflows": self._workflows}))
        except (SQLAlchemyError, OSError) as error:
            _log.warning("readers.database_error", error=str(error))
            return False

    async def _until_gone(self) -> None:
        """Have a reader, as long as it lives; then answer for what it left behind."""
        try:
            born = self._born = await self._nursery.bear(READER)
        except PartFailed as error:
            _log.error("readers.no_child", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        why = await self._attend(born)
        await self._nursery.kill(born)
        self._born = None
        _log.warning("readers.gone", pid=born.pid, why=why["message"])
        await self._answer_for(why)
        await asyncio.sleep(0 if why["culprit"] else _PAUSE_SECONDS)

    async def _attend(self, born: Born) -> dict[str, Any]:
        """Listen and ask until the reader blocks, falls silent or dies; why, and which query did it."""
        born.link.say(op="serve", worker=str(self._worker))
        heard = asyncio.create_task(self._listen(born))
        try:
            while True:
                self._ponged = False
                born.link.say(op="ping")
                done, _ = await asyncio.wait({heard}, timeout=_SILENT_SECONDS)
                if done:
                    return heard.result()
                if not self._ponged:
                    return {"culprit": None, "message": "the reader has not answered for too long and was ended"}
        finally:
            heard.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await heard

    async def _listen(self, born: Born) -> dict[str, Any]:
        async for message in born.messages():
            if message["op"] == "pong":
                self._ponged = True
            elif message["op"] == "blocked":
                where = f"{message['where']} kept its loop for {message['seconds']:.1f} s"
                return {"culprit": message["query"], "message": f"the reader was ended: {where}"}
        return {"culprit": None, "message": "the process that should have answered has died"}

    async def _answer_for(self, why: dict[str, Any]) -> None:
        error = {"code": "unavailable", "status": 503, "message": why["message"]}
        values = {"error": error, "worker": self._worker, "culprit": why["culprit"], "reads": READS}
        try:
            async with self._db.autocommit() as connection:
                await connection.execute(_END_TAKEN, values)
        except (SQLAlchemyError, OSError) as failed:
            _log.warning("readers.database_error", error=str(failed))
