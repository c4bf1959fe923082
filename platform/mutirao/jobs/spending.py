"""What a job and its project may spend, reserved before each call and settled after it.

`job_usage` and `project_usage` count what was reserved and used while there was a budget; without one nothing is
written. What was used in any case is in the model calls, and `Spending.of_job` and `of_month` read it there.

What is reserved belongs to one attempt (`job_usage.epoch`). An attempt that dies, or is cancelled in the middle of a
call, leaves its reservations behind: the next attempt's first reservation releases them, and so does any reservation
of the project that would be refused on their account.
"""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import BudgetExhausted, LeaseLost, StepFailed
from mutirao.jobs.records import Claim, Record
from mutirao.settings import ModelPrice

_REMEMBERED_SECONDS = 2.0  # how old a project's budget may be
_UNITS = ("tokens", "cost", "model_calls")
_MONTH = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"


def _fits(usage: str, budget: str) -> str:
    return " AND ".join(
        f"coalesce({usage}.used_{unit} + {usage}.reserved_{unit} + :{unit} <= ({budget}->>'{unit}')::numeric, true)"
        for unit in _UNITS
    )


def _add(usage: str) -> str:
    return ", ".join(f"reserved_{unit} = {usage}.reserved_{unit} + :{unit}" for unit in _UNITS)


# Both rows are locked first, so that what is compared is the newest: of two calls at once only one takes the last bit.
# One statement and one transaction, like every other here: a lock that lasted longer would stop a process for ever whose
# loop waits for a blocking call, and cannot commit meanwhile.
_RESERVE = text(f"""
WITH job AS (
    SELECT u.job_id, j.project_id, {_fits("u", "j.budget")} AS fits
    FROM job_usage u JOIN jobs j ON j.id = u.job_id AND j.epoch = :epoch AND j.state = 'running'
    WHERE u.job_id = :job AND u.epoch = :epoch FOR UPDATE OF u
), month AS (
    SELECT m.project_id, m.month, {_fits("m", "p.budget")} AS fits
    FROM job JOIN project_usage m ON m.project_id = job.project_id AND m.month = {_MONTH}
    JOIN projects p ON p.id = m.project_id
    WHERE job.fits FOR UPDATE OF m
), reserved AS (
    UPDATE job_usage u SET {_add("u")}, month = month.month FROM job, month
    WHERE u.job_id = job.job_id AND job.fits AND month.fits
)
UPDATE project_usage m SET {_add("m")} FROM job, month
WHERE m.project_id = month.project_id AND m.month = month.month AND job.fits AND month.fits
RETURNING m.month""")

_SETTLE_JOB = ", ".join(
    f"used_{u} = used_{u} + :used_{u}, "
    f"reserved_{u} = CASE WHEN epoch = :epoch THEN greatest(0, reserved_{u} - :{u}) ELSE reserved_{u} END"
    for u in _UNITS
)
_SETTLE_MONTH = ", ".join(
    f"used_{u} = used_{u} + :used_{u}, "
    f"reserved_{u} = CASE WHEN job.held THEN greatest(0, reserved_{u} - :{u}) ELSE reserved_{u} END"
    for u in _UNITS
)
# What was spent is spent, whoever holds the job now; what a dead attempt had reserved is released already.
_SETTLE = text(f"""
WITH job AS (
    UPDATE job_usage SET {_SETTLE_JOB} WHERE job_id = :job RETURNING epoch = :epoch AS held
)
UPDATE project_usage SET {_SETTLE_MONTH} FROM job WHERE project_id = :project_id AND month = :month""")

# Of jobs of the project that do not run any more, and of earlier attempts. Epoch 0: a late settlement takes nothing off.
_RELEASE = text(f"""
WITH left_behind AS (
    SELECT u.job_id, u.month, {", ".join(f"u.reserved_{u}" for u in _UNITS)}
    FROM job_usage u JOIN jobs j ON j.id = u.job_id
    WHERE j.project_id = :project_id AND u.reserved_model_calls > 0 AND (j.state <> 'running' OR j.epoch <> u.epoch)
    ORDER BY u.job_id FOR UPDATE OF u
), sums AS (
    SELECT month, {", ".join(f"sum(reserved_{u}) AS {u}" for u in _UNITS)}
    FROM left_behind GROUP BY month
), cleared AS (
    UPDATE job_usage u SET epoch = 0, {", ".join(f"reserved_{u} = 0" for u in _UNITS)}
    FROM left_behind l WHERE u.job_id = l.job_id
)
UPDATE project_usage m SET {", ".join(f"reserved_{u} = greatest(0, m.reserved_{u} - sums.{u})" for u in _UNITS)}
FROM sums WHERE m.project_id = :project_id AND m.month = sums.month""")

_OPEN_JOB = text("""
INSERT INTO job_usage (job_id, epoch) SELECT id, epoch FROM jobs
WHERE id = :job AND epoch = :epoch AND state = 'running'
ON CONFLICT (job_id) DO UPDATE SET epoch = excluded.epoch WHERE job_usage.epoch < excluded.epoch""")

# A month that begins in the middle of it counts what its jobs have used so far, budgets or not.
_COUNT_MONTH = text(f"""
INSERT INTO project_usage AS m (project_id, month, used_tokens, used_model_calls, used_cost)
VALUES (:project_id, {_MONTH}, :tokens, :model_calls, :cost) ON CONFLICT (project_id, month) DO UPDATE SET
    {", ".join(f"used_{unit} = greatest(m.used_{unit}, excluded.used_{unit})" for unit in _UNITS)}""")

# Served by ix_model_calls_created_at.
_USED_MONTH = text("""
SELECT c.model, count(*) AS calls, sum(c.input_tokens) AS input, sum(c.output_tokens) AS output
FROM model_calls c JOIN jobs j ON j.id = c.job_id
WHERE j.project_id = :project_id AND c.created_at >= date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
GROUP BY c.model""")

_USED_JOB = text("""
SELECT model, count(*) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output
FROM model_calls WHERE job_id = :job GROUP BY model""")

_LOOK = text(f"""
SELECT j.epoch = :epoch AND j.state = 'running' AS held, j.budget AS job_budget, p.budget AS project_budget,
    u.epoch IS NOT DISTINCT FROM :epoch AS opened, m.month,
    {", ".join(f"u.used_{u} + u.reserved_{u} AS job_{u}, m.used_{u} + m.reserved_{u} AS project_{u}" for u in _UNITS)}
FROM jobs j JOIN projects p ON p.id = j.project_id
LEFT JOIN job_usage u ON u.job_id = j.id LEFT JOIN project_usage m ON m.project_id = p.id AND m.month = {_MONTH}
WHERE j.id = :job""")

_SECONDS = """(SELECT extract(epoch FROM sum(coalesce(a.finished_at, now()) - a.started_at))::float
     FROM attempts a WHERE a.job_id = j.id)"""

_STEP = text(f"""
UPDATE job_usage u SET used_steps = u.used_steps + 1 FROM jobs j
WHERE u.job_id = :job AND u.epoch = :epoch AND j.id = u.job_id AND j.epoch = :epoch AND j.state = 'running'
  AND coalesce(u.used_steps < (j.budget->>'steps')::bigint, true)
  AND coalesce({_SECONDS} <= (j.budget->>'seconds')::float, true)
RETURNING u.used_steps""")

_LOOK_STEPS = text(f"""
SELECT j.epoch = :epoch AND j.state = 'running' AS held, u.epoch IS NOT DISTINCT FROM :epoch AS opened, u.used_steps,
    (j.budget->>'steps')::bigint AS most_steps, (j.budget->>'seconds')::float AS most_seconds, {_SECONDS} AS seconds
FROM jobs j LEFT JOIN job_usage u ON u.job_id = j.id WHERE j.id = :job""")

_PROJECT_BUDGET = text("SELECT budget FROM projects WHERE id = :project_id")
_USAGE = text("""
SELECT used_steps, reserved_tokens, reserved_model_calls, reserved_cost FROM job_usage WHERE job_id = :job""")


class PriceUnknown(StepFailed):
    """Raised when there is a budget of cost, and the price list does not have the model that is asked."""

    code = "price_unknown"


class Reservation(Record):
    """Tokens and cost set aside for one model call of one attempt."""

    job_id: UUID
    epoch: int
    project_id: UUID
    month: str
    tokens: int
    cost: Decimal


class Usage(Record):
    """What a job has used; `reserved_…` is for calls under way. `cost` is by today's price list."""

    tokens: int = 0
    model_calls: int = 0
    cost: float = 0.0
    steps: int = 0
    reserved_tokens: int = 0
    reserved_model_calls: int = 0
    reserved_cost: float = 0.0


class Prices:
    """The price list of the settings; a model is found by its name, with or without its provider before it."""

    def __init__(self, prices: Mapping[str, ModelPrice]) -> None:
        self._prices = prices

    def known(self, model: str) -> bool:
        return self._of(model) is not None

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> Decimal:
        """What a call costs; 0 for a model without a price."""
        price = self._of(model)
        if price is None:
            return Decimal(0)
        tokens = ((price.input_per_million, input_tokens), (price.output_per_million, output_tokens))
        return sum((Decimal(str(each)) * count for each, count in tokens), Decimal(0)) / 1_000_000

    def _of(self, model: str) -> ModelPrice | None:
        return self._prices.get(model) or self._prices.get(model.partition(":")[2])


class Spending:
    """Every verb on budgets."""

    def __init__(self, db: Database, prices: Prices | None = None) -> None:
        self.db = db
        self.prices = prices or Prices({})
        self._project_budgets: dict[UUID, tuple[float, dict[str, Any] | None]] = {}

    async def limits(self, claim: Claim) -> list[Mapping[str, Any]]:
        """The budgets that hold for the job: its own and its project's, which may be two seconds old."""
        read, budget = self._project_budgets.get(claim.project_id, (0.0, None))
        if read < time.monotonic() - _REMEMBERED_SECONDS:
            async with self.db.autocommit() as connection:
                budget = await connection.scalar(_PROJECT_BUDGET, {"project_id": claim.project_id})
            self._project_budgets[claim.project_id] = (time.monotonic(), budget)
        return [found for found in (claim.budget and claim.budget.model_dump(), budget) if found]

    async def reserve(self, claim: Claim, tokens: int, cost: Decimal | float = 0) -> Reservation:
        """Set aside one model call with so many tokens, input and output, and so much cost.

        Raises:
            BudgetExhausted: the job or its project may not spend that much more this month; nothing is set aside.
            LeaseLost: another attempt has begun.
        """
        asked = {"tokens": tokens, "cost": Decimal(str(cost)), "model_calls": 1}
        released = False
        while True:
            month = await self._reserved(claim, asked)
            if month is not None:
                return Reservation(
                    job_id=claim.job_id, epoch=claim.epoch, project_id=claim.project_id, month=month,
                    tokens=tokens, cost=asked["cost"],
                )  # fmt: skip
            refusal = await self._refusal(claim, asked)
            if refusal is not None:
                if released:
                    raise refusal
                released = True
                await self._release(claim)

    async def settle(self, reservation: Reservation, tokens: int, cost: Decimal | float = 0, *, calls: int = 1) -> None:
        """Put what the call has really used in place of what was set aside for it; `calls` is 0 if none was made."""
        used = {"used_tokens": tokens, "used_cost": Decimal(str(cost)), "used_model_calls": calls, "model_calls": 1}
        values = reservation.model_dump(exclude={"job_id"}) | {"job": reservation.job_id} | used
        async with self.db.autocommit() as connection:
            await connection.execute(_SETTLE, values)

    async def step(self, claim: Claim) -> None:
        """Count a step that is about to begin; does nothing for a job without a budget of steps or seconds.

        Raises:
            BudgetExhausted: it would be one too many, or the job's attempts have taken all their time.
            LeaseLost: another attempt has begun.
        """
        if claim.budget is None or (claim.budget.steps is None and claim.budget.seconds is None):
            return
        async with self.db.autocommit() as connection:
            while await connection.scalar(_STEP, _fence(claim)) is None:
                row = (await connection.execute(_LOOK_STEPS, _fence(claim))).first()
                if row is None or not row.held:
                    raise _lost(claim)
                if not row.opened:
                    await connection.execute(_OPEN_JOB, _fence(claim))
                elif row.most_steps is not None and row.used_steps >= row.most_steps:
                    raise _exhausted("job", "steps", row.most_steps, row.used_steps, 1)
                elif row.most_seconds is not None and row.seconds > row.most_seconds:
                    raise _exhausted("job", "seconds", row.most_seconds, round(row.seconds, 1), 0)

    async def of_job(self, job_id: UUID) -> Usage:
        """What the job has used, with a budget or without; answers that were replayed count nothing."""
        async with self.db.autocommit() as connection:
            used = await self._used(connection, _USED_JOB, {"job": job_id})
            row = (await connection.execute(_USAGE, {"job": job_id})).mappings().first()
        reserved = {name: value for name, value in (row or {}).items() if name != "used_steps"}
        return Usage(**used, steps=row["used_steps"] if row else 0, **reserved)

    async def of_month(self, project_id: UUID) -> Usage:
        """What all jobs of a project have used this month, by their model calls."""
        async with self.db.autocommit() as connection:
            return Usage(**await self._used(connection, _USED_MONTH, {"project_id": project_id}))

    async def count_month(self, project_id: UUID) -> None:
        """Let a budget of the project count what its jobs have used this month, also those that had none themselves.

        For the first reservation of a month, and for a budget that is set in the middle of one.
        """
        used = (await self.of_month(project_id)).model_dump(include={"tokens", "model_calls", "cost"})
        async with self.db.autocommit() as connection:
            await connection.execute(_COUNT_MONTH, {"project_id": project_id} | used)

    async def _reserved(self, claim: Claim, asked: dict[str, Any]) -> str | None:
        """The month it is reserved in; None when it is not: refused, stale or not opened yet."""
        async with self.db.autocommit() as connection:
            month: str | None = await connection.scalar(_RESERVE, _fence(claim) | asked)
        return month

    async def _refusal(self, claim: Claim, asked: dict[str, Any]) -> BudgetExhausted | None:
        """Why nothing was reserved; None when it is worth another try, now that the rows are there."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_LOOK, _fence(claim))).mappings().first()
        if row is None or not row["held"]:
            raise _lost(claim)
        if not row["opened"] or row["month"] is None:
            await self._open(claim)
            if row["month"] is None:
                await self.count_month(claim.project_id)
            return None
        for scope in ("job", "project"):
            for unit in _UNITS:
                most = (row[f"{scope}_budget"] or {}).get(unit)
                if most is not None and row[f"{scope}_{unit}"] + asked[unit] > Decimal(str(most)):
                    return _exhausted(scope, unit, most, row[f"{scope}_{unit}"], asked[unit])
        return None  # another call has been settled meanwhile

    async def _open(self, claim: Claim) -> None:
        """Begin an attempt's accounts: what earlier ones have reserved is released."""
        await self._release(claim)
        async with self.db.autocommit() as connection:
            await connection.execute(_OPEN_JOB, _fence(claim))

    async def _release(self, claim: Claim) -> None:
        async with self.db.autocommit() as connection:
            await connection.execute(_RELEASE, {"project_id": claim.project_id})

    async def _used(self, connection: AsyncConnection, statement: Any, values: dict[str, Any]) -> dict[str, Any]:
        rows = (await connection.execute(statement, values)).all()
        return {
            "tokens": sum(int(row.input + row.output) for row in rows),
            "model_calls": sum(row.calls for row in rows),
            "cost": sum((self.prices.cost(row.model, int(row.input), int(row.output)) for row in rows), Decimal(0)),
        }


def _fence(claim: Claim) -> dict[str, Any]:
    return {"job": claim.job_id, "epoch": claim.epoch}


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} may spend no more")


def _exhausted(scope: str, unit: str, most: Any, used: Any, asked: Any) -> BudgetExhausted:
    whose = "this job" if scope == "job" else "all jobs of this project in a month"
    return BudgetExhausted(
        f"{whose} may use {most:g} {unit.replace('_', ' ')}: {used:g} are used or reserved, and the next call needs "
        f"{asked:g} more; retry the job with a larger budget",
        scope=scope,
        limit=unit,
        most=float(most),
        used=float(used),
        asked=float(asked),
    )
