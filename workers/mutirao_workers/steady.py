"""Calls that outlast a broken connection: a database that restarts costs a pause, and no job."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from mutirao.db.engine import connection_lost
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError

_log = logger("database")
_PAUSE_SECONDS = 0.25
T = TypeVar("T")


async def steadily(call: Callable[[], Awaitable[T]]) -> T:
    """What `call` gives, tried again for as long as the database does not answer.

    `call` must bear being done twice. It ends with its attempt, which is cancelled when the worker's lease is lost.
    """
    while True:
        try:
            return await call()
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            if not connection_lost(error):
                raise
            _log.warning("database.no_answer", error=str(error), pause_seconds=_PAUSE_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)
