"""LangGraph's Postgres checkpointer, fenced: a checkpoint and the check that the attempt still holds its job are one
transaction, so that a worker that lost its lease commits nothing."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from mutirao.errors import LeaseLost
from mutirao.jobs.records import Claim
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from mutirao_workers.care import CheckpointCare, Cursor
from mutirao_workers.clocks import seen
from mutirao_workers.order import Writer
from mutirao_workers.steady import steadily
from mutirao_workers.writes import Place, Row, Write

Writes = Sequence[tuple[str, Any]]
OnWrites = Callable[[Any, str, Writes], Awaitable[None]]
_FENCE = "SELECT mutirao_fence(%s, %s)"
_NEWEST = "SELECT max(checkpoint_id) AS id FROM checkpoints WHERE thread_id = %s"
_STALE = "MU001"
_TRANSACTION_TIMEOUT_SINCE = 170_000


class Pool(AsyncConnectionPool[AsyncConnection[DictRow]]):
    """Connections for checkpoints. `pipelined`: what one write sends goes out at once; else statement by statement."""

    pipelined: bool = True
    _writer: Writer | None = None

    @property
    def writer(self) -> Writer:
        """What stores the writes of all attempts over these connections. Belongs to the loop that asks for it first."""
        if self._writer is None:
            self._writer = Writer(self)
        return self._writer


def open_pool(url: str, size: int, *, pipeline: bool = True, longest_seconds: float | None = None) -> Pool:
    """Connections for checkpoints; autocommit, as the saver asks for. The caller opens and closes it.

    `pipeline=False` for a database behind a transaction pooler: neither pipelines nor prepared statements are used. The
    server (PostgreSQL 17 and newer) ends a transaction after `longest_seconds`: a process that stands still in the middle
    of a pipeline would keep the lock on its job for as long.
    """

    async def configure(connection: AsyncConnection[DictRow]) -> None:
        if longest_seconds is not None and pipeline and connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
            await connection.execute(f"SET transaction_timeout = {int(longest_seconds * 1000)}".encode())

    pool = Pool(
        url,
        min_size=min(4, size),
        max_size=size,
        open=False,
        timeout=30,
        configure=configure,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0 if pipeline else None,
            "row_factory": dict_row,
            "application_name": "mutirao checkpoints",
            # Rows are found by key: a plan is as good for any values as for these.
            "options": "-c plan_cache_mode=force_generic_plan",
        },
    )
    pool.pipelined = pipeline
    return pool


class _FlatCursor(AsyncCursor[DictRow]):
    """`executemany` without the pipeline of its own that would end the transaction of the one around it."""

    async def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        for params in params_seq:
            await self.execute(query, params)


class _PooledSaver(CheckpointCare):
    """Every write is one transaction on a connection of the pool, with `_enter` at its beginning.

    A checkpoint that is made after another was read has a higher id, also when the other was made on a machine whose clock
    is ahead of this one's.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.pool = pool

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the base class says."""
        found = await super().aget_tuple(config)
        if found is not None:
            at = found.config["configurable"]
            # One that was chosen need not be the newest; what is made after it is to be.
            if seen(at["checkpoint_id"]) or config["configurable"].get("checkpoint_id"):
                async with self._cursor() as cursor:
                    row = await (await cursor.execute(_NEWEST, (str(at["thread_id"]),))).fetchone()
                if row is not None and row["id"] is not None:
                    seen(row["id"])
        return found

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        """As the base class says."""
        async for found in super().alist(config, **options):
            seen(found.config["configurable"]["checkpoint_id"])
            yield found

    async def _enter(self, cursor: Cursor) -> None:
        """What stands at the beginning of each transaction that writes."""

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[Cursor]:
        # The base class asks for a pipeline exactly where it writes.
        if pipeline:
            async with self._pipeline() if self.pool.pipelined else self._transaction() as cursor:
                yield cursor
        else:
            async with (
                self.pool.connection() as connection,
                connection.cursor(binary=True, row_factory=dict_row) as cursor,
            ):
                yield cursor

    @asynccontextmanager
    async def _pipeline(self) -> AsyncIterator[Cursor]:
        """Without a nested pipeline, what a pipeline sends until its end is one transaction and one round trip."""
        async with self.pool.connection() as connection:
            try:
                async with connection.pipeline(), _FlatCursor(connection, row_factory=dict_row) as cursor:
                    await self._enter(cursor)
                    try:
                        yield cursor
                    except BaseException:
                        # The pipeline's end would commit what was sent before.
                        with suppress(errors.Error):
                            await cursor.execute("ROLLBACK")
                        raise
            except BaseException:
                # The server has passed over what came behind the error, and the driver takes those statements for
                # prepared: nobody else may get this connection.
                await connection.close()
                raise

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Cursor]:
        async with (
            self.pool.connection() as connection,
            connection.transaction(),
            _FlatCursor(connection, row_factory=dict_row) as cursor,
        ):
            await self._enter(cursor)
            yield cursor


class MaintenanceSaver(_PooledSaver):
    """The checkpointer of nobody's attempt: for pruning, and for copies that are made outside of jobs."""


class FencedSaver(_PooledSaver):
    """The checkpointer of one attempt.

    A checkpoint is stored behind the writes of the steps that it supersedes, begun before it, or together with them: a
    finished step does not run again, whenever the process dies. See `order.py`.

    `on_writes`, when set, is called with a cursor, a task's id and its writes: what it executes is committed with them or
    not at all. It may be called again for the same writes, and may not fetch what it asks for. Copies of the saver
    (`with_allowlist`) have the one that was set when they were made.

    Raises:
        LeaseLost: on any write once another attempt has begun or the job has ended.
    """

    on_writes: OnWrites | None = None

    def __init__(self, pool: Pool, claim: Claim) -> None:
        super().__init__(pool)
        self.claim = claim
        self._lane = pool.writer.lane(claim)
        self._of_others: set[tuple[str, str, str]] = set()
        self._first: asyncio.Future[None] | None = None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the base class says; a database that does not answer is waited for."""
        await self._lane.quiet()
        read = super().aget_tuple
        found = await steadily(lambda: read(config))
        if found is not None and found.metadata.get("job_id") != str(self.claim.job_id):
            self._of_others.add((*_place(found.config), found.config["configurable"]["checkpoint_id"]))
        return found

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        """As the base class says."""
        await self._lane.quiet()
        async for found in super().alist(config, **options):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As the base class says; a database that does not answer is waited for."""
        thread, ns = _place(config)
        write = self._checkpoint(config, checkpoint, metadata, new_versions)
        first, self._first = self._first, None
        if first is None and not ns and metadata.get("source") == "input" and self._lane.here:
            # Whoever stores the next one is told what has become of it: until then no step has ended.
            self._first = self._lane.put_first(write)
        else:
            await self._lane.put(write)
            if first is not None:
                await first
        return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": checkpoint["id"]}}

    def aput_writes(
        self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = ""
    ) -> Coroutine[Any, Any, None]:
        """As the base class says; a database that does not answer is waited for. Begun when called, not when awaited."""
        return self._lane.put(self._writes(config, writes, task_id, task_path))

    def put_writes(self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = "") -> None:
        """The same for a graph that a step invokes in a thread of its own."""

        async def begun() -> None:
            await self.aput_writes(config, writes, task_id, task_path)

        asyncio.run_coroutine_threadsafe(begun(), self.loop).result()

    def _checkpoint(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Write:
        place, parent = _place(config), config["configurable"].get("checkpoint_id")
        # Plain values are kept in the checkpoint itself, others beside it.
        values, beside = dict(checkpoint["channel_values"]), {}
        for channel, value in checkpoint["channel_values"].items():
            if isinstance(value, _DeltaSnapshot):
                beside[channel], values[channel] = value, True
            elif not (value is None or isinstance(value, (str, int, float, bool))):
                beside[channel] = values.pop(channel)
        blobs = self._dump_blobs(*place, beside, {name: at for name, at in new_versions.items() if name in beside})
        whole = _json({**checkpoint, "channel_values": values}, values.values())
        about = json.dumps(get_serializable_checkpoint_metadata(config, metadata))
        row = (*place, checkpoint["id"], parent or "", whole, about)
        return Write(name="checkpoint", place=place, of=checkpoint["id"], blobs=blobs, checkpoint=row)

    def _writes(self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str) -> Write:
        place, of = _place(config), str(config["configurable"]["checkpoint_id"])
        on_writes = self.on_writes
        hook = (lambda cursor: on_writes(cursor, task_id, writes)) if on_writes is not None else None
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        rows: Sequence[Row] = ()
        error: Exception | None = None
        try:
            rows = self._dump_writes(*place, of, task_id, task_path, writes)
        except Exception as failure:  # noqa: BLE001 (whatever a value cannot be stored for: who awaits the write is told)
            error = failure
        return Write(
            name="writes",
            place=place,
            of=of,
            upserts=list({(row[0], row[1], row[2], row[3], row[5]): row for row in rows}.values()) if special else (),
            inserts=() if special else rows,
            displaced=[row[:4] + row[5:6] for row in rows] if (*place, of) in self._of_others else (),
            hook=hook,
            error=error,
        )

    async def _enter(self, cursor: Cursor) -> None:
        await cursor.execute(_FENCE, (self.claim.job_id, self.claim.epoch))

    @asynccontextmanager
    async def _pipeline(self) -> AsyncIterator[Cursor]:
        with self._refusal():
            async with super()._pipeline() as cursor:
                yield cursor

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Cursor]:
        with self._refusal():
            async with super()._transaction() as cursor:
                yield cursor

    @contextmanager
    def _refusal(self) -> Iterator[None]:
        """Says what the fence's refusal means."""
        try:
            yield
        except errors.Error as error:
            if error.sqlstate != _STALE:
                raise
            job, epoch = str(self.claim.job_id), self.claim.epoch
            raise LeaseLost(f"job {job!r}: attempt {epoch} may write no more checkpoints") from None


def _place(config: RunnableConfig) -> Place:
    return str(config["configurable"]["thread_id"]), config["configurable"].get("checkpoint_ns", "")


def _json(value: Any, numbers: Iterable[Any]) -> str:
    """`value` as JSON. What has no such form is left to the database to refuse: a number that is none of `numbers`."""
    if not any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        with suppress(TypeError):  # integers of more than 64 bits, keys that are no text, halves of characters
            return orjson.dumps(value).decode()
    return json.dumps(value)
