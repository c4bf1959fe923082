"""Projects: the boundary between tenants, and its limits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.db.tenancy import bound_to
from mutirao.errors import Conflict, NotFound, PreconditionFailed
from mutirao.ids import new_id
from mutirao.jobs.records import Record
from mutirao.keys import Identity, Keys, new_key_text

__all__ = ["DEFAULT_PROJECT", "Identity", "Project", "ProjectBudget", "Projects", "new_key_text"]

DEFAULT_PROJECT = "default"
"""Its keys with the scope `admin` may make projects: who has one runs the platform."""

_PROJECT = text("""
INSERT INTO projects (id, name) VALUES (:id, :name)
ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id""")

_GET = text("""
SELECT id, name, max_running, budget, created_at, revision,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'running') AS running,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'queued') AS queued
FROM projects p WHERE id = :id""")

_NAME = text("SELECT name FROM projects WHERE id = :id")

_ADD = text("INSERT INTO projects (id, name) VALUES (:id, :name) ON CONFLICT (name) DO NOTHING RETURNING id")

_FIND = text("SELECT id FROM projects WHERE id::text = :name OR name = :name ORDER BY id::text = :name DESC LIMIT 1")

_PAGE = text("""
SELECT id, name, max_running, budget, created_at, revision,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'running') AS running,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'queued') AS queued
FROM projects p WHERE CAST(:before AS uuid) IS NULL OR id < :before ORDER BY id DESC LIMIT :limit""")

_CHANGE = text("""
UPDATE projects SET
    max_running = CASE WHEN :set_max_running THEN CAST(:max_running AS int) ELSE max_running END,
    budget = CASE WHEN :set_budget THEN CAST(:budget AS jsonb) ELSE budget END,
    revision = revision + 1
WHERE id = :id AND (CAST(:revision AS int) IS NULL OR revision = :revision) RETURNING revision""").bindparams(
    bindparam("budget", type_=JSONB(none_as_null=True))
)


class ProjectBudget(Record):
    """What all jobs of a project together may spend in a calendar month (UTC); null: no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(None, gt=0, le=10**15, description="Input and output tokens of all model calls.")
    cost: float | None = Field(None, gt=0, le=1e12, description="Money, by the price list of the settings.")
    model_calls: int | None = Field(None, gt=0, le=10**15, description="Calls of models.")


class Project(Record):
    """A project and its limits; null: no limit."""

    id: UUID
    name: str
    max_running: int | None = Field(None, description="Most jobs that run at once.")
    budget: ProjectBudget | None = Field(None, description="What all its jobs may spend in a calendar month (UTC).")
    running: int = Field(description="Jobs that run now.")
    queued: int = Field(description="Jobs that wait for a worker.")
    created_at: datetime
    revision: int = Field(1, description="Counts its changes; `ETag` is the same.")


class Projects:
    """Every verb on projects. `keys` has those on keys."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.keys = Keys(db)

    async def add(self, name: str) -> Project:
        """A new project. Raises Conflict."""
        with bound_to(None):
            async with self.db.autocommit() as connection:
                made: UUID | None = await connection.scalar(_ADD, {"id": new_id(), "name": name})
            if made is None:
                raise Conflict(f"there is a project of the name {name!r}; choose another name", name=name)
            return await self.get(made)

    async def find(self, name: str) -> UUID:
        """The id of the project with this id or name. Raises NotFound."""
        with bound_to(None):
            async with self.db.autocommit() as connection:
                found: UUID | None = await connection.scalar(_FIND, {"name": name})
        if found is None:
            raise NotFound(f"there is no project {name!r}; `POST /projects` makes one")
        return found

    async def page(self, *, before: UUID | None = None, limit: int = 50) -> list[Project]:
        """All projects, newest first."""
        with bound_to(None):
            async with self.db.autocommit() as connection:
                rows = (await connection.execute(_PAGE, {"before": before, "limit": limit})).mappings()
                return [Project.model_validate(dict(row)) for row in rows]

    async def ensure(self, name: str) -> UUID:
        """The id of the project of that name, made when it is new."""
        async with self.db.autocommit() as connection:
            return UUID(str(await connection.scalar(_PROJECT, {"id": new_id(), "name": name})))

    async def get(self, project_id: UUID) -> Project:
        """A project that there is: whose key was accepted."""
        async with self.db.autocommit() as connection:
            return Project.model_validate(dict((await connection.execute(_GET, {"id": project_id})).mappings().one()))

    async def name(self, project_id: UUID) -> str:
        """The name of a project that there is."""
        async with self.db.autocommit() as connection:
            return str(await connection.scalar(_NAME, {"id": project_id}))

    async def change(self, project_id: UUID, changes: Mapping[str, Any], *, revision: int | None = None) -> None:
        """Set `max_running` and `budget`, each where it is given; None takes the limit away.

        Raises:
            PreconditionFailed: the project is no longer at this `revision`.
        """
        budget: ProjectBudget | None = changes.get("budget")
        values = {
            "id": project_id,
            "revision": revision,
            "max_running": changes.get("max_running"),
            "budget": budget.model_dump(exclude_none=True) if budget else None,
        }
        given = {f"set_{name}": name in changes for name in ("max_running", "budget")}
        async with self.db.autocommit() as connection:
            if await connection.scalar(_CHANGE, values | given) is None:
                raise PreconditionFailed("the project was changed since it was read; read it again (`GET /project`)")

    async def add_key(self, project_id: UUID, key: str, name: str) -> None:
        """Let a key in that may do everything; see `Keys.let_in`."""
        await self.keys.let_in(project_id, key, name)

    async def identify(self, key: str) -> Identity:
        """Whose key this is; see `Keys.identify`."""
        return await self.keys.identify(key)
