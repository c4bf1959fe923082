"""The long-term store: JSON values by namespace and key, beside all threads. The same rows that graphs see as their store.

A namespace is a path of labels. Items with a time to live vanish when it has passed, and a read moves that on unless it is
asked not to. With an index, which a project's `langgraph.json` asks for, items are found by meaning as well.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import BadRequest, InvalidInput
from mutirao.jobs.records import Record

Namespace = tuple[str, ...]

MOST_LABELS = 32
MOST_CHARS = 512
_RESERVED = "langgraph"
_COMPARE = {"$eq": "=", "$ne": "<>", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

_ITEM = "namespace, key, value, created_at, updated_at"
_ALIVE = "(expires_at IS NULL OR expires_at > now())"
_LATER = "now() + make_interval(secs => CAST(:ttl_minutes AS float) * 60)"
# What is read lives on for as long again.
_REFRESHED = "expires_at = now() + make_interval(secs => ttl_minutes * 60)"

_PUT = text(f"""
INSERT INTO store_items (project_id, namespace, key, value, ttl_minutes, expires_at, embedding)
VALUES (:project_id, :namespace, :key, :value, :ttl_minutes, {_LATER}, :embedding)
ON CONFLICT (project_id, namespace, key) DO UPDATE SET value = excluded.value, updated_at = now(),
    created_at = CASE WHEN store_items.expires_at <= now() THEN now() ELSE store_items.created_at END,
    ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, embedding = excluded.embedding""").bindparams(
    bindparam("value", type_=JSONB), bindparam("embedding", type_=ARRAY(REAL))
)

_KEY = "project_id = :project_id AND namespace = :namespace AND key = :key"
_GET = text(f"SELECT {_ITEM}, ttl_minutes FROM store_items WHERE {_KEY} AND {_ALIVE}")
_REFRESH = text(f"UPDATE store_items SET {_REFRESHED} WHERE {_KEY} AND {_ALIVE}")
_REFRESH_MANY = text(f"""
UPDATE store_items SET {_REFRESHED}
WHERE project_id = :project_id AND ttl_minutes IS NOT NULL AND {_ALIVE} AND (namespace, key) IN (
    SELECT CAST(f.namespace AS text[]), f.key FROM jsonb_to_recordset(:found) AS f(namespace text[], key text))""").bindparams(
    bindparam("found", type_=JSONB)
)
_DELETE = text(f"DELETE FROM store_items WHERE {_KEY}")

# The embedding is the vectors of an item's texts, one after another; the one that is nearest counts.
_SCORE = """(
    SELECT max(near) FROM (
        SELECT sum(e.number * q.number) / nullif(sqrt(sum(e.number * e.number)) * sqrt(sum(q.number * q.number)), 0)
        FROM unnest(embedding) WITH ORDINALITY AS e(number, at)
        JOIN unnest(CAST(:near AS float8[])) WITH ORDINALITY AS q(number, at)
            ON q.at = (e.at - 1) % cardinality(CAST(:near AS float8[])) + 1
        GROUP BY (e.at - 1) / cardinality(CAST(:near AS float8[]))
    ) AS text(near))"""

_NAMESPACES = """
SELECT DISTINCT namespace[1:coalesce(CAST(:max_depth AS int), cardinality(namespace))] AS namespace FROM store_items
WHERE project_id = :project_id AND {alive}{matches} ORDER BY namespace LIMIT :limit OFFSET :offset"""


class Item(Record):
    """A value of the store."""

    namespace: list[str]
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    score: float | None = Field(None, description="How near it is to what was asked; null: not asked by meaning.")


class StoreItems:
    """Every verb on the items of a project."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def put(
        self,
        project_id: UUID,
        namespace: Sequence[str],
        key: str,
        value: Mapping[str, Any],
        *,
        ttl_minutes: float | None = None,
        embedding: Sequence[float] | None = None,
    ) -> None:
        """Write an item, whether it is there or not. Raises InvalidInput: the namespace or the key is none."""
        values = _key(project_id, namespace, key) | {
            "value": dict(value),
            "ttl_minutes": ttl_minutes,
            "embedding": list(embedding) if embedding is not None else None,
        }
        async with self.db.autocommit() as connection:
            await connection.execute(_PUT, values)

    async def get(
        self, project_id: UUID, namespace: Sequence[str], key: str, *, refresh_ttl: bool = True
    ) -> Item | None:
        """The item; None when there is none. Raises InvalidInput: the namespace or the key is none."""
        values = _key(project_id, namespace, key)
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GET, values)).first()
            if row is not None and refresh_ttl and row.ttl_minutes is not None:
                await connection.execute(_REFRESH, values)
        return _item(row) if row is not None else None

    async def delete(self, project_id: UUID, namespace: Sequence[str], key: str) -> None:
        """Delete an item; one that is not there is deleted already."""
        async with self.db.autocommit() as connection:
            await connection.execute(_DELETE, _key(project_id, namespace, key))

    async def search(
        self,
        project_id: UUID,
        prefix: Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
        near: Sequence[float] | None = None,
        limit: int = 10,
        offset: int = 0,
        refresh_ttl: bool = True,
    ) -> list[Item]:
        """Items below a namespace, the newest first; with `near`, those that are nearest to it first.

        `where` compares fields of the value: `{"kind": "note", "score": {"$gte": 4}}`.

        Raises:
            InvalidInput: `where` has an unknown operator.
        """
        found, values = _search(prefix, where or {}, near)
        values |= {"project_id": project_id, "limit": limit, "offset": offset}
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(found, values)).all()
            if refresh_ttl and any(row.ttl_minutes is not None for row in rows):
                await self._refresh(connection, project_id, rows)
        return [_item(row) for row in rows]

    async def namespaces(
        self,
        project_id: UUID,
        *,
        prefix: Sequence[str] = (),
        suffix: Sequence[str] = (),
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[list[str]]:
        """Namespaces that have items, in order; `*` stands for any label. Deeper ones than `max_depth` are cut to it."""
        values: dict[str, Any] = {"project_id": project_id, "max_depth": max_depth, "limit": limit, "offset": offset}
        matches = ""
        for name, labels, place in (
            ("p", prefix, "{0}"),
            ("s", suffix, f"cardinality(namespace) - {len(suffix)} + {{0}}"),
        ):
            if labels:
                matches += f" AND cardinality(namespace) >= {len(labels)}"
            for number, label in enumerate(labels, 1):
                if label != "*":
                    matches += f" AND namespace[{place.format(number)}] = :{name}{number}"
                    values[f"{name}{number}"] = label
        found = text(_NAMESPACES.format(alive=_ALIVE, matches=matches))
        async with self.db.autocommit() as connection:
            return [list(row.namespace) for row in await connection.execute(found, values)]

    async def _refresh(self, connection: AsyncConnection, project_id: UUID, rows: Sequence[Row[Any]]) -> None:
        found = [{"namespace": list(row.namespace), "key": row.key} for row in rows]
        await connection.execute(_REFRESH_MANY, {"project_id": project_id, "found": found})


def checked(namespace: Sequence[str]) -> list[str]:
    """A namespace that may be written to. Raises InvalidInput."""
    if not namespace:
        raise BadRequest("the namespace is empty; give at least one label", path="/namespace")
    if len(namespace) > MOST_LABELS:
        raise InvalidInput(f"the namespace has {len(namespace)} labels; at most {MOST_LABELS}", path="/namespace")
    for label in namespace:
        if not label or "." in label or len(label) > MOST_CHARS:
            raise InvalidInput(
                f"namespace label {label[:MOST_CHARS]!r}: it must have 1 to {MOST_CHARS} characters and no '.'",
                path="/namespace",
            )
    if namespace[0] == _RESERVED:
        raise BadRequest(f"the namespace {_RESERVED!r} is LangGraph's own; choose another label", path="/namespace")
    return list(namespace)


def _key(project_id: UUID, namespace: Sequence[str], key: str) -> dict[str, Any]:
    if not key or len(key) > MOST_CHARS:
        raise InvalidInput(f"key {key[:MOST_CHARS]!r}: it must have 1 to {MOST_CHARS} characters", path="/key")
    return {"project_id": project_id, "namespace": checked(namespace), "key": key}


def _search(
    prefix: Sequence[str], where: Mapping[str, Any], near: Sequence[float] | None
) -> tuple[TextClause, dict[str, Any]]:
    conditions, values = _conditions(where)
    kinds = [bindparam(name, type_=JSONB) for name in values if name.startswith("v")]
    if prefix:
        conditions.append(f"namespace[1:{len(prefix)}] = CAST(:prefix AS text[])")
        values["prefix"] = list(prefix)
    score, order = "CAST(NULL AS float)", "updated_at DESC, namespace, key"
    if near is not None:
        score, order = _SCORE, f"score DESC NULLS LAST, {order}"
        values["near"] = list(near)
    matches = "".join(f" AND {condition}" for condition in conditions)
    sql = f"""
        SELECT {_ITEM}, ttl_minutes, {score} AS score FROM store_items
        WHERE project_id = :project_id AND {_ALIVE}{matches} ORDER BY {order} LIMIT :limit OFFSET :offset"""
    return text(sql).bindparams(*kinds), values


def _conditions(where: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for number, (field, wanted) in enumerate(where.items()):
        values[f"k{number}"] = field
        operators = isinstance(wanted, Mapping) and any(str(name).startswith("$") for name in wanted)
        for place, (operator, value) in enumerate((wanted if operators else {"$eq": wanted}).items()):
            if operator not in _COMPARE:
                raise BadRequest(
                    f"filter of {field!r}: operator {operator!r} is unknown; there are {', '.join(_COMPARE)}",
                    path=f"/filter/{field}",
                )
            name = f"v{number}_{place}"
            values[name] = value
            conditions.append(_condition(f"value -> CAST(:k{number} AS text)", operator, f":{name}", value))
    return conditions, values


def _condition(field: str, operator: str, name: str, value: Any) -> str:
    if operator == "$eq":
        # Of an object, the fields that are given.
        return f"{field} @> {name}" if isinstance(value, Mapping) else f"coalesce({field}, 'null') = {name}"
    if operator == "$ne":
        return f"coalesce({field}, 'null') <> {name}"
    return f"jsonb_typeof({field}) = jsonb_typeof({name}) AND {field} {_COMPARE[operator]} {name}"


def _item(row: Row[Any]) -> Item:
    return Item(
        namespace=list(row.namespace),
        key=row.key,
        value=row.value,
        created_at=row.created_at,
        updated_at=row.updated_at,
        score=getattr(row, "score", None),
    )
