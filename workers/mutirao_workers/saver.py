"""LangGraph's Postgres checkpointer, fenced: a checkpoint and the check that the attempt still holds its job are one
transaction, so that a worker that lost its lease commits nothing."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from mutirao.errors import LeaseLost
from mutirao.jobs.records import Claim
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from mutirao_workers.steady import steadily

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]
_FENCE = "SELECT mutirao_fence(%s, %s)"
_STALE = "MU001"


def open_pool(url: str, size: int) -> Pool:
    """Connections for checkpoints; autocommit, as the saver asks for. The caller opens and closes it."""
    return AsyncConnectionPool(
        url,
        min_size=4,
        max_size=size,
        open=False,
        timeout=30,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "application_name": "mutirao checkpoints",
        },
    )


class _FlatCursor(AsyncCursor[DictRow]):
    """`executemany` without the pipeline of its own that would end the transaction of the one around it."""

    async def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        for params in params_seq:
            await self.execute(query, params)


class FencedSaver(AsyncPostgresSaver):
    """The checkpointer of one attempt.

    Raises:
        LeaseLost: on any write once another attempt has begun or the job has ended.
    """

    def __init__(self, pool: Pool, claim: Claim) -> None:
        super().__init__(pool)
        self.claim = claim

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the base class says; a database that does not answer is waited for."""
        read = super().aget_tuple
        return await steadily(lambda: read(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As the base class says; a database that does not answer is waited for."""
        write = super().aput
        return await steadily(lambda: write(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As the base class says; a database that does not answer is waited for."""
        write = super().aput_writes
        await steadily(lambda: write(config, writes, task_id, task_path))

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        # The base class asks for a pipeline exactly where it writes.
        async with self._connection() as connection:
            if not pipeline:
                async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
                    yield cursor
                return
            try:
                # Without a nested pipeline, what a pipeline sends until its end is one transaction and one round trip.
                async with connection.pipeline(), _FlatCursor(connection, row_factory=dict_row) as cursor:
                    await cursor.execute(_FENCE, (self.claim.job_id, self.claim.epoch))
                    yield cursor
            except errors.Error as error:
                if error.sqlstate != _STALE:
                    raise
                job, epoch = str(self.claim.job_id), self.claim.epoch
                raise LeaseLost(f"job {job!r}: attempt {epoch} may write no more checkpoints") from None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        assert isinstance(self.conn, AsyncConnectionPool)
        async with self.conn.connection() as connection:
            yield connection
