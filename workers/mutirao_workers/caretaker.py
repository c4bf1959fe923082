"""The caretaker: an errand that deletes what is no longer to be kept. Every worker sends it; one at a time does anything."""

from dataclasses import asdict

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.logs import logger
from mutirao.retention import Pruned, Retention
from mutirao.settings import Settings

from mutirao_workers.saver import MaintenanceSaver, open_pool

_log = logger("caretaker")


async def care(db: Database, blobs: BlobStore, settings: Settings) -> Pruned:
    """One round. LangGraph's tables must be there."""
    async with open_pool(db.url, 1, pipeline=settings.stack.database_pipeline) as pool:
        pruned = await Retention(db, blobs, settings.retention, MaintenanceSaver(pool)).prune_once()
    if any(asdict(pruned).values()):
        _log.info("caretaker.pruned", **asdict(pruned))
    return pruned
