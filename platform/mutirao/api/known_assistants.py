"""Assistants as runs are submitted for them: remembered for a moment, as most runs are of the same few."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mutirao.assistants import Assistant, AssistantStore
from mutirao.db.notices import Notices
from mutirao.jobs.channels import ASSISTANTS

_REMEMBER_SECONDS = 2.0
_MOST = 10_000


class KnownAssistants:
    """What `AssistantStore.resolve` has answered within two seconds, unless an assistant has changed since.

    A change is known as soon as its notice has come; `forget` is for the process that has made it.
    """

    def __init__(self, store: AssistantStore, notices: Notices) -> None:
        self._store = store
        self._changed = notices.flag(ASSISTANTS)
        self._known: dict[tuple[UUID, str], tuple[float, Assistant]] = {}
        self._generation = 0

    async def resolve(self, project_id: UUID, assistant: str) -> Assistant:
        """As the store does."""
        if self._changed.is_set():
            self.forget()
        key = (project_id, assistant)
        until, found = self._known.get(key, (0.0, None))
        if found is None or until < time.monotonic():
            generation = self._generation
            found = await self._store.resolve(project_id, assistant)
            if generation == self._generation:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[key] = (time.monotonic() + _REMEMBER_SECONDS, found)
        return found

    def forget(self) -> None:
        """Some assistant has changed."""
        self._changed.clear()
        self._generation += 1
        self._known.clear()


class ChangedAssistants(AssistantStore):
    """The store of a process that remembers assistants: it forgets them with each change, before the change is answered."""

    _known: KnownAssistants | None = None

    def known(self, notices: Notices) -> KnownAssistants:
        """What is remembered of it."""
        self._known = KnownAssistants(self, notices)
        return self._known

    async def update(
        self, project_id: UUID, assistant: UUID | str, changes: Mapping[str, Any], *, expected: int | None = None
    ) -> Assistant:
        """As the base class says."""
        changed = await super().update(project_id, assistant, changes, expected=expected)
        self._forget()
        return changed

    async def set_latest(self, project_id: UUID, assistant: UUID | str, version: int) -> Assistant:
        """As the base class says."""
        changed = await super().set_latest(project_id, assistant, version)
        self._forget()
        return changed

    async def delete(self, project_id: UUID, assistant: UUID | str) -> None:
        """As the base class says."""
        await super().delete(project_id, assistant)
        self._forget()

    def _forget(self) -> None:
        if self._known is not None:
            self._known.forget()
