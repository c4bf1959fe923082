"""The order in which attempts' writes reach the database, and which of them go together.

LangGraph stores the writes of finished steps and the checkpoint that supersedes them in the background and at once. A
process that dies meanwhile must have stored the writes, or neither: else finished steps run again. So the writes of an
attempt wait a moment for the checkpoint behind them, and are one transaction with it; what attempts have to write at the
same time is one transaction, too. Each attempt's writes are stored in the order in which they came.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any

from mutirao.errors import LeaseLost
from mutirao.faults import fault
from mutirao.jobs.records import Claim

from mutirao_workers.steady import steadily
from mutirao_workers.writes import Place, Recorder, Row, Write, statement_of

if TYPE_CHECKING:
    from mutirao_workers.saver import Pool

_HOLD_SECONDS = 0.002  # writes wait so long for their checkpoint
_FIRST_HOLD_SECONDS = 0.01  # a run's input, for the end of its first step, which does not wait for it either
_AT_ONCE = 2
# A transaction that takes longer waits for a row that somebody has locked: the others need not wait with it.
_LONG_SECONDS = 0.05
_MOST_IN_BATCH = 64
_Waiting = tuple[Write, "asyncio.Future[None]"]


class Lane:
    """The writes of one attempt."""

    def __init__(self, writer: "Writer", claim: Claim) -> None:
        self.claim = claim
        self.waiting: deque[_Waiting] = deque()
        self.refused: dict[Place, tuple[str, Exception]] = {}
        self.due = False  # it is in the queue, or what waits goes there as soon as what is stored now is done
        self.storing = False
        self._writer = writer
        self._timer: asyncio.TimerHandle | None = None
        self._quiet: list[asyncio.Future[None]] = []

    @property
    def here(self) -> bool:
        """Whether the caller runs in the loop that stores what is put here."""
        return asyncio.get_running_loop() is self._writer.loop

    def put_first(self, write: Write) -> "asyncio.Future[None]":
        """As `put`, for a caller that is `here`; it may wait a moment for others: nothing has been done yet that it would
        keep."""
        return self._take(write, first=True)

    def put(self, write: Write) -> Coroutine[Any, Any, None]:
        """Store `write` behind all that was put before it. It is taken at once; the coroutine only waits until it is done.

        Raises, when awaited:
            LeaseLost: the attempt does not hold its job any more.
        """
        writer = self._writer
        if not self.here:
            return _elsewhere(self._put_here(write), writer.loop)
        return _result(self._take(write))

    async def quiet(self) -> None:
        """Return when nothing waits here, and nothing is being stored."""
        if self.here and (self.waiting or self.storing):
            done = self._writer.loop.create_future()
            self._quiet.append(done)
            self.ripe()
            await done

    def ripe(self) -> None:
        """What waits here is stored now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.waiting and not self.due:
            self.due = True
            if not self.storing:
                self._writer.queue(self)

    def stored(self) -> None:
        """What was taken from here is done."""
        self.storing = False
        if self.due:
            self._writer.queue(self)
        elif self.waiting and self._quiet:
            self.ripe()
        elif not self.waiting:
            quiet, self._quiet = self._quiet, []
            for done in quiet:
                if not done.done():
                    done.set_result(None)

    def _take(self, write: Write, *, first: bool = False) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = self._writer.loop.create_future()
        done.add_done_callback(_noticed)
        self.waiting.append((write, done))
        if (write.checkpoint is not None and not first) or self._quiet:
            self.ripe()
        elif not self.due:
            self._hold(_FIRST_HOLD_SECONDS if first else _HOLD_SECONDS)
        return done

    def _hold(self, seconds: float) -> None:
        until = self._writer.loop.time() + seconds
        if self._timer is None or self._timer.when() > until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._writer.loop.call_later(seconds, self.ripe)

    async def _put_here(self, write: Write) -> None:
        await self._take(write)


class Writer:
    """Stores what lanes have, a batch a transaction, over the connections of a pool. Belongs to the running loop.

    A database that does not answer is tried again. What it refuses is tried one by one: of an attempt whose writes were
    refused, no checkpoint of that place is stored any more, as it would supersede them.
    """

    def __init__(self, pool: "Pool") -> None:
        self.loop = asyncio.get_running_loop()
        self._pool = pool
        self._due: deque[Lane] = deque()
        self._flights: dict[asyncio.Task[None], float] = {}
        self._launching = False

    def lane(self, claim: Claim) -> Lane:
        """For the writes of one attempt."""
        return Lane(self, claim)

    def queue(self, lane: Lane) -> None:
        """What waits in the lane is stored as soon as a connection is free for it."""
        self._due.append(lane)
        if not self._launching:
            self._launching = True
            self.loop.call_soon(self._launch)  # what else comes in this turn of the loop goes with it

    def _launch(self) -> None:
        self._launching = False
        now = self.loop.time()
        young = sum(now - began < _LONG_SECONDS for began in self._flights.values())
        if not self._due or young >= _AT_ONCE:
            return
        batch: list[tuple[Lane, list[_Waiting]]] = []
        while self._due and len(batch) < _MOST_IN_BATCH:
            lane = self._due.popleft()
            batch.append((lane, _some(lane)))
        # Nobody's task: whoever cuts off one job and all that it has begun would cancel the others' writes with it.
        flight = self.loop.create_task(self._fly(batch), context=Context())
        self._flights[flight] = now
        flight.add_done_callback(self._landed)
        self.loop.call_later(_LONG_SECONDS, self._launch)

    def _landed(self, flight: "asyncio.Task[None]") -> None:
        del self._flights[flight]
        self._launch()

    async def _fly(self, batch: list[tuple[Lane, list[_Waiting]]]) -> None:
        try:
            try:
                await self._store(batch)
            except Exception as error:  # noqa: BLE001 (whatever one of them is refused with is told to its writer)
                if len(batch) == 1 and len(batch[0][1]) == 1:
                    _refuse(batch[0][0], *batch[0][1][0], error)
                else:
                    for lane, waiting in batch:
                        await self._one_by_one(lane, waiting)
        except BaseException:
            for _, waiting in batch:
                for _, done in waiting:
                    done.cancel()
            raise
        finally:
            for lane, _ in batch:
                lane.stored()

    async def _one_by_one(self, lane: Lane, waiting: Sequence[_Waiting]) -> None:
        for write, done in waiting:
            try:
                await self._store([(lane, [(write, done)])])
            except Exception as error:  # noqa: BLE001 (as above)
                _refuse(lane, write, done, error)

    async def _store(self, batch: Sequence[tuple[Lane, Sequence[_Waiting]]]) -> None:
        """Store a batch; tells each write's coroutine, or raises and has stored nothing."""
        hooked: list[tuple[Any, Any]] = []
        for lane, waiting in batch:
            for write, _ in waiting:
                await _check(lane, write, hooked)
        if hooked and len(batch) > 1:
            raise _Apart
        rows = [(lane.claim, [write for write, _ in waiting]) for lane, waiting in batch]
        held = await steadily(lambda: self._transact(rows, hooked))
        for lane, waiting in batch:
            for _, done in waiting:
                if done.done():
                    continue
                if (str(lane.claim.job_id), lane.claim.epoch) in held:
                    done.set_result(None)
                else:
                    done.set_exception(_lost(lane.claim))

    async def _transact(
        self, rows: Sequence[tuple[Claim, Sequence[Write]]], hooked: Sequence[tuple[Any, Any]]
    ) -> set[tuple[str, int]]:
        names = [write.name for _, writes in rows for write in writes]
        for name in names:
            fault(f"{name}.before")
        statement, values = statement_of(rows)
        prepare = True if self._pool.pipelined else None
        async with self._connection(transaction=bool(hooked)) as connection:
            cursor = await connection.execute(statement, values, prepare=prepare, binary=True)
            held = {(str(row["id"]), row["epoch"]) for row in await cursor.fetchall()}
            for query, params in hooked if held else ():
                await connection.execute(query, params)
        for name in names:
            fault(f"{name}.after")
        return held

    @asynccontextmanager
    async def _connection(self, *, transaction: bool) -> AsyncIterator[Any]:
        async with self._pool.connection() as connection:
            if transaction:
                async with connection.transaction():
                    yield connection
            else:
                yield connection


class _Apart(Exception):
    """Raised when a batch cannot be stored as one."""


def _some(lane: Lane) -> list[_Waiting]:
    """Take from a lane what can be stored by one statement."""
    found: list[_Waiting] = []
    keys: set[Row] = set()
    while lane.waiting:
        mine = set(lane.waiting[0][0].keys())
        if found and keys & mine:
            break
        keys |= mine
        found.append(lane.waiting.popleft())
    lane.storing, lane.due = True, bool(lane.waiting)
    return found


async def _check(lane: Lane, write: Write, hooked: list[tuple[Any, Any]]) -> None:
    """Raises what the write cannot be stored for; adds what its hook wants executed."""
    if write.error is not None:
        raise write.error
    if write.checkpoint is not None and (refused := lane.refused.get(write.place)) is not None:
        of, error = refused
        if of != write.of:  # its own writes it does not supersede
            raise error
    if write.hook is not None:
        recorder = Recorder()
        await write.hook(recorder)
        hooked += recorder.statements


def _refuse(lane: Lane, write: Write, done: "asyncio.Future[None]", error: Exception) -> None:
    if write.checkpoint is None and not isinstance(error, LeaseLost):
        lane.refused[write.place] = (write.of, error)
    if not done.done():
        done.set_exception(error)


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} may write no more checkpoints")


def _noticed(done: "asyncio.Future[None]") -> None:
    """Nobody need have waited for it."""
    if not done.cancelled():
        done.exception()


async def _result(done: "asyncio.Future[None]") -> None:
    await done


async def _elsewhere(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
