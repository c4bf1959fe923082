"""Archives in use by the steps of this process."""

import asyncio
from collections import OrderedDict
from uuid import UUID

from mutirao_agents.context import job_context
from mutirao_agents.modernize.archive import Archive, open_archive

MAX_BYTES = 128 << 20

Key = tuple[UUID, UUID]


class Archives:
    """Opened archives by project and upload. The packed bytes of the most recently used are kept, at most `max_bytes`
    but for the newest; any step can open its archive again, as the upload does not change."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._opened: OrderedDict[Key, Archive] = OrderedDict()
        self._opening: dict[Key, asyncio.Task[Archive]] = {}

    async def get(self, upload_id: str) -> Archive:
        """The archive of an upload of the running job's project.

        Raises:
            NotFound: no such upload.
            ArchiveInvalid, TooLarge: see `open_archive`.
        """
        key = (job_context().project_id, UUID(upload_id))
        if key in self._opened:
            self._opened.move_to_end(key)
            return self._opened[key]
        task = self._opening.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._opening[key] = asyncio.create_task(self._open(key))
            task.add_done_callback(lambda done: self._forget_task(key, done))
        # Steps of several jobs may wait for one reading: it goes on when one of them is cancelled.
        return await asyncio.shield(task)

    def drop(self, upload_id: str) -> None:
        """The running job needs the archive no more."""
        self._opened.pop((job_context().project_id, UUID(upload_id)), None)

    async def _open(self, key: Key) -> Archive:
        context = job_context()
        name, data = await context.files.read_upload(key[1])
        archive = await asyncio.to_thread(open_archive, name, data, context.settings.modernize)
        self._opened[key] = archive
        while len(self._opened) > 1 and sum(kept.size for kept in self._opened.values()) > self._max_bytes:
            self._opened.popitem(last=False)
        return archive

    def _forget_task(self, key: Key, done: asyncio.Task[Archive]) -> None:
        if self._opening.get(key) is done:
            del self._opening[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody waits for a reading whose only job was cancelled
