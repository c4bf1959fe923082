"""The second wall: whatever a statement says, a bound connection sees and changes nothing of another project."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from mutirao.db import Database
from mutirao.db.tables import metadata
from mutirao.db.tenancy import bound_to
from mutirao.errors import NotFound
from mutirao.ids import new_id
from sqlalchemy import Table, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.rows import OWNED, furnish, row
from tests.stores import Stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@dataclass
class World:
    """Two projects, each with one row in every table that belongs to projects."""

    db: Database
    mine: UUID
    theirs: UUID
    jobs: dict[UUID, UUID]


@pytest.fixture(scope="module")
async def world(database_url: str) -> AsyncIterator[World]:
    db = Database(database_url, pool_size=1)
    try:
        projects = [new_id(), new_id()]
        async with db.begin() as connection:
            rows = [await furnish(connection, project) for project in projects]
        assert await db.raise_wall()
        yield World(db, *projects, {project: made["jobs"] for project, made in zip(projects, rows, strict=True)})
    finally:
        await db.close()


async def count(connection: AsyncConnection, table: Table) -> int:
    return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_every_table_of_projects_is_walled(world: World) -> None:
    async with world.db.autocommit() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relrowsecurity"
        )
        walled = {name for (name,) in rows}
    assert walled == {table.name for table in OWNED}


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
async def test_a_bound_connection_has_only_its_own_rows(world: World, table: Table) -> None:
    key = next(iter(table.primary_key.columns))
    async with world.db.autocommit() as connection:
        both = await count(connection, table)
    with bound_to(world.mine):
        async with world.db.autocommit() as connection:
            assert await count(connection, table) == both // 2 == 1
            changed = await connection.execute(table.update().values({key.name: key}))
            assert changed.rowcount == 1
    with bound_to(world.theirs):
        async with world.db.begin() as connection:
            deleted = await connection.execute(table.delete())
            assert deleted.rowcount == 1
            await connection.rollback()
    async with world.db.autocommit() as connection:
        assert await count(connection, table) == both


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
async def test_a_bound_connection_writes_into_no_other_project(world: World, table: Table) -> None:
    ids = {"projects": world.theirs, **dict.fromkeys((other.name for other in OWNED), new_id()), table.name: new_id()}
    ids |= {"projects": world.theirs, "jobs": world.jobs[world.theirs], table.name: new_id()}
    with bound_to(world.mine), pytest.raises(DBAPIError, match="row-level security"):
        async with world.db.begin() as connection:
            await connection.execute(table.insert().values(row(table, ids)))


async def test_a_function_that_is_given_the_wrong_project_finds_nothing(world: World) -> None:
    stores = Stores(world.db, world.theirs)
    theirs = world.jobs[world.theirs]
    assert (await stores.get(theirs)).id == theirs
    with bound_to(world.mine):
        with pytest.raises(NotFound):
            await stores.get(theirs)
        with pytest.raises(NotFound):
            await stores.jobs.cancel(world.theirs, theirs)
        assert await stores.jobs.events(theirs, limit=10) == []
        assert await stores.page(world.theirs, limit=10) == []
    assert len(await stores.jobs.events(theirs, limit=10)) == 1


async def test_a_binding_costs_a_statement_only_when_it_changes(world: World) -> None:
    said: list[str] = []

    @event.listens_for(world.db.engine.sync_engine, "before_cursor_execute")
    def listen(*arguments: Any) -> None:
        said.append(arguments[2])

    async def ask(project: UUID | None) -> int:
        said.clear()
        with bound_to(project):
            async with world.db.autocommit() as connection:
                await connection.exec_driver_sql("SELECT 1")
        return len(said)

    await ask(world.mine)
    assert [await ask(project) for project in (world.mine, world.theirs, world.theirs, None, None)] == [1, 2, 1, 2, 1]
    event.remove(world.db.engine.sync_engine, "before_cursor_execute", listen)


async def test_a_transaction_that_is_rolled_back_leaves_no_wrong_binding(world: World) -> None:
    async with world.db.autocommit() as connection:
        await connection.exec_driver_sql("SELECT 1")
    with bound_to(world.mine), pytest.raises(ZeroDivisionError):
        async with world.db.begin():
            raise ZeroDivisionError
    with bound_to(world.mine):
        async with world.db.autocommit() as connection:
            assert await connection.scalar(select(func.current_user())) == "mutirao_api"
            assert await count(connection, metadata.tables["jobs"]) == 1
    async with world.db.autocommit() as connection:
        assert await count(connection, metadata.tables["jobs"]) == 2


async def test_the_role_cannot_look_past_the_policies(world: World) -> None:
    async with world.db.autocommit() as connection:
        [found] = await connection.exec_driver_sql(
            "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = 'mutirao_api'"
        )
    assert tuple(found) == (False, False, False)
    with bound_to(world.mine), pytest.raises(DBAPIError, match="permission denied"):
        async with world.db.autocommit() as connection:
            await connection.exec_driver_sql("DELETE FROM workers")


async def test_what_a_project_does_itself_is_not_hindered(world: World) -> None:
    stores = Stores(world.db, world.mine)
    with bound_to(world.mine):
        job = await stores.accept(priority=3)
        assert (await stores.jobs.cancel(world.mine, job.id)).state == "cancelled"
        async with world.db.begin() as connection:
            await connection.execute(metadata.tables["jobs"].delete().where(metadata.tables["jobs"].c.id == job.id))


async def test_covering_tables_ends_no_read(database_url: str) -> None:
    """The first worker's tables are covered while jobs read them: no read is chosen as the victim of a deadlock."""
    names = ("checkpoint_blobs", "checkpoints")
    db = Database(database_url, pool_size=2)
    try:
        async with db.begin() as connection:
            for name in names:
                await connection.exec_driver_sql(f"CREATE TABLE {name} (thread_id text)")
        async with db.begin() as reader:
            await reader.exec_driver_sql("SELECT FROM checkpoints")
            covering = asyncio.create_task(db.raise_wall())
            # Longer than the server lets anybody wait before it looks for a deadlock: then it would end the next who waits.
            await asyncio.wait({covering}, timeout=1.5)
            await reader.exec_driver_sql("SELECT FROM checkpoint_blobs")
        assert await covering
        assert await db.raise_wall()
        async with db.begin() as connection:
            walled = await connection.exec_driver_sql(
                "SELECT relname::text FROM pg_class WHERE relname ~ '^checkpoint' AND relkind = 'r' AND relrowsecurity ORDER BY 1"
            )
            assert tuple(walled.scalars()) == names
            for name in names:
                await connection.exec_driver_sql(f"DROP TABLE {name}")
    finally:
        await db.close()
