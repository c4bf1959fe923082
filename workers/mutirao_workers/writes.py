"""What checkpoints are made of, as rows; and the one statement that stores those of many attempts, each behind its fence."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mutirao.jobs.records import Claim

Place = tuple[str, str]
"""A thread and a namespace in it."""
Row = tuple[Any, ...]
Hook = Callable[["Recorder"], Awaitable[None]]


@dataclass(eq=False, kw_only=True, slots=True)
class Write:
    """What one attempt wants stored, all of it or nothing, and only while it holds its job.

    `upserts` and `inserts` are rows of `checkpoint_writes`: of the former the last one counts, of the latter the first.
    `displaced` are keys of theirs whose checkpoint belongs to another job: what stood there before is kept until this job
    is deleted, and comes back when it is rolled back.
    `hook` may add statements to the same transaction. `name` is that of the fault points round it.
    """

    name: str
    place: Place
    of: str  # the id of its checkpoint
    upserts: Sequence[Row] = ()
    inserts: Sequence[Row] = ()
    displaced: Sequence[Row] = ()
    blobs: Sequence[Row] = ()
    checkpoint: Row | None = None
    hook: Hook | None = None
    error: Exception | None = None  # it cannot be stored: what it is made of is no value

    def keys(self) -> Iterable[Row]:
        """What it writes more than once in a statement cannot be told apart there."""
        for row in (*self.upserts, *self.inserts):
            yield (row[0], row[1], row[2], row[3], row[5])
        if self.checkpoint is not None:
            yield self.checkpoint[:3]


@dataclass(eq=False, slots=True)
class Recorder:
    """A cursor for hooks: keeps what is to be executed with the writes. Nothing can be fetched from it."""

    statements: list[tuple[Any, Any]] = field(default_factory=list)

    async def execute(self, query: Any, params: Any = None, **_: Any) -> None:
        self.statements.append((query, params))


_FENCE = """
WITH unit AS (
    SELECT * FROM unnest(%(jobs)b::text[]::uuid[], %(epochs)b::int[]) WITH ORDINALITY AS u(job, epoch, unit)
), held AS MATERIALIZED (
    SELECT u.unit, j.id, j.epoch FROM unit u JOIN jobs j ON j.id = u.job AND j.epoch = u.epoch AND j.state = 'running'
    ORDER BY j.id FOR SHARE OF j
)"""

_WRITES = """
, {name} AS (
    INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM held JOIN unnest(%({name}0)b::int[], %({name}1)b::text[], %({name}2)b::text[], %({name}3)b::text[],
        %({name}4)b::text[], %({name}5)b::text[], %({name}6)b::int[], %({name}7)b::text[], %({name}8)b::text[],
        %({name}9)b::bytea[])
        AS w(unit, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob) USING (unit)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO {conflict}
)"""
_REPLACE = "UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob"

# The first time counts: what stood there before the job.
_DISPLACED = """
, displaced AS (
    INSERT INTO displaced_writes
        (job_id, thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob)
    SELECT held.id, thread_id, checkpoint_ns, checkpoint_id, task_id, idx, w.task_path, w.channel, w.type, w.blob
    FROM held JOIN unnest(%(displaced0)b::int[], %(displaced1)b::text[], %(displaced2)b::text[], %(displaced3)b::text[],
        %(displaced4)b::text[], %(displaced5)b::int[])
        AS d(unit, thread_id, checkpoint_ns, checkpoint_id, task_id, idx) USING (unit)
        LEFT JOIN checkpoint_writes w USING (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    ON CONFLICT DO NOTHING
)"""

_BLOBS = """
, blobs AS (
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT thread_id, checkpoint_ns, channel, version, type, blob
    FROM held JOIN unnest(%(blobs0)b::int[], %(blobs1)b::text[], %(blobs2)b::text[], %(blobs3)b::text[],
        %(blobs4)b::text[], %(blobs5)b::text[], %(blobs6)b::bytea[])
        AS b(unit, thread_id, checkpoint_ns, channel, version, type, blob) USING (unit)
    ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
)"""

_CHECKPOINTS = """
, checkpoints_ AS (
    INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    SELECT thread_id, checkpoint_ns, checkpoint_id, nullif(parent_checkpoint_id, ''), checkpoint::jsonb, metadata::jsonb
    FROM held JOIN unnest(%(checkpoints0)b::int[], %(checkpoints1)b::text[], %(checkpoints2)b::text[],
        %(checkpoints3)b::text[], %(checkpoints4)b::text[], %(checkpoints5)b::text[], %(checkpoints6)b::text[])
        AS c(unit, thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata) USING (unit)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
        DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata
)"""

_PARTS = {
    "displaced": _DISPLACED,
    "upserts": _WRITES.format(name="upserts", conflict=_REPLACE),
    "inserts": _WRITES.format(name="inserts", conflict="NOTHING"),
    "blobs": _BLOBS,
    "checkpoints": _CHECKPOINTS,
}


@cache
def _statement(parts: tuple[str, ...]) -> bytes:
    return (_FENCE + "".join(_PARTS[part] for part in parts) + "\nSELECT id, epoch FROM held").encode()


def statement_of(batch: Sequence[tuple[Claim, Sequence[Write]]]) -> tuple[bytes, dict[str, Any]]:
    """The statement that stores the writes of attempts, and its values. It returns id and epoch of those that hold their
    jobs; of the others nothing is stored. No two writes of one attempt may have a key in common."""
    rows: dict[str, list[Row]] = {part: [] for part in _PARTS}
    for number, (_, writes) in enumerate(batch, start=1):
        unit = (number,)  # not the job's id: two attempts at one job may be among them
        for write in writes:
            rows["displaced"] += [unit + row for row in write.displaced]
            rows["upserts"] += [unit + row for row in write.upserts]
            rows["inserts"] += [unit + row for row in write.inserts]
            rows["blobs"] += [unit + row for row in write.blobs]
            if write.checkpoint is not None:
                rows["checkpoints"].append(unit + write.checkpoint)
    values: dict[str, Any] = {
        "jobs": [str(claim.job_id) for claim, _ in batch],
        "epochs": [claim.epoch for claim, _ in batch],
    }
    parts = tuple(part for part, found in rows.items() if found)
    for part in parts:
        values |= {f"{part}{number}": list(column) for number, column in enumerate(zip(*rows[part], strict=True))}
    return _statement(parts), values
