"""Assistants: workflows plus saved configuration, in versions.

Each workflow of the catalogue has an assistant of its own in each project, the system's: its id follows from the
workflow's name, so that clients of the LangGraph protocol know it beforehand. It is written when it is first looked for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.assistant_records import Assistant, IfExists, SortBy, in_step, select
from mutirao.catalogue import Catalogue, WorkflowUnknown
from mutirao.db import Database
from mutirao.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from mutirao.ids import new_id
from mutirao.jobs.channels import ASSISTANTS, EVENTS_CHANNEL
from mutirao.jobs.sql import statement

__all__ = ["Assistant", "AssistantStore", "IfExists", "SortBy", "in_step", "select", "system_id"]

_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""Ids of system assistants are made in it, the same on every server of the LangGraph protocol."""

_ASSISTANT = "id, workflow, name, description, config, context, metadata, version, system, created_at, updated_at"
_VERSION = "assistant_id AS id, workflow, name, description, config, context, metadata, version, created_at"
_GIVEN = ("config", "context", "metadata")

_INSERT = statement(
    f"""
WITH assistant AS (
    INSERT INTO assistants (project_id, id, workflow, name, description, config, context, metadata, system)
    VALUES (:project_id, :id, :workflow, :name, :description, :config, :context, :metadata, :system)
    ON CONFLICT (project_id, id) DO NOTHING RETURNING *
), version AS (
    INSERT INTO assistant_versions (project_id, assistant_id, version, workflow, name, description, config, context, metadata)
    SELECT project_id, id, version, workflow, name, description, config, context, metadata FROM assistant
)
SELECT {_ASSISTANT} FROM assistant""",
    *_GIVEN,
)

_GET = text(f"SELECT {_ASSISTANT} FROM assistants WHERE project_id = :project_id AND id = :id")
_LOCK = text(f"SELECT {_ASSISTANT} FROM assistants WHERE project_id = :project_id AND id = :id FOR NO KEY UPDATE")
_KNOWN = text("SELECT id FROM assistants WHERE project_id = :project_id AND id = ANY(:ids)")

_ADD_VERSION = statement(
    """
INSERT INTO assistant_versions (project_id, assistant_id, version, workflow, name, description, config, context, metadata)
SELECT :project_id, :id, max(version) + 1, :workflow, :name, :description, :config, :context, :metadata
FROM assistant_versions WHERE project_id = :project_id AND assistant_id = :id
RETURNING version""",
    *_GIVEN,
)

_TAKE_VERSION = text(f"""
UPDATE assistants a SET version = v.version, workflow = v.workflow, name = v.name, description = v.description,
    config = v.config, context = v.context, metadata = v.metadata, updated_at = now()
FROM assistant_versions v
WHERE a.project_id = :project_id AND a.id = :id AND v.project_id = a.project_id AND v.assistant_id = a.id
    AND v.version = :version
RETURNING {", ".join(f"a.{column.strip()}" for column in _ASSISTANT.split(","))}""")

_VERSIONS = statement(
    f"""
SELECT {_VERSION} FROM assistant_versions v
WHERE project_id = :project_id AND assistant_id = :id AND metadata @> :metadata
ORDER BY version DESC LIMIT :limit OFFSET :offset""",
    "metadata",
)

_DELETE = text("DELETE FROM assistants WHERE project_id = :project_id AND id = :id")

_TELL = text(f"SELECT pg_notify('{EVENTS_CHANNEL}', '{ASSISTANTS}')")

# Served by ix_assistants_workflow and ix_assistants_metadata.
_MATCHING = """
WHERE project_id = :project_id AND metadata @> :metadata
    AND (CAST(:workflow AS text) IS NULL OR workflow = :workflow)
    AND (CAST(:name AS text) IS NULL OR strpos(lower(name), lower(:name)) > 0)
    AND (CAST(:before AS uuid) IS NULL OR (created_at, id) < (CAST(:made AS timestamptz), CAST(:before AS uuid)))"""
_COUNT = statement(f"SELECT count(*) FROM assistants {_MATCHING}", "metadata")


class AssistantStore:
    """Every verb on assistants. One of another project answers exactly like an unknown one."""

    def __init__(self, db: Database, catalogue: Catalogue) -> None:
        self.db = db
        self._catalogue = catalogue

    async def resolve(self, project_id: UUID, assistant: UUID | str) -> Assistant:
        """The assistant of this id, or that of the workflow of this name.

        Raises:
            InvalidInput: neither a UUID nor the name of a workflow.
            NotFound: no assistant of that id in this project.
        """
        name = None if isinstance(assistant, UUID) else assistant
        assistant_id = assistant if isinstance(assistant, UUID) else _as_id(assistant)
        async with self.db.autocommit() as connection:
            key = {"project_id": project_id, "id": assistant_id or system_id(str(name))}
            row = (await connection.execute(_GET, key)).mappings().first()
        if row is not None:
            return _assistant(row)
        if assistant_id is None:
            return await self._written(project_id, await self._workflow(str(name)))
        for entry in await self._catalogue.entries():
            if system_id(entry.name) == assistant_id:
                return await self._written(project_id, entry.name)
        raise _unknown(assistant_id)

    async def get(self, project_id: UUID, assistant: UUID | str) -> Assistant:
        """As `resolve`."""
        return await self.resolve(project_id, assistant)

    async def create(
        self,
        project_id: UUID,
        workflow: str,
        *,
        assistant_id: UUID | None = None,
        name: str = "Untitled",
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        if_exists: IfExists = "raise",
    ) -> Assistant:
        """Keep an assistant, as its version 1.

        Raises:
            WorkflowUnknown: there is no such workflow.
            Conflict: the project has an assistant of that id, and `if_exists` is `raise`.
        """
        await self._catalogue.get(workflow)
        config, context = in_step(config, context)
        assistant_id = assistant_id or new_id()
        values = {
            "project_id": project_id,
            "id": assistant_id,
            "workflow": workflow,
            "name": name,
            "description": description,
            "config": config,
            "context": context,
            "metadata": dict(metadata or {}),
            "system": False,
        }
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_INSERT, values)).mappings().first()
        if row is not None:
            return _assistant(row)
        if if_exists == "raise":
            raise Conflict(f"there is an assistant {str(assistant_id)!r} already; choose another id")
        return await self.get(project_id, assistant_id)

    async def update(
        self, project_id: UUID, assistant: UUID | str, changes: Mapping[str, Any], *, expected: int | None = None
    ) -> Assistant:
        """A new version with these fields changed, which counts from now on. `metadata` is merged by key, `config` and
        `context` replaced.

        Raises:
            NotFound, WorkflowUnknown: no such assistant or workflow.
            PreconditionFailed: another version than `expected` counts.
        """
        found = await self.resolve(project_id, assistant)
        if "workflow" in changes:
            await self._catalogue.get(changes["workflow"])
        async with self.db.begin() as connection:
            old = await self._locked(connection, project_id, found.id)
            if expected is not None and old.version != expected:
                raise PreconditionFailed(f"assistant {str(old.id)!r} is at version {old.version}, not {expected}")
            values = _changed(old, changes) | {"project_id": project_id, "id": old.id}
            version = await connection.scalar(_ADD_VERSION, values)
            return await self._take(connection, project_id, old.id, int(version or 0))

    async def set_latest(self, project_id: UUID, assistant: UUID | str, version: int) -> Assistant:
        """Let another version count. Raises NotFound."""
        found = await self.resolve(project_id, assistant)
        async with self.db.begin() as connection:
            await self._locked(connection, project_id, found.id)
            return await self._take(connection, project_id, found.id, version)

    async def versions(
        self,
        project_id: UUID,
        assistant: UUID | str,
        *,
        metadata: Mapping[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[Assistant]:
        """At most `limit` versions, newest first; without `updated_at`. Raises NotFound."""
        found = await self.resolve(project_id, assistant)
        values = {"project_id": project_id, "id": found.id, "metadata": dict(metadata or {})}
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_VERSIONS, values | {"limit": limit, "offset": offset})).mappings().all()
        return [_assistant(row) for row in rows]

    async def delete(self, project_id: UUID, assistant: UUID | str) -> None:
        """Delete an assistant with its versions; jobs and threads stay.

        Raises:
            NotFound: no such assistant in this project.
            Conflict: it is the workflow's own, which is there as long as the workflow.
        """
        found = await self.resolve(project_id, assistant)
        if found.system:
            raise Conflict(
                f"assistant {str(found.id)!r} is workflow {found.workflow!r} itself and cannot be deleted; "
                "it is there as long as workers serve it"
            )
        async with self.db.autocommit() as connection:
            await connection.execute(_DELETE, {"project_id": project_id, "id": found.id})
            await connection.execute(_TELL)

    async def search(
        self,
        project_id: UUID,
        *,
        metadata: Mapping[str, Any] | None = None,
        workflow: str | None = None,
        name: str | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int = 10,
        offset: int = 0,
        sort_by: SortBy = "created_at",
        descending: bool = True,
    ) -> list[Assistant]:
        """At most `limit` assistants that have all of `metadata`, and `name` somewhere in theirs; made before
        that moment and id."""
        await self._write_missing(project_id)
        order = "DESC" if descending else "ASC"
        found = statement(
            f"""SELECT {_ASSISTANT} FROM assistants {_MATCHING}
            ORDER BY {sort_by} {order}, id {order} LIMIT :limit OFFSET :offset""",
            "metadata",
        )
        values = _filters(project_id, metadata, workflow, name, before) | {"limit": limit, "offset": offset}
        async with self.db.autocommit() as connection:
            return [_assistant(row) for row in (await connection.execute(found, values)).mappings()]

    async def count(
        self,
        project_id: UUID,
        *,
        metadata: Mapping[str, Any] | None = None,
        workflow: str | None = None,
        name: str | None = None,
    ) -> int:
        """How many `search` would find."""
        await self._write_missing(project_id)
        async with self.db.autocommit() as connection:
            return int(await connection.scalar(_COUNT, _filters(project_id, metadata, workflow, name, None)) or 0)

    async def _workflow(self, name: str) -> str:
        try:
            return (await self._catalogue.get(name)).name
        except WorkflowUnknown as unknown:
            raise InvalidInput(
                f"assistant {name!r} is neither an id (a UUID) nor a workflow; {unknown.message}", assistant=name
            ) from None

    async def _write_missing(self, project_id: UUID) -> None:
        """Write the system's assistants that are not there yet."""
        names = {system_id(entry.name): entry.name for entry in await self._catalogue.entries()}
        async with self.db.autocommit() as connection:
            there = set(await connection.scalars(_KNOWN, {"project_id": project_id, "ids": [*names]}))
            for assistant_id, name in names.items():
                if assistant_id not in there:
                    await connection.execute(_INSERT, _system(project_id, name))

    async def _written(self, project_id: UUID, workflow: str) -> Assistant:
        async with self.db.autocommit() as connection:
            await connection.execute(_INSERT, _system(project_id, workflow))
            key = {"project_id": project_id, "id": system_id(workflow)}
            return _assistant((await connection.execute(_GET, key)).mappings().one())

    async def _locked(self, connection: AsyncConnection, project_id: UUID, assistant_id: UUID) -> Assistant:
        row = (await connection.execute(_LOCK, {"project_id": project_id, "id": assistant_id})).mappings().first()
        if row is None:
            raise _unknown(assistant_id)
        return _assistant(row)

    async def _take(self, connection: AsyncConnection, project_id: UUID, assistant_id: UUID, version: int) -> Assistant:
        values = {"project_id": project_id, "id": assistant_id, "version": version}
        row = (await connection.execute(_TAKE_VERSION, values)).mappings().first()
        await connection.execute(_TELL)
        if row is None:
            raise NotFound(f"assistant {str(assistant_id)!r} has no version {version}")
        return _assistant(row)


def system_id(workflow: str) -> UUID:
    """The id of the assistant that is the workflow of this name."""
    return uuid5(_NAMESPACE, workflow)


def _changed(old: Assistant, changes: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: getattr(old, name) for name in ("workflow", "name", "description", *_GIVEN)}
    fields |= {name: value for name, value in changes.items() if name in fields}
    if "metadata" in changes:
        fields["metadata"] = {**old.metadata, **changes["metadata"]}
    if "context" in changes:
        config = changes["config"] if "config" in changes else _without_configurable(old.config)
        fields["config"], fields["context"] = in_step(config, changes["context"])
    elif "configurable" in changes.get("config", {}):
        fields["config"], fields["context"] = in_step(changes["config"], None)
    return fields


def _without_configurable(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "configurable"}


def _system(project_id: UUID, workflow: str) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "id": system_id(workflow),
        "workflow": workflow,
        "name": workflow,
        "description": None,
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "system": True,
    }


def _filters(
    project_id: UUID,
    metadata: Mapping[str, Any] | None,
    workflow: str | None,
    name: str | None,
    before: tuple[datetime, UUID] | None,
) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "metadata": dict(metadata or {}),
        "workflow": workflow,
        "name": name,
        "before": before[1] if before else None,
        "made": before[0] if before else None,
    }


def _as_id(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _assistant(row: RowMapping) -> Assistant:
    return Assistant.model_validate(dict(row))


def _unknown(assistant_id: UUID) -> NotFound:
    return NotFound(f"no assistant {str(assistant_id)!r} in this project")
