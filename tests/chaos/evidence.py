"""The history of everything a database holds, with what the client was answered and what the steps have witnessed."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from tests.chaos.history import Accepted, AttemptRow, CheckpointRow, EffectRow, EventRow, History, JobRow, Line

_FENCED = ("attempt.fenced", "MU001")
_JOBS = "SELECT id, state, epoch, last_seq, extract(epoch FROM finished_at)::float FROM jobs"
_ATTEMPTS = "SELECT job_id, epoch, outcome FROM attempts"
_EVENTS = "SELECT job_id, seq, epoch, type FROM events"
_EFFECTS = "SELECT job_id, key, state, extract(epoch FROM done_at)::float FROM effects"
_CHECKPOINTS = """
SELECT (metadata->>'job_id')::uuid, (metadata->>'epoch')::int, max((metadata->>'step')::int) FROM checkpoints
WHERE checkpoint_ns = '' AND metadata ? 'job_id' AND metadata ? 'epoch' GROUP BY 1, 2"""


def load(
    database_url: str,
    *,
    accepted: Iterable[Accepted],
    witness: Path,
    logs: Iterable[Path],
    two_jobs: Iterable[tuple[UUID, UUID]] = (),
) -> History:
    """Read it all. The whole database, also jobs that no client was told of."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        return History(
            accepted=tuple(accepted),
            jobs=tuple(
                JobRow(id=job, state=state, epoch=epoch, last_seq=seq, finished=finished)
                for job, state, epoch, seq, finished in _rows(connection, _JOBS)
            ),
            attempts=tuple(AttemptRow(job=j, epoch=e, outcome=o) for j, e, o in _rows(connection, _ATTEMPTS)),
            events=tuple(EventRow(job=j, seq=s, epoch=e, type=t) for j, s, e, t in _rows(connection, _EVENTS)),
            checkpoints=tuple(_checkpoints(connection)),
            effects=tuple(EffectRow(job=j, key=k, state=s, done=d) for j, k, s, d in _rows(connection, _EFFECTS)),
            lines=tuple(read_lines(witness, _clock_offset(connection))),
            two_jobs=tuple(two_jobs),
            fenced=sum(count_fenced(log) for log in logs),
        )


def read_lines(witness: Path, offset: float) -> list[Line]:
    """The witness file, its times moved by `offset` seconds."""
    if not witness.exists():
        return []
    found = []
    for line in witness.read_text().splitlines():
        kind, job, epoch, what, at = line.split()
        found.append(Line(kind=kind, job=UUID(job), epoch=int(epoch), what=what, at=int(at) / 1e9 + offset))
    return found


def count_fenced(log: Path) -> int:
    """Lines of a worker's log which say that a stale attempt was refused."""
    with log.open(errors="replace") as lines:
        return sum(any(word in line for word in _FENCED) for line in lines)


def _checkpoints(connection: psycopg.Connection[TupleRow]) -> list[CheckpointRow]:
    if connection.execute("SELECT to_regclass('checkpoints') IS NOT NULL").fetchone() != (True,):
        return []
    return [CheckpointRow(job=j, epoch=e, steps=max(0, s)) for j, e, s in _rows(connection, _CHECKPOINTS)]


def _clock_offset(connection: psycopg.Connection[TupleRow]) -> float:
    """Seconds to add to this machine's monotonic clock to get the database's."""
    before = time.monotonic()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    assert row is not None
    return float(row[0]) - (before + time.monotonic()) / 2


def _rows(connection: psycopg.Connection[TupleRow], statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement.encode()).fetchall()
