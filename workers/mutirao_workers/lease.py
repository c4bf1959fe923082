"""The lease of a worker process, kept by a thread of its own: a step that blocks the loop does not lose it."""

import contextlib
import threading
import time
from collections.abc import Callable
from uuid import UUID

import psycopg
from mutirao.logs import logger
from mutirao.workers import HEARTBEAT_SQL

_log = logger("lease")
_BEATS_PER_LEASE = 4


class Lease:
    """Extends the worker's lease until `stop`; calls `on_lost`, once, when it has run out.

    Lost means: the database said so, or no heartbeat came through for a whole lease. Then somebody else may hold the
    jobs, and this worker must stop them. A heartbeat that hangs cannot say so itself: `overdue` is for whoever watches the
    clock.
    """

    def __init__(self, url: str, worker_id: UUID, seconds: float, on_lost: Callable[[], None]) -> None:
        self._url = url
        self._worker_id = worker_id
        self._seconds = seconds
        self._on_lost = on_lost
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._connection: psycopg.Connection[tuple[UUID]] | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def overdue(self) -> bool:
        """Whether the last heartbeat that came through began longer ago than a lease lasts."""
        return time.monotonic() - self._last > self._seconds

    def start(self) -> None:
        self._last = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds / _BEATS_PER_LEASE):
            began = time.monotonic()
            try:
                held = self._beat()
                self._last = began
            except (psycopg.Error, OSError) as error:
                _log.warning("lease.heartbeat_failed", error=str(error), silent_seconds=round(began - self._last, 1))
                self._disconnect()
                held = not self.overdue
            if not held:
                _log.error("lease.lost", worker=str(self._worker_id))
                self._on_lost()
                break
        self._disconnect()

    def _beat(self) -> bool:
        if self._connection is None:
            milliseconds = int(self._seconds * 1000)
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=2,
                tcp_user_timeout=milliseconds,
                options=f"-c statement_timeout={milliseconds}",
                application_name="mutirao lease",
            )
        row = self._connection.execute(HEARTBEAT_SQL, {"id": self._worker_id, "lease": self._seconds}).fetchone()
        return row is not None

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
