"""Histories too long to be made by running them, written into the database as workers would have left them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import psycopg

from tests.bench.graphs import ROUND

JOBS = 100_000
ATTEMPTS, STEPS, EVENTS = 10, 500, 10_000
THREAD = UUID("01900001-0000-7000-8000-000000000007")
"""One of the threads."""
_Line = tuple[float, int, str, str | None, dict[str, object]]

# Ids are in the order of time, as real ones, and older than those.
_ID = "('0190{kind:04x}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
_WORKER = UUID("01900000-0000-7000-8000-0000000000aa")
_LONG_JOB = UUID("01900003-0000-7000-8000-000000000001")
# A month, one after the other.
_MOMENT = "now() - (%(jobs)s - n) * interval '30 days' / %(jobs)s"

_THREADS = f"""
INSERT INTO threads (id, project_id, workflow, created_at, updated_at)
SELECT {_ID.format(kind=1)}, p.id, 'report', {_MOMENT}, {_MOMENT}
FROM generate_series(1, %(jobs)s) n, projects p WHERE p.name = 'default'"""

# What has not ended is in a queue that nobody serves, or paused. Inputs and outputs are as large as those of a report.
_JOBS = f"""
INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, waiting_for, input, output, error, epoch,
    max_attempts, last_seq, priority, created_at, started_at, finished_at, created_by)
SELECT {_ID.format(kind=2)}, p.id, {_ID.format(kind=1)},
    CASE WHEN n %% 1000 = 7 THEN 'rare' ELSE (ARRAY['report', 'report', 'modernize', 'ask', 'ask'])[1 + n %% 5] END, '1',
    CASE WHEN state = 'queued' THEN 'nobody' ELSE 'default' END, state, CASE WHEN state = 'paused' THEN 'request' END,
    jsonb_build_object('topic', 'How a garden is run together, part ' || n, 'collections', jsonb_build_array('library'),
        'about', repeat('Many hands make light work. ', 10)),
    CASE WHEN state = 'succeeded' THEN jsonb_build_object('report', repeat(md5(n::text), 40)) END,
    CASE WHEN state IN ('failed', 'dead') THEN jsonb_build_object('code', 'step_failed', 'message', 'no answer in time') END,
    CASE WHEN state = 'queued' THEN 0 ELSE 1 END, 3, 5, n %% 3, {_MOMENT},
    CASE WHEN state <> 'queued' THEN {_MOMENT} + interval '1 second' END,
    CASE WHEN state NOT IN ('queued', 'paused') THEN {_MOMENT} + interval '1 second' * (2 + n %% 600) END,
    (ARRAY['key:bench', 'key:other', 'subject:ana'])[1 + n %% 3]
FROM projects p, generate_series(1, %(jobs)s) n, LATERAL (SELECT CASE
    WHEN n %% 100 < 88 THEN 'succeeded' WHEN n %% 100 < 94 THEN 'failed' WHEN n %% 100 < 97 THEN 'cancelled'
    WHEN n %% 100 < 98 THEN 'queued' WHEN n %% 1000 < 898 THEN 'paused' WHEN n %% 1000 < 900 THEN 'dead'
    ELSE 'budget_exhausted' END AS state) s
WHERE p.name = 'default'"""

_JOURNALS = f"""
INSERT INTO events (job_id, seq, epoch, type, step, data, created_at)
SELECT {_ID.format(kind=2)}, seq, 1,
    (ARRAY['job.queued', 'job.started', 'step.started', 'step.finished', 'job.succeeded'])[seq],
    CASE WHEN seq IN (3, 4) THEN 'write' END, '{{}}', {_MOMENT} + seq * interval '1 second'
FROM generate_series(1, %(jobs)s) n, generate_series(1, 5) seq"""

_TRIES = f"""
INSERT INTO attempts (job_id, epoch, worker_id, worker_name, began_seq, outcome, started_at, finished_at)
SELECT {_ID.format(kind=2)}, 1, %(worker)s, 'bench', 2, 'succeeded', {_MOMENT}, {_MOMENT}
FROM generate_series(1, %(jobs)s) n"""

_LONG = """
INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, input, output, epoch, max_attempts, last_seq,
    created_at, started_at, finished_at, created_by)
SELECT %(id)s, project_id, id, 'bench.rounds', '1', 'default', 'succeeded', '{"n": 0}', '{"n": 500}', %(attempts)s, 20,
    %(events)s, %(began)s, %(began)s + interval '5 minutes', %(began)s + interval '55 minutes', 'key:bench'
FROM threads ORDER BY id LIMIT 1"""

_LONG_TRIES = """
INSERT INTO attempts (job_id, epoch, worker_id, worker_name, began_seq, outcome, started_at, finished_at)
SELECT %(id)s, n, %(worker)s, 'bench', 1 + (n - 1) * %(each)s, CASE WHEN n = %(attempts)s THEN 'succeeded' ELSE 'lost' END,
    %(began)s + n * interval '5 minutes', %(began)s + n * interval '5 minutes' + interval '4 minutes'
FROM generate_series(1, %(attempts)s) n"""

_EVENTS = "COPY events (job_id, seq, epoch, type, step, data, created_at) FROM STDIN"


def fill(database_url: str, jobs: int = JOBS) -> UUID:
    """Write `jobs` jobs of the last month, and one that was long; the id of that one."""
    with psycopg.connect(database_url) as connection:
        for sql in (_THREADS, _JOBS, _JOURNALS, _TRIES):
            connection.execute(sql.encode(), {"jobs": jobs, "worker": _WORKER})
        lines, began = list(_journal()), datetime.now(UTC) - timedelta(hours=2)
        long = {"id": _LONG_JOB, "attempts": ATTEMPTS, "events": len(lines), "worker": _WORKER, "began": began}
        connection.execute(_LONG.encode(), long)
        connection.execute(_LONG_TRIES.encode(), long | {"each": len(lines) // ATTEMPTS})
        with connection.cursor().copy(_EVENTS.encode()) as copy:
            for seq, (second, attempt, kind, step, data) in enumerate(lines, start=1):
                at = began + timedelta(seconds=second)
                copy.write_row((_LONG_JOB, seq, attempt, kind, step, orjson.dumps(data).decode(), at))
    # As autovacuum leaves it within minutes.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return _LONG_JOB


def _journal() -> Iterator[_Line]:
    """`EVENTS` events of `ATTEMPTS` attempts, which run `STEPS` steps in all; each of them says something meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        began = attempt * 300.0
        end = "job.succeeded" if attempt == ATTEMPTS else "attempt.lost"
        mine: list[_Line] = [] if attempt > 1 else [(began, 0, "job.queued", None, {})]
        mine.append((began, attempt, "job.started", None, {"worker": "bench"}))
        left = EVENTS // ATTEMPTS - len(mine) - 1
        said = left // (STEPS // ATTEMPTS) - 2
        for number in range(STEPS // ATTEMPTS):
            mine += _step(attempt, number, mine[-1][0] + 0.1, said)
        while len(mine) < EVENTS // ATTEMPTS - 1:
            mine.append((mine[-1][0], attempt, "custom", None, {"idle": True}))
        yield from mine
        yield (mine[-1][0], attempt, end, None, {})


def _step(attempt: int, number: int, began: float, said: int) -> list[_Line]:
    step, task = ROUND[number % len(ROUND)], f"{attempt}-{number}"
    text = "Many hands make light work. " * 4
    ended = began + 0.05 * said
    return [
        (began, attempt, "step.started", step, {"id": task, "input": {"n": number}}),
        *((began + 0.05 * n, attempt, "custom", step, {"part": n, "text": text}) for n in range(1, said + 1)),
        (ended, attempt, "step.finished", step, {"id": task, "output": {"n": number}, "milliseconds": 50.0 * said}),
    ]
