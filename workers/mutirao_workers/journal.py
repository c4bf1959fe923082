"""The journal of a worker process: collects the events of all its attempts and writes them in batches."""

import asyncio
import threading
import time
from collections.abc import Callable

from mutirao.db.engine import connection_lost
from mutirao.db.notices import wait_for
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError

_log = logger("journal")
_MOST_IN_BATCH = 2_000
_FIRST_IN_BATCH = 32
_STREAMED = "stream."  # how the types of events begin that readers of a stream get
_MANY = 64  # so many are a batch worth writing, however short they have waited
_RETRY_SECONDS = 0.5
_FEW, _LONGER = 2, 8  # attempts that do not crowd; how much longer events wait at most where they do
TOKENS = "model.tokens"
Entry = tuple[Claim, NewEvent, float]


class Journal:
    """Events in order per attempt, written soon after they happened: at once where somebody waits for them
    (`run.stream.live`) or where there are many; what comes while a batch is written is the next one. Others wait for
    each other: `flush_seconds` where few attempts run, the longer the more there are, up to `_LONGER` times that. What an
    attempt has told last is written with its end, and many short ones at once need no batch at all.

    `emit` may be called from any thread. An event is never dropped while its attempt holds the job: a database that
    does not answer is tried again. Only one that the database refuses as such is left out, and logged.
    """

    def __init__(self, store: ClaimStore, flush_seconds: float, running: Callable[[], int] = lambda: 1) -> None:
        self._store = store
        self._flush_seconds = flush_seconds
        self._running = running
        self._waiting: list[Entry] = []
        self._guard = threading.Lock()
        self._writing = asyncio.Lock()
        self._news = asyncio.Event()
        self._pressing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="journal")

    async def stop(self) -> None:
        """Write what waits and end."""
        if self._task is not None:
            async with self._writing:  # not in the middle of a batch, which would be written twice
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    def emit(self, claim: Claim, event: NewEvent) -> None:
        """Take an event; it is written soon."""
        with self._guard:
            last = self._waiting[-1] if self._waiting else None
            if last is not None and _continues(last[0], last[1], claim, event):
                merged = last[1].data | {"text": last[1].data["text"] + event.data["text"]}
                self._waiting[-1] = (claim, last[1].model_copy(update={"data": merged}), last[2])
                return
            self._waiting.append((claim, event, time.monotonic()))
            pressing = len(self._waiting) >= _MANY or (_is_live(claim) and event.type.startswith(_STREAMED))
        if threading.get_ident() == self._home:
            self._tell(pressing)
        else:
            self._loop.call_soon_threadsafe(self._tell, pressing)

    async def take(self, claim: Claim) -> list[NewEvent]:
        """The events of an attempt that are not written yet, for its last transaction; nothing of it is in flight."""
        async with self._writing:
            with self._guard:
                mine = [entry for entry in self._waiting if entry[0] is claim]
                self._waiting = [entry for entry in self._waiting if entry[0] is not claim]
        return [_aged(event, since) for _, event, since in mine]

    def _tell(self, pressing: bool) -> None:
        self._news.set()
        if pressing:
            self._pressing.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            await wait_for(self._pressing, self._flush_seconds * min(max(self._running() / _FEW, 1), _LONGER))
            self._news.clear()
            self._pressing.clear()
            try:
                await self._flush()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("journal.not_written", error=str(error), waiting=len(self._waiting))
                await asyncio.sleep(_RETRY_SECONDS)
                self._news.set()

    async def _flush(self) -> None:
        # Where somebody waits the first batch is a small one, so that he sees its first event soon.
        size = _FIRST_IN_BATCH if self._is_waited_for() else _MOST_IN_BATCH
        more = True
        while more:
            # Let go between batches: one attempt that always has something to say must not keep the others from their end.
            async with self._writing:
                if more := bool(batch := self._batch(size)):
                    await self._write(batch)
            size = min(2 * size, _MOST_IN_BATCH)

    def _is_waited_for(self) -> bool:
        with self._guard:
            return bool(self._waiting) and _is_live(self._waiting[0][0])

    async def _write(self, batch: list[Entry]) -> None:
        """Write a batch, in smaller ones where the database refuses something in it; what is not written waits again."""
        parts = [batch]
        try:
            while parts:
                part = parts[0]
                try:
                    await self._store.append([(claim, _aged(event, since)) for claim, event, since in part])
                except SQLAlchemyError as error:
                    if connection_lost(error):
                        raise
                    if len(part) > 1:
                        parts[:1] = [part[: len(part) // 2], part[len(part) // 2 :]]
                        continue
                    _log.error(
                        "journal.event_refused", job=str(part[0][0].job_id), type=part[0][1].type, error=str(error)
                    )
                del parts[0]
        except BaseException:
            with self._guard:
                self._waiting[:0] = [entry for part in parts for entry in part]
            raise

    def _batch(self, size: int) -> list[Entry]:
        with self._guard:
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
        return batch


def _aged(event: NewEvent, since: float) -> NewEvent:
    return event.model_copy(update={"age": max(0.0, time.monotonic() - since)})


def _is_live(claim: Claim) -> bool:
    return claim.run is not None and claim.run.stream.live


def _continues(last: Claim, before: NewEvent, claim: Claim, event: NewEvent) -> bool:
    """Tokens of the same answer that wait together become one event."""
    return (
        event.type == before.type == TOKENS
        and last is claim
        and event.step == before.step
        and event.data.get("message") == before.data.get("message")
    )
