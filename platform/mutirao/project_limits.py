"""How much one project may keep. Looked at when something is made, and counted as rarely as that allows: what a process has
counted it takes for true until a part of the room is used up, or a moment has passed. Several processes may together pass a
limit by that much."""

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import LimitReached
from mutirao.settings import LimitSettings

_SECONDS = 5.0
_PART = 10  # of the room that is left, before it is counted again

_ROWS = {
    "max_queued_jobs": "jobs WHERE project_id = :project AND state = 'queued'",
    "max_schedules": "schedules WHERE project_id = :project",
    "max_webhooks": "webhooks WHERE project_id = :project",
    "max_keys": "api_keys WHERE project_id = :project AND revoked_at IS NULL",
    "max_assistants": "assistants WHERE project_id = :project AND NOT system",
    "max_store_items": "store_items WHERE project_id = :project",
    "max_threads": "threads WHERE project_id = :project AND NOT ephemeral",
}
# No further than to the limit, and off the indexes that begin with the project.
_COUNTS = {
    name: text(f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT :most) AS there") for name, rows in _ROWS.items()
}


@dataclass
class _Room:
    until: float
    left: int


class ProjectLimits:
    """The limits of all projects, as one process sees them."""

    def __init__(self, db: Database, settings: LimitSettings) -> None:
        self._db = db
        self._settings = settings
        self._rooms: dict[tuple[str, UUID], _Room] = {}

    async def check(self, name: str, project_id: UUID, more: int = 1) -> None:
        """There is room for so many more of what the setting `name` limits. Raises LimitReached."""
        room = self._rooms.get((name, project_id))
        if room is None or room.left < more or room.until < time.monotonic():
            room = await self._counted(name, project_id, more)
        room.left -= more

    async def _counted(self, name: str, project_id: UUID, more: int) -> _Room:
        most: int = getattr(self._settings, name)
        async with self._db.autocommit() as connection:
            there = int(await connection.scalar(_COUNTS[name], {"project": project_id, "most": most}) or 0)
        if there + more > most:
            what = name.removeprefix("max_").replace("_", " ")
            raise LimitReached(
                f"the project has {there} {what} and may have {most}; end or delete some, or raise MUTIRAO_{name.upper()}",
                setting=f"MUTIRAO_{name.upper()}",
            )
        room = _Room(time.monotonic() + _SECONDS, max(more, (most - there) // _PART))
        self._rooms[name, project_id] = room
        return room
