"""The pool of connections to PostgreSQL that a process shares."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mutirao.db import tenancy
from mutirao.db.jsonb import dumps
from mutirao.errors import Unavailable

# Connection failures, shutdown, start and errors of the server, a want of resources, transactions that met each other, a
# server that only reads (just after a failover), a transaction that stood still, a lock that took too long.
_LATER = ("08", "57", "53", "58", "40", "25006", "25P03", "25P04", "55P03")


def connection_lost(error: BaseException) -> bool:
    """Whether the database did not answer, so that the same call may work later; else it refused the call as such."""
    if isinstance(error, (OSError, TimeoutError, PoolTimeout)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and connection_lost(error.orig))
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return error.sqlstate is None or error.sqlstate.startswith(_LATER)
    return False


def psycopg_url(url: str) -> str:
    """`postgresql://…` as plain psycopg wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class Database:
    """One pool, opened lazily, closed by `close`. `begin()` is a transaction per block, ended by the server when nothing
    comes for `idle_seconds`. Once `walled` is set, connections are bound to the project of `tenancy.project`.

    `plan_once`: what is prepared is planned once and not by its values; for processes all of whose statements find their
    rows by key."""

    def __init__(self, url: str, *, pool_size: int = 16, idle_seconds: float = 30.0, plan_once: bool = False) -> None:
        self.url = psycopg_url(url)
        self.walled = False
        self.engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            # Connections over the pool would be opened and closed for every statement of a busy moment.
            max_overflow=0,
            # The same few connections do it as long as they can: what they have prepared is planned already.
            pool_use_lifo=True,
            pool_pre_ping=False,
            json_serializer=lambda value: dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "application_name": "mutirao",
                "connect_timeout": 5,
                # A process that stands still in the middle of a transaction would keep its locks for as long.
                "options": f"-c idle_in_transaction_session_timeout={int(idle_seconds * 1000)}"
                + (" -c plan_cache_mode=force_generic_plan" if plan_once else ""),
            },
        )
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        async with self.engine.connect() as connection:
            try:
                async with connection.begin():
                    await self._bind(connection)
                    yield connection
            except BaseException:
                tenancy.forget(connection)
                raise

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is its own transaction: saves two round trips."""
        async with self._autocommit.connect() as connection:
            await self._bind(connection)
            yield connection

    async def _bind(self, connection: AsyncConnection) -> None:
        if self.walled:
            await tenancy.bind(connection, tenancy.project.get())

    async def raise_wall(self) -> bool:
        """Bind connections from now on where the database allows it; says whether it does."""
        async with self._autocommit.connect() as connection:
            self.walled = await tenancy.raise_wall(connection)
        return self.walled

    async def keep_walled(self, look_seconds: float = 5.0) -> None:
        """Cover the tables that the first worker makes, as soon as they are there; then it is done."""
        while self.walled:
            with suppress(DBAPIError, OSError):
                async with self._autocommit.connect() as connection:
                    await tenancy.bind(connection, None)
                    if await tenancy.covered(connection):
                        return
                    await tenancy.raise_wall(connection)
            await asyncio.sleep(look_seconds)

    async def ping(self) -> str:
        """The server's version; raises what the driver raises when it does not answer."""
        async with self.begin() as connection:
            return str(await connection.scalar(text("SHOW server_version")))

    async def now(self) -> datetime:
        """The time by the server's clock, the only one that decides."""
        async with self.autocommit() as connection:
            found: datetime = await connection.scalar(text("SELECT now()"))
        return found

    async def wait_for_schema(self, revision: str, seconds: float) -> None:
        """Wait until the schema is at `revision`: a process may be started before the migration has run.

        Raises:
            Unavailable: the database or the revision was not there in time.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        found = "no answer from the database"
        while True:
            try:
                async with self.begin() as connection:
                    found = str(await connection.scalar(text("SELECT version_num FROM alembic_version")))
                if found == revision:
                    return
            except (DBAPIError, OSError) as error:
                found = str(getattr(error, "orig", error)).splitlines()[0]
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    f"the database schema is not at {revision!r} ({found}); run `mutirao db upgrade`", found=found
                )
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self.engine.dispose()
