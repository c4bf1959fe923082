"""The child that answers questions to graphs: see `mutirao.queries` for what is asked, `readers.py` for who looks after it.

It takes queries from their table itself, so that a question costs one way less. What it is told and what it tells:

    serve {worker}                        take queries, in this worker's name
    ping {}                               pong {}
                                          ready {}                       it has begun to take
                                          blocked {query, seconds, where} an answer does not give the loop back
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from mutirao.db import Database
from mutirao.db.jsonb import dumps
from mutirao.db.notices import Notices, wait_for
from mutirao.errors import MutiraoError
from mutirao.logs import logger
from mutirao.queries import QUERIES_CHANNEL
from mutirao.settings import Settings
from mutirao_agents.discovery import Found
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from mutirao_workers.auth_handlers import AuthHandlers
from mutirao_workers.frames import Link
from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.jobloop import OWNER, JobLoop
from mutirao_workers.project_store import ProjectStores, embedded
from mutirao_workers.questions import Query, Questions
from mutirao_workers.readers import BLOCKED_SECONDS
from mutirao_workers.saver import Pool, open_pool
from mutirao_workers.watchdog import LoopWatchdog

_log = logger("reader")
_AT_ONCE = 16
_CONNECTIONS, _CHECKPOINT_CONNECTIONS = 6, 6
_LOOK_SECONDS = 2.0

_TAKE = """
UPDATE queries SET taken_at = now(), worker_id = %(worker)s WHERE id IN (
    SELECT id FROM queries
    WHERE taken_at IS NULL AND kind = ANY(%(kinds)s)
      AND (workflow IS NULL OR workflow = ANY(%(workflows)s))
      AND (version IS NULL OR version = %(versions)s::jsonb ->> workflow)
    ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING id, project_id, workflow, kind, request"""

_SAY = """
WITH said AS (
    UPDATE queries SET answer = %(answer)s::jsonb, error = %(error)s::jsonb WHERE id = %(id)s RETURNING id)
SELECT pg_notify('mutirao_answers', id::text) FROM said"""


class Reader:
    """Answers many queries at once, in one loop."""

    def __init__(self, settings: Settings, found: Found) -> None:
        self._settings = settings
        self._found = found
        self._workflows = {name: workflow.version for name, workflow in found.workflows.items()}
        self._running: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()

    async def run(self, sock: socket.socket) -> int:
        """Answer until the other side hangs up; the process's exit code."""
        self._link = await Link.open(sock)
        assert self._settings.stack.database_url is not None
        db = Database(self._settings.stack.database_url.get_secret_value(), pool_size=_CONNECTIONS)
        pipeline = self._settings.stack.database_pipeline
        self._pool = pool = open_pool(db.url, _CHECKPOINT_CONNECTIONS, pipeline=pipeline)
        await pool.open(wait=False)
        self._build(db, pool)
        watchdog = self._watchdog()
        notices = Notices(db.url, QUERIES_CHANNEL)
        taking = None
        try:
            async for message in self._link.heard():
                if message["op"] == "ping":
                    self._link.say(op="pong")
                elif taking is None:
                    await notices.start()
                    taking = asyncio.create_task(self._take_all(notices, UUID(message["worker"])))
                    taking.add_done_callback(lambda _: self._link.close())
                    watchdog.start()
        finally:
            watchdog.stop()
            for task in [*self._running, *([taking] if taking else [])]:
                task.cancel()
            await notices.stop()
            await self._home.close()
            await pool.close()
            await db.close()
        return 0

    def _build(self, db: Database, pool: Pool) -> None:
        self._home = HomeLoop(db)
        stores = ProjectStores(self._home, self._found.extras)
        self._kinds: dict[str, Callable[[Query], Awaitable[Any]]] = dict(Questions(self._found, db, pool, stores).kinds)
        if (index := stores.index) is not None:
            self._kinds["embed"] = lambda query: embedded(index, query.request)
        if self._found.extras.auth is not None:
            handlers = AuthHandlers(self._found.extras.auth)
            self._kinds["authenticate"] = lambda query: handlers.authenticate(query.request)
            self._kinds["authorize"] = lambda query: handlers.authorize(query.request)

    def _watchdog(self) -> LoopWatchdog:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JobLoop)
        return LoopWatchdog(loop, max(BLOCKED_SECONDS, self._settings.worker.blocked_seconds), self._blocked)

    async def _take_all(self, notices: Notices, worker: UUID) -> None:
        """Take what there is whenever there may be something, and a hand is free."""
        async with notices.all_keys() as keys:
            self._link.say(op="ready")
            while True:
                try:
                    taken = await self._take(worker)
                except (DatabaseError, PoolTimeout, OSError) as error:
                    _log.warning("reader.database_error", error=str(error))
                    taken = []
                if len(self._running) >= _AT_ONCE:
                    self._freed.clear()
                    await wait_for(self._freed, _LOOK_SECONDS)
                elif not taken:
                    await _news(keys, _LOOK_SECONDS)

    async def _take(self, worker: UUID) -> list[Query]:
        values = {
            "worker": worker,
            "kinds": list(self._kinds),
            "workflows": list(self._workflows),
            "versions": dumps(self._workflows).decode(),
            "most": _AT_ONCE - len(self._running),
        }
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_TAKE, values)).fetchall()
        queries = [Query.model_validate(row) for row in rows]
        for query in queries:
            token = OWNER.set(query.id)
            task = asyncio.create_task(self._answer(query), name=f"{query.kind}:{query.id}")
            OWNER.reset(token)
            self._running.add(task)
            task.add_done_callback(self._done)
        return queries

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._freed.set()

    async def _answer(self, query: Query) -> None:
        answer, error = None, None
        try:
            answer = dumps(await self._kinds[query.kind](query)).decode()
        except MutiraoError as refused:
            error = said(refused)
        except Exception as failed:  # noqa: BLE001 (whatever a graph or a handler raises is the answer)
            _log.exception("reader.failed", kind=query.kind, workflow=query.workflow)
            message = f"{query.kind!r} of workflow {query.workflow!r}: {type(failed).__name__}: {failed}"
            error = {"code": "query_failed", "status": 500, "message": message[:2000]}
        values = {"id": query.id, "answer": answer, "error": None if error is None else dumps(error).decode()}
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_SAY, values)
        except (DatabaseError, PoolTimeout, OSError) as lost:  # who asked is told by the clock
            _log.warning("reader.database_error", error=str(lost))

    def _blocked(self, query: UUID | None, seconds: float, where: str) -> None:
        """Called in the watchdog's thread, while the loop is stuck."""
        self._link.shout(op="blocked", query=str(query) if query else None, seconds=seconds, where=where)


def said(error: MutiraoError) -> dict[str, Any]:
    """An error as `queries.error` has it."""
    return {"code": error.code, "status": error.status, "message": error.message, "details": error.details}


async def _news(keys: "asyncio.Queue[str]", seconds: float) -> None:
    """Return when something may have come, with nothing left in the queue."""
    try:
        async with asyncio.timeout(seconds):
            await keys.get()
    except TimeoutError:
        return
    while not keys.empty():
        keys.get_nowait()
