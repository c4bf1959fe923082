"""What all tables share: naming of constraints, and kinds of columns."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, MetaData, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.jobs.states import DocumentState, JobState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def time(name: str, *, now: bool = False) -> Column[object]:
    """A moment; with `now` that of the insert, by the database's clock."""
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True))


def json(name: str, default: str | None = "{}") -> Column[object]:
    """JSON, `default` where nothing is said; with None it may be NULL."""
    if default is None:
        return Column(name, JSONB(none_as_null=True))
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def spending() -> list[Column[object]]:
    """Used and reserved tokens, cost (in the currency of the price list) and model calls."""
    counts: list[Column[object]] = [
        Column(f"{state}_{what}", BigInteger, nullable=False, server_default="0")
        for what in ("tokens", "model_calls")
        for state in ("used", "reserved")
    ]
    cost: list[Column[object]] = [
        Column(f"{state}_cost", Numeric, nullable=False, server_default="0") for state in ("used", "reserved")
    ]
    return counts + cost


def one_of(column: str, states: type[JobState] | type[DocumentState]) -> CheckConstraint:
    """That the column has one of these states."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(state.value) for state in states)})", name=column)
