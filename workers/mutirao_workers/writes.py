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
    `hook` may add statements to the same transaction. `name` is that of the fault points round it.
    """

    name: str
    place: Place
    of: str  # the id of its checkpoint
    upserts: Sequence[Row] = ()
    inserts: Sequence[Row] = ()
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
    SELECT * FROM unnest(%(jobs)b::text[]::uuid[], %(epochs)b::int[]) AS u(job, epoch)
), held AS MATERIALIZED (
    SELECT j.id FROM unit u JOIN jobs j ON j.id = u.job AND j.epoch = u.epoch AND j.state = 'running'
    ORDER BY j.id FOR SHARE OF j
)"""

_WRITES = """
, {name} AS (
    INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM held JOIN unnest(%({name}0)b::text[]::uuid[], %({name}1)b::text[], %({name}2)b::text[], %({name}3)b::text[],
        %({name}4)b::text[], %({name}5)b::text[], %({name}6)b::int[], %({name}7)b::text[], %({name}8)b::text[],
        %({name}9)b::bytea[])
        AS w(job, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob) ON w.job = held.id
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO {conflict}
)"""
_REPLACE = "UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob"

_BLOBS = """
, blobs AS (
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT thread_id, checkpoint_ns, channel, version, type, blob
    FROM held JOIN unnest(%(blobs0)b::text[]::uuid[], %(blobs1)b::text[], %(blobs2)b::text[], %(blobs3)b::text[],
        %(blobs4)b::text[], %(blobs5)b::text[], %(blobs6)b::bytea[])
        AS b(job, thread_id, checkpoint_ns, channel, version, type, blob) ON b.job = held.id
    ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
)"""

_CHECKPOINTS = """
, checkpoints_ AS (
    INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    SELECT thread_id, checkpoint_ns, checkpoint_id, nullif(parent_checkpoint_id, ''), checkpoint::jsonb, metadata::jsonb
    FROM held JOIN unnest(%(checkpoints0)b::text[]::uuid[], %(checkpoints1)b::text[], %(checkpoints2)b::text[],
        %(checkpoints3)b::text[], %(checkpoints4)b::text[], %(checkpoints5)b::text[], %(checkpoints6)b::text[])
        AS c(job, thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata) ON c.job = held.id
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
        DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata
)"""

_PARTS = {
    "upserts": _WRITES.format(name="upserts", conflict=_REPLACE),
    "inserts": _WRITES.format(name="inserts", conflict="NOTHING"),
    "blobs": _BLOBS,
    "checkpoints": _CHECKPOINTS,
}


@cache
def _statement(parts: tuple[str, ...]) -> bytes:
    return (_FENCE + "".join(_PARTS[part] for part in parts) + "\nSELECT id FROM held").encode()


def statement_of(batch: Sequence[tuple[Claim, Sequence[Write]]]) -> tuple[bytes, dict[str, Any]]:
    """The statement that stores the writes of attempts, and its values. It returns the ids of the jobs that are held;
    of the others nothing is stored. No two writes in it may have a key in common."""
    rows: dict[str, list[Row]] = {part: [] for part in _PARTS}
    for claim, writes in batch:
        job = (str(claim.job_id),)
        for write in writes:
            rows["upserts"] += [job + row for row in write.upserts]
            rows["inserts"] += [job + row for row in write.inserts]
            rows["blobs"] += [job + row for row in write.blobs]
            if write.checkpoint is not None:
                rows["checkpoints"].append(job + write.checkpoint)
    values: dict[str, Any] = {
        "jobs": [str(claim.job_id) for claim, _ in batch],
        "epochs": [claim.epoch for claim, _ in batch],
    }
    parts = tuple(part for part, found in rows.items() if found)
    for part in parts:
        values |= {f"{part}{number}": list(column) for number, column in enumerate(zip(*rows[part], strict=True))}
    return _statement(parts), values
