"""How long threads live whose project says so in its `langgraph.json`; those that say so themselves are left alone."""

from collections.abc import Sequence

from sqlalchemy import text

from mutirao.db import Database

_BATCH = 10_000

_GIVE = text("""
UPDATE threads SET ttl_minutes = :minutes, ttl_strategy = :strategy,
    expires_at = updated_at + make_interval(secs => 60.0 * CAST(:minutes AS float))
WHERE id IN (
    SELECT id FROM threads
    WHERE workflow = ANY(:workflows) AND ttl_minutes IS NULL AND expires_at IS NULL AND NOT ephemeral LIMIT :most)""")


async def give_ttl(db: Database, workflows: Sequence[str], minutes: float, strategy: str) -> int:
    """Let threads of these workflows that have no time to live have this one, from their last change on; how many."""
    count = 0
    while True:
        values = {"workflows": list(workflows), "minutes": minutes, "strategy": strategy, "most": _BATCH}
        async with db.autocommit() as connection:
            changed = (await connection.execute(_GIVE, values)).rowcount
        count += changed
        if changed < _BATCH:
            return count
