"""Rows for every table that belongs to projects, made from the tables' own description: a new table is covered at once."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from mutirao.db.tables import metadata
from mutirao.ids import new_id
from sqlalchemy import ARRAY, Boolean, DateTime, Float, Integer, LargeBinary, Numeric, Table, Uuid, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

# What belongs to no project: the catalogue, who serves it, and how far housekeeping has come.
OF_NOBODY = {"workers", "workflows", "worker_workflows", "retention_marks"}
OWNED = [table for table in metadata.sorted_tables if table.name not in OF_NOBODY]
STATES = {"jobs": "succeeded", "approvals": "expired", "documents": "ready", "effects": "intent"}
# Where any text will not do.
TEXTS = {"cron": "0 0 1 1 *", "timezone": "UTC", "url": "https://example.com/hook", "media_type": "text/plain"}


async def furnish(connection: AsyncConnection, project: UUID, *, there: Collection[str] = ()) -> dict[str, UUID]:
    """A row in every table for the project, but for those that are `there`; the ids of those that have one."""
    ids: dict[str, UUID] = {"projects": project}
    for table in OWNED:
        ids.setdefault(table.name, new_id())
        if table.name in there:
            continue
        insert = postgresql.insert(table).values(row(table, ids))
        await connection.execute(insert.on_conflict_do_nothing() if there else insert)
    return ids


def row(table: Table, ids: dict[str, UUID]) -> dict[str, Any]:
    """Just what the table insists on."""
    values: dict[str, Any] = {}
    for column in table.columns:
        parents = [key.column.table.name for key in column.foreign_keys if key.column.table.name in ids]
        if column.name == "project_id":
            values["project_id"] = ids["projects"]
        elif column.name == "id":
            values["id"] = ids[table.name]
        elif parents and parents[0] != table.name:
            values[column.name] = ids[parents[0]]
        elif column.primary_key or not (column.nullable or column.server_default):
            values[column.name] = value_for(table, column.name, column.type)
    return values


def value_for(table: Table, name: str, kind: Any) -> Any:
    """Something that the column takes."""
    if name == "state":
        return STATES.get(table.name, "x")
    if name in TEXTS:
        return TEXTS[name]
    for kinds, value in (
        ((Uuid,), new_id()), ((ARRAY,), []), ((JSONB,), {}), ((Boolean,), True), ((LargeBinary,), b"x"),
        ((TSVECTOR,), "x"), ((Integer, Numeric, Float), 1), ((DateTime,), func.now()),
    ):  # fmt: skip
        if isinstance(kind, kinds):
            return value
    return str(new_id())
