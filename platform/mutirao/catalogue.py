"""The catalogue: which workflows live workers serve. Workers publish it; the API validates and draws from it."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import InputRejected, NotFound
from mutirao.jobs.records import Record

_PUBLISH = text("""
WITH entry AS (
    SELECT * FROM jsonb_to_recordset(:entries) AS e(name text, version text, description text, queue text, kind text,
        input_schema jsonb, output_schema jsonb, config_schema jsonb, graph jsonb,
        state_schema jsonb, context_schema jsonb, subgraphs jsonb)
), written AS (
    INSERT INTO workflows (name, version, description, queue, kind, input_schema, output_schema, config_schema, graph,
        state_schema, context_schema, subgraphs)
    SELECT name, version, description, queue, kind, input_schema, output_schema, config_schema, graph,
        state_schema, context_schema, subgraphs
    FROM entry
    -- Those that an earlier release has written lack what it did not know.
    ON CONFLICT (name, version) DO UPDATE SET config_schema = excluded.config_schema,
        state_schema = excluded.state_schema, context_schema = excluded.context_schema, subgraphs = excluded.subgraphs
    WHERE workflows.state_schema = '{}' AND excluded.state_schema <> '{}'
)
INSERT INTO worker_workflows (worker_id, workflow, version) SELECT :worker, name, version FROM entry
ON CONFLICT (worker_id, workflow) DO UPDATE SET version = excluded.version
""").bindparams(bindparam("entries", type_=JSONB))

# The version a job gets: the newest that a live worker serves, else the newest known.
_CURRENT = """
SELECT DISTINCT ON (w.name) w.name, w.version, w.description, w.queue, w.kind, w.input_schema, w.output_schema,
    w.config_schema, w.graph, w.state_schema, w.context_schema, w.subgraphs, w.created_at, coalesce(l.workers, 0) AS workers
FROM workflows w
LEFT JOIN (
    SELECT s.workflow, s.version, count(*) AS workers FROM worker_workflows s
    JOIN workers p ON p.id = s.worker_id AND p.lease_expires_at > now() AND p.stopped_at IS NULL
    GROUP BY s.workflow, s.version
) l ON l.workflow = w.name AND l.version = w.version
WHERE (CAST(:name AS text) IS NULL OR w.name = :name) AND (CAST(:version AS text) IS NULL OR w.version = :version)
ORDER BY w.name, coalesce(l.workers, 0) > 0 DESC, w.created_at DESC"""


# The versions of a workflow, newest first; live workers of each, and unfinished jobs of one project.
_VERSIONS = text("""
SELECT w.version, w.created_at,
    (SELECT count(*) FROM worker_workflows s JOIN workers p ON p.id = s.worker_id
     WHERE s.workflow = w.name AND s.version = w.version AND p.lease_expires_at > now() AND p.stopped_at IS NULL
    ) AS workers,
    coalesce((SELECT jsonb_object_agg(c.state, c.jobs) FROM (
        SELECT state, count(*) AS jobs FROM jobs j
        WHERE j.project_id = :project_id AND j.workflow = w.name AND j.version = w.version AND j.finished_at IS NULL
        GROUP BY state) c), '{}') AS unfinished
FROM workflows w WHERE w.name = :name ORDER BY w.created_at DESC, w.version""")

# What live workers have found in their projects and could not load.
_LOAD_ERRORS = text("""
SELECT coalesce(sum(jsonb_array_length(load_errors)), 0) FROM workers
WHERE lease_expires_at > now() AND stopped_at IS NULL""")

# Of a wrong input an answer says this much: the input itself may be of megabytes.
_MOST_ERRORS = 20
_MOST_CHARS = 500


class WorkflowUnknown(NotFound):
    """Raised when no worker has ever served a workflow of that name."""

    code = "workflow_unknown"


class WorkflowEntry(Record):
    """A workflow as a worker publishes it."""

    name: str
    version: str
    description: str
    queue: str
    kind: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    config_schema: dict[str, Any] = Field(default_factory=dict)
    graph: dict[str, Any] = Field(
        description='`{"nodes": [{"id", "type"}], "edges": [{"source", "target", "conditional", "label"}], '
        '"subgraphs": {"outer/inner": the same}}`'
    )
    state_schema: dict[str, Any] = Field(default_factory=dict, description="Of the whole state; empty: none is known.")
    context_schema: dict[str, Any] = Field(default_factory=dict, description="Of a run's static context.")
    subgraphs: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='`{"outer|inner": {"graph_id", "input_schema", "output_schema", "state_schema", "config_schema", '
        '"context_schema"}}`, however deep; null for a schema there is none of.',
    )


class CataloguedWorkflow(WorkflowEntry):
    """A workflow as clients see it."""

    workers: int = Field(description="Live workers that serve this version; 0: jobs wait.")
    created_at: datetime


class WorkflowVersion(Record):
    """One version of a workflow, and who still needs it."""

    version: str
    workers: int = Field(description="Live workers that serve it; 0: its jobs wait or are stranded.")
    unfinished: dict[str, int] = Field(description="Jobs of the project that have not ended, by state.")
    created_at: datetime


class Catalogue:
    """Every verb on published workflows."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def publish(self, worker_id: UUID, entries: Sequence[WorkflowEntry]) -> None:
        """Say what a worker serves. A version that exists already is left as it is."""
        rows = [entry.model_dump(mode="json") for entry in entries]
        async with self.db.autocommit() as connection:
            await connection.execute(_PUBLISH, {"entries": rows, "worker": worker_id})

    async def entries(self) -> list[CataloguedWorkflow]:
        """Current version of every workflow, by name."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(text(_CURRENT), {"name": None, "version": None})).mappings()
            return [CataloguedWorkflow.model_validate(dict(row)) for row in rows]

    async def get(self, name: str, version: str | None = None) -> CataloguedWorkflow:
        """The current version of a workflow, or the one asked for.

        Raises:
            WorkflowUnknown: names those there are.
        """
        found = await self._find(name, version)
        if found is not None:
            return found
        current = await self._find(name, None) if version is not None else None
        if current is not None:
            raise WorkflowUnknown(
                f"workflow {name!r} has no version {version!r}; the current one is {current.version!r}", workflow=name
            )
        known = ", ".join(repr(entry.name) for entry in await self.entries()) or "none yet: is a worker running?"
        async with self.db.autocommit() as connection:
            broken = await connection.scalar(_LOAD_ERRORS)
        why = f" ({broken} could not be loaded: `mutirao workers` says why)" if broken else ""
        raise WorkflowUnknown(f"no workflow {name!r}; there are {known}{why}", workflow=name)

    async def _find(self, name: str, version: str | None) -> CataloguedWorkflow | None:
        async with self.db.autocommit() as connection:
            row = (await connection.execute(text(_CURRENT), {"name": name, "version": version})).mappings().first()
        return CataloguedWorkflow.model_validate(dict(row)) if row is not None else None

    async def versions(self, project_id: UUID, name: str) -> list[WorkflowVersion]:
        """Every version there has been, newest first. Raises WorkflowUnknown."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_VERSIONS, {"name": name, "project_id": project_id})).mappings().all()
        if not rows:
            await self.get(name)
        return [WorkflowVersion.model_validate(dict(row)) for row in rows]


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Any:
    import jsonschema  # only the API needs it; it would cost every worker's start a quarter of a second

    return jsonschema.Draft202012Validator(orjson.loads(schema))


def check_input(workflow: WorkflowEntry, value: Any) -> None:
    """Raises InputRejected when `value` does not fit the input schema, with path and message of the first misses."""
    validator = _validator(orjson.dumps(workflow.input_schema, option=orjson.OPT_SORT_KEYS))
    found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    errors = [
        {
            "path": ("/" + "/".join(str(part) for part in error.absolute_path))[:_MOST_CHARS],
            "message": error.message if len(error.message) <= _MOST_CHARS else f"{error.message[:_MOST_CHARS]}…",
        }
        for error in found[:_MOST_ERRORS]
    ]
    if errors:
        first = errors[0]
        raise InputRejected(
            f"input of workflow {workflow.name!r}: {first['path']}: {first['message']}",
            workflow=workflow.name,
            errors=errors,
        )
