"""The statements of the long-term store. Served by the primary key (project, namespace, key)."""

from collections.abc import Sequence
from typing import Any

from langgraph.store.base import ListNamespacesOp, MatchCondition, SearchOp
from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

_ALIVE = "(expires_at IS NULL OR expires_at > now())"
_AT = "project_id = :project AND namespace = CAST(:namespace AS text[]) AND key = :key"
_EXPIRES = "now() + make_interval(secs => 60.0 * CAST(:ttl AS float))"
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

GET = text(f"SELECT value, created_at, updated_at, ttl_minutes FROM store_items WHERE {_AT} AND {_ALIVE}")
REFRESH = text(f"UPDATE store_items SET expires_at = now() + make_interval(secs => 60.0 * ttl_minutes) WHERE {_AT}")
DELETE = text(f"DELETE FROM store_items WHERE {_AT}")
PUT = text(f"""
INSERT INTO store_items AS i
    (project_id, namespace, key, value, created_at, updated_at, ttl_minutes, expires_at, embedding)
VALUES (:project, CAST(:namespace AS text[]), :key, :value, clock_timestamp(), clock_timestamp(), CAST(:ttl AS float),
    {_EXPIRES}, CAST(:embedding AS real[]))
ON CONFLICT (project_id, namespace, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
    created_at = CASE WHEN i.expires_at < now() THEN excluded.created_at ELSE i.created_at END,
    ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, embedding = excluded.embedding
""").bindparams(bindparam("value", type_=JSONB))

# An item may have several vectors, one after another; the one that is most alike counts.
_SCORE = """(
    SELECT max(likeness) FROM (
        SELECT sum(e.number * q.number) / nullif(sqrt(sum(e.number * e.number)) * sqrt(sum(q.number * q.number)), 0)
        FROM unnest(embedding) WITH ORDINALITY AS e(number, at)
        JOIN unnest(CAST(:query AS float8[])) WITH ORDINALITY AS q(number, at)
            ON q.at = (e.at - 1) % cardinality(CAST(:query AS float8[])) + 1
        GROUP BY (e.at - 1) / cardinality(CAST(:query AS float8[]))
    ) AS each(likeness))"""


class Conditions:
    """Conditions of a WHERE with their values."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: dict[str, Any] = {}
        self._json: list[str] = []

    def value(self, value: Any, *, json: bool = False) -> str:
        """A placeholder for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        if json:
            self._json.append(name)
        return f":{name}"

    def statement(self, sql: str) -> TextClause:
        """`sql` with the types of its values."""
        return text(sql).bindparams(*(bindparam(name, type_=JSONB(none_as_null=False)) for name in self._json))


def search_sql(op: SearchOp, query: Sequence[float] | None) -> tuple[TextClause, dict[str, Any]]:
    """Items below a namespace that fit a filter: the most alike to `query` first, else the newest."""
    where = Conditions()
    for number, name in enumerate(op.namespace_prefix, 1):
        where.parts.append(f"namespace[{number}] = {where.value(name)}")
    for key, wanted in (op.filter or {}).items():
        _fits(where, f"value -> {where.value(key)}", wanted)
    found = " AND ".join(["project_id = :project", _ALIVE, *where.parts])
    score = f"{_SCORE} AS score" if query is not None else "CAST(NULL AS float8) AS score"
    sql = f"""
SELECT namespace, key, value, created_at, updated_at, ttl_minutes, {score} FROM store_items WHERE {found}
ORDER BY score DESC NULLS LAST, updated_at DESC, namespace, key LIMIT :limit OFFSET :offset"""
    values = {**where.values, "limit": op.limit, "offset": op.offset}
    return where.statement(sql), values if query is None else {**values, "query": list(query)}


def namespaces_sql(op: ListNamespacesOp) -> tuple[TextClause, dict[str, Any]]:
    """Namespaces that have items, cut to a depth, in order."""
    where = Conditions()
    for condition in op.match_conditions or ():
        _matches(where, condition)
    found = " AND ".join(["project_id = :project", _ALIVE, *where.parts])
    depth = f"[1:CAST({where.value(op.max_depth)} AS int)]" if op.max_depth is not None else ""
    sql = f"""
SELECT namespace FROM (SELECT DISTINCT (namespace){depth} AS namespace FROM store_items WHERE {found}) AS found
ORDER BY namespace COLLATE "C" LIMIT :limit OFFSET :offset"""
    return where.statement(sql), {**where.values, "limit": op.limit, "offset": op.offset}


def _matches(where: Conditions, condition: MatchCondition) -> None:
    path = list(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"namespaces match by 'prefix' or 'suffix', not by {condition.match_type!r}")
    where.parts.append(f"cardinality(namespace) >= {len(path)}")
    for number, name in enumerate(path):
        if name != "*":
            at = (
                f"{number + 1}"
                if condition.match_type == "prefix"
                else f"cardinality(namespace) - {len(path) - 1 - number}"
            )
            where.parts.append(f"namespace[{at}] = {where.value(name)}")


def _fits(where: Conditions, found: str, wanted: Any) -> None:
    """`found` is the SQL of a JSON value; a missing one counts as null."""
    if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
        for operator, operand in wanted.items():
            _compares(where, found, operator, operand)
    elif isinstance(wanted, dict):
        where.parts.append(f"jsonb_typeof({found}) = 'object'")
        for key, part in wanted.items():
            _fits(where, f"{found} -> {where.value(key)}", part)
    else:
        _compares(where, found, "$eq", wanted)


def _compares(where: Conditions, found: str, operator: str, operand: Any) -> None:
    if operator in ("$eq", "$ne"):
        sign = "=" if operator == "$eq" else "<>"
        where.parts.append(f"coalesce({found}, 'null') {sign} {where.value(operand, json=True)}")
    elif operator in _COMPARISONS:
        sign = _COMPARISONS[operator]
        if isinstance(operand, str):
            where.parts.append(
                f"jsonb_typeof({found}) = 'string' AND ({found}) #>> '{{}}' {sign} {where.value(operand)}"
            )
        else:
            number = where.value(float(operand))
            where.parts.append(
                f"CASE WHEN jsonb_typeof({found}) = 'number' THEN CAST(({found}) #>> '{{}}' AS float8) END {sign} {number}"
            )
    else:
        raise ValueError(f"unsupported operator {operator!r}: use $eq, $ne, $gt, $gte, $lt or $lte")
