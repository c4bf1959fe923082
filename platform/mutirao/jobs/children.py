"""Children: the jobs that a step of another job has fanned out to, in groups whose ends it waits for."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.ids import stable_id
from mutirao.jobs import changes, moves
from mutirao.jobs.records import Claim, Problem, Record, Submission
from mutirao.jobs.states import JobState
from mutirao.jobs.store import JobStore

# Found again by whoever writes it a second time; nothing when the parent's attempt is not the current one.
_BEGIN = text("""
WITH held AS (
    SELECT id FROM jobs WHERE id = :job AND epoch = :epoch AND state = 'running' FOR SHARE
)
INSERT INTO job_groups (id, job_id, key, total, fail_fast)
SELECT :group_id, id, :key, :total, :fail_fast FROM held ON CONFLICT (job_id, key) DO UPDATE SET key = excluded.key
RETURNING id, total, fail_fast""")

_GROUP = text("""
SELECT id, total, fail_fast FROM job_groups g
WHERE job_id = :job AND key = :key AND EXISTS (SELECT 1 FROM jobs WHERE group_id = g.id)""")

# Served by ix_jobs_group_open.
_OPEN = text("SELECT EXISTS (SELECT 1 FROM jobs WHERE group_id = :group_id AND finished_at IS NULL)")

# Served by ix_jobs_group_id.
_ENDED = text("""
SELECT ordinal, id AS job_id, state, output, error FROM jobs
WHERE group_id = :group_id AND ordinal > :after ORDER BY ordinal LIMIT :limit""")

# Whoever looks after everything stands behind no single job: the next look finds what is left.
_PATIENCE = text("SET LOCAL lock_timeout = '2s'")

# What still runs of groups that end with their first failure; of one of them, or of those that a parent waits for.
_CUT_SHORT = text("""
SELECT c.id, g.job_id FROM job_groups g
JOIN jobs c ON c.group_id = g.id AND c.finished_at IS NULL AND c.cancel_requested_at IS NULL
WHERE g.fail_fast
  AND CASE WHEN CAST(:group_id AS uuid) IS NULL THEN g.job_id IN (SELECT id FROM jobs WHERE state = 'waiting')
           ELSE g.id = :group_id END
  AND EXISTS (SELECT 1 FROM jobs f WHERE f.group_id = g.id AND f.state IN ('failed', 'dead', 'budget_exhausted'))
ORDER BY c.id LIMIT :limit""")

_PAGE = 500
_AT_ONCE = 200


class Group(Record):
    """One fan-out of a job."""

    id: UUID
    total: int
    fail_fast: bool = False


class EndedChild(Record):
    """How one child has ended; `ordinal` is its place among the inputs."""

    ordinal: int
    job_id: UUID
    state: JobState
    output: Any = None
    error: Problem | None = None


class ChildStore:
    """Every verb on groups of children that a running parent may use."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def group(self, parent: Claim, key: str) -> Group | None:
        """The group that this call of `fan_out` has begun before, in whatever attempt; None while it has no children."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GROUP, {"job": parent.job_id, "key": key})).mappings().first()
        return None if row is None else Group.model_validate(dict(row))

    async def start(
        self,
        parent: Claim,
        key: str,
        submissions: Sequence[Submission],
        *,
        priority: int | None = None,
        fail_fast: bool = False,
    ) -> Group:
        """Commit a group, then all its children in one statement; called again after a crash between, it goes on there.

        Raises:
            LeaseLost: another attempt of the parent has begun; it made no child.
        """
        values = {
            "job": parent.job_id,
            "epoch": parent.epoch,
            "group_id": stable_id("group", parent.job_id, key),
            "key": key,
            "total": len(submissions),
            "fail_fast": fail_fast,
        }
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_BEGIN, values)).mappings().first()
        if row is None:
            raise LeaseLost(f"job {str(parent.job_id)!r}: attempt {parent.epoch} may start no children")
        group = Group.model_validate(dict(row))
        await JobStore(self.db).accept_many(submissions, parent=parent, group_id=group.id, priority=priority)
        return group

    async def open(self, group_id: UUID) -> bool:
        """Whether a child of the group has not ended."""
        async with self.db.autocommit() as connection:
            return bool(await connection.scalar(_OPEN, {"group_id": group_id}))

    async def ended(self, group_id: UUID) -> list[EndedChild]:
        """Every child of the group in order, read in pages. The caller has seen that none is open."""
        found: list[EndedChild] = []
        async with self.db.autocommit() as connection:
            while True:
                values = {"group_id": group_id, "after": found[-1].ordinal if found else -1, "limit": _PAGE}
                rows = (await connection.execute(_ENDED, values)).mappings().all()
                found += [EndedChild.model_validate(dict(row)) for row in rows]
                if len(rows) < _PAGE:
                    return found

    async def cut_short(self, group_id: UUID | None = None) -> int:
        """Cancel what still runs of groups that asked for it (`fail_fast`) once a child of theirs has failed.

        Without a group: of those that a parent waits for, as many as one transaction should hold; the next call finds
        the rest. Returns how many were asked to end. Safe to call at any time, by anybody.
        """
        asked = 0
        while True:
            asked += (found := await self._cut_short(group_id))
            if group_id is None or found < _AT_ONCE:
                return asked

    async def _cut_short(self, group_id: UUID | None) -> int:
        async with self.db.begin() as connection:
            if group_id is None:
                await connection.execute(_PATIENCE)
            rows = (await connection.execute(_CUT_SHORT, {"group_id": group_id, "limit": _AT_ONCE})).all()
            if rows:
                await changes.cancel_trees(connection, [row.id for row in rows], by=None)
        for parent in {row.job_id for row in rows}:
            async with self.db.autocommit() as connection:
                await connection.execute(moves.WAKE, {"job": parent})
        return len(rows)
