"""Every verb of the API, as calls that give records."""

from types import TracebackType
from typing import Self

from mutirao.client.access import AccessVerbs
from mutirao.client.approvals import ApprovalVerbs
from mutirao.client.catalogue import CatalogueVerbs
from mutirao.client.connection import AsyncConnection, Connection
from mutirao.client.control import ControlVerbs
from mutirao.client.files import KnowledgeVerbs
from mutirao.client.jobs import JobVerbs
from mutirao.client.schedules import ScheduleVerbs
from mutirao.client.session import SessionVerbs
from mutirao.client.threads import AssistantVerbs, ThreadVerbs
from mutirao.client.verbs import AsyncVerbs, SyncVerbs
from mutirao.client.webhooks import WebhookVerbs

PATIENCE_SECONDS = 30.0


class ApiVerbs(
    JobVerbs, ControlVerbs, ApprovalVerbs, ScheduleVerbs, ThreadVerbs, AssistantVerbs, WebhookVerbs, KnowledgeVerbs,
    CatalogueVerbs, AccessVerbs, SessionVerbs,
):  # fmt: skip
    """All verbs of the API."""


class Client(ApiVerbs, SyncVerbs):
    """The API at `url`, with the rights of `key`. Use it in one thread, and close it, or use it as a context.

    Every call raises the errors of `mutirao.errors` that the API answers with, and `Unavailable` when it does not.
    Calls that can be repeated safely outlive an API that is away for up to `patience_seconds`, once it was reached; one
    that says when to come again (`Retry-After`) is asked again then.
    """

    def __init__(
        self, url: str, key: str, *, timeout_seconds: float = 30.0, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._connection = Connection(url, key, timeout_seconds=timeout_seconds)
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(ApiVerbs, AsyncVerbs):
    """The same for programs with an event loop: what `Client` returns is awaited, what it iterates over takes `async for`.

    It may be used by many tasks at once.
    """

    def __init__(
        self, url: str, key: str, *, timeout_seconds: float = 30.0, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._connection = AsyncConnection(url, key, timeout_seconds=timeout_seconds)
        self._patience_seconds = patience_seconds

    async def close(self) -> None:
        """Close its connections."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
