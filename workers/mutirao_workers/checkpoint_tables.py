"""LangGraph's own tables, created and upgraded by its own saver."""

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from mutirao_workers.saver import Pool

_LOCK = 7_203_662


async def prepare_checkpoints(pool: Pool) -> None:
    """Create or upgrade the tables; one process at a time."""
    async with pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            await AsyncPostgresSaver(connection).setup()
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
