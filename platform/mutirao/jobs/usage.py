"""What jobs and projects have spent, as clients see it.

Of what the workers have settled (`job_usage`, `project_usage`) and what the model calls say, the larger: the former is
written only where there is a budget, the latter is deleted in time.
"""

from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from mutirao.db import Database
from mutirao.jobs.records import Record
from mutirao.jobs.spending import Prices, Spending
from mutirao.jobs.spending import Usage as Counted

_OF_JOB = text("""
SELECT coalesce(u.used_tokens, 0) AS tokens, coalesce(u.used_model_calls, 0) AS model_calls,
    c.input_tokens, c.output_tokens, coalesce(u.used_cost, 0) AS cost, u.used_steps AS steps,
    coalesce(u.reserved_tokens, 0) AS reserved_tokens, coalesce(u.reserved_cost, 0) AS reserved_cost
FROM (
    SELECT coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens
    FROM model_calls WHERE job_id = :job
) c LEFT JOIN job_usage u ON u.job_id = :job""")

_OF_MONTH = text("""
SELECT m.month, coalesce(used_tokens, 0) AS tokens, coalesce(used_model_calls, 0) AS model_calls,
    coalesce(used_cost, 0) AS cost, coalesce(reserved_tokens, 0) AS reserved_tokens,
    coalesce(reserved_cost, 0) AS reserved_cost
FROM (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month) m
LEFT JOIN project_usage u ON u.project_id = :project AND u.month = m.month""")


class Spent(Record):
    """What was spent, and what running calls have reserved beside it."""

    tokens: int = Field(description="Input and output tokens of all model calls.")
    model_calls: int
    cost: float = Field(description="Money, by the price list of the settings.")
    reserved_tokens: int = 0
    reserved_cost: float = 0.0


class Usage(Spent):
    """What a job has spent."""

    input_tokens: int
    output_tokens: int
    steps: int | None = Field(None, description="Steps begun, repeated ones included; null where nobody counted.")


class MonthUsage(Spent):
    """What the jobs of a project have spent in a calendar month (UTC)."""

    month: str = Field(description="`2026-11`.")


class UsageReader:
    """Reads what was spent. The caller has made sure that job and project are its own."""

    def __init__(self, db: Database, prices: Prices | None = None) -> None:
        self.db = db
        self._spending = Spending(db, prices)

    async def of_job(self, job_id: UUID) -> Usage:
        """Of one job, without its children."""
        return Usage.model_validate(
            _larger(await self._row(_OF_JOB, {"job": job_id}), await self._spending.of_job(job_id))
        )

    async def of_month(self, project_id: UUID) -> MonthUsage:
        """Of all jobs of a project in the month that it is now."""
        settled = await self._row(_OF_MONTH, {"project": project_id})
        return MonthUsage.model_validate(_larger(settled, await self._spending.of_month(project_id)))

    async def _row(self, statement: Any, values: dict[str, Any]) -> dict[str, Any]:
        async with self.db.autocommit() as connection:
            row = dict((await connection.execute(statement, values)).mappings().one())
        return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def _larger(settled: dict[str, Any], counted: Counted) -> dict[str, Any]:
    return settled | {name: max(settled[name], getattr(counted, name)) for name in ("tokens", "model_calls", "cost")}
