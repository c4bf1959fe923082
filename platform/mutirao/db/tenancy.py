"""The second wall between projects: row-level security, under the statements that name the project themselves.

A connection is bound to the project of `project` when it is taken from the pool: it then acts as the role `mutirao_api`,
which sees and changes rows of that project only. Where no project is set (workers, the reconciler, the stack, migrations)
a connection acts as the user of the database's URL and sees everything. A binding is remembered with its connection, so
it costs a statement only when it changes.

Migration 0003 makes the policies, and the role where the user may make roles. Where it may not, and nobody else has made
it, connections stay unbound: `mutirao doctor` says so and what to type.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.logs import logger

_log = logger("tenancy")
ROLE = "mutirao_api"

project: ContextVar[UUID | None] = ContextVar("project", default=None)
"""The project whose rows this context may see; None: of all."""

_BOUND = "mutirao.bound"  # where a connection remembers its binding
_BIND = text("SELECT set_config('role', :role, false), set_config('mutirao.project', :project, false)")

# Whether this user may act as the role. `pg_has_role` knows 'SET' since PostgreSQL 16; before, membership is enough.
MAY_BE_BOUND = """
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'mutirao_api') THEN false
    WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(current_user, 'mutirao_api', 'SET')
    ELSE pg_has_role(current_user, 'mutirao_api', 'MEMBER') END
    AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'mutirao_api' AND (rolsuper OR rolbypassrls))"""

REMEDY = (
    "as a superuser of the database: CREATE ROLE mutirao_api NOLOGIN; GRANT mutirao_api TO <the user of the URL>; then "
    "as that user: SELECT mutirao_wall()"
)
"""What to type where the role is missing."""

# LangGraph's tables are made by the first worker, after the migration.
_LATE = text("""
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND NOT c.relrowsecurity
  AND c.relname IN ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes')""")
_COVERED = text("""
SELECT count(*) >= 3 FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relrowsecurity
  AND c.relname IN ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes')""")
# Jobs may read these tables by now. Who waits for one while it has another gives up before the server's search for
# deadlocks (`deadlock_timeout`, 1 s) would end somebody's read instead; it is tried again.
_WALL = text("SELECT set_config('lock_timeout', '300ms', true), mutirao_wall()")


@contextmanager
def bound_to(project_id: UUID | None) -> Iterator[None]:
    """Inside the block connections are bound to this project; None: to none, they see everything."""
    token = project.set(project_id)
    try:
        yield
    finally:
        project.reset(token)


async def bind(connection: AsyncConnection, wanted: UUID | None) -> None:
    """Bind a connection; a statement only when it is bound otherwise."""
    info = connection.sync_connection.info if connection.sync_connection is not None else {}
    if info.get(_BOUND) == wanted:
        return
    # Unknown until it is done: what fails half-way is bound anew.
    info[_BOUND] = ...
    values = {"role": ROLE if wanted else "none", "project": str(wanted or "")}
    await connection.execute(_BIND, values)
    info[_BOUND] = wanted


def forget(connection: AsyncConnection) -> None:
    """The connection's transaction was rolled back, and a binding that was made in it, too."""
    if connection.sync_connection is not None and not connection.invalidated and not connection.closed:
        connection.sync_connection.info[_BOUND] = ...


async def raise_wall(connection: AsyncConnection) -> bool:
    """Cover tables that were made since the migration; whether connections of this user can be bound at all."""
    if not await connection.scalar(text(MAY_BE_BOUND)):
        return False
    if await connection.scalar(_LATE):
        try:
            await connection.execute(_WALL)
        except DBAPIError as error:
            # Another process does the same just now, or the table is another user's.
            _log.warning("tenancy.tables_not_covered", error=str(error.orig).splitlines()[0])
    return True


async def covered(connection: AsyncConnection) -> bool:
    """Whether LangGraph's tables are there and covered, so that nothing is left to wait for."""
    return bool(await connection.scalar(_COVERED))
