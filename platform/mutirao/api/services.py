"""What the routes work with, built once per API process."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from mutirao.artifacts import BlobStore, FolderBlobs
from mutirao.catalogue import Catalogue, CataloguedWorkflow
from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.errors import SettingsInvalid, Unauthorized
from mutirao.hints import HintSender
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.checkpoints import CheckpointReader
from mutirao.jobs.spending import Prices, Spending
from mutirao.jobs.store import EVENTS_CHANNEL, JobStore
from mutirao.jobs.usage import UsageReader
from mutirao.knowledge import KnowledgeStore
from mutirao.projects import Identity, Projects
from mutirao.schedules import ScheduleStore
from mutirao.settings import Settings
from mutirao.uploads import Uploads
from mutirao.workers import WorkerStore

# A key that is revoked stops working, and a workflow that is published is seen, within this time.
CACHE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """The stores of one API process."""

    settings: Settings
    db: Database
    jobs: JobStore
    approvals: ApprovalStore
    checkpoints: CheckpointReader
    usage: UsageReader
    spending: Spending
    schedules: ScheduleStore
    catalogue: "CachedCatalogue"
    projects: "CachedProjects"
    workers: WorkerStore
    knowledge: KnowledgeStore
    uploads: Uploads
    blobs: BlobStore
    hints: HintSender
    notices: Notices

    @classmethod
    def build(cls, settings: Settings) -> "Services":
        """Wire the stores by the settings. Raises SettingsInvalid when a URL is missing."""
        check_addresses(settings)
        stack = settings.stack
        assert stack.database_url is not None
        assert stack.redis_url is not None
        db = Database(stack.database_url.get_secret_value())
        prices = Prices(settings.model.model_prices)
        blobs = FolderBlobs(stack.artifacts_path)
        return cls(
            settings=settings,
            db=db,
            jobs=JobStore(db),
            approvals=ApprovalStore(db),
            checkpoints=CheckpointReader(db),
            usage=UsageReader(db, prices),
            spending=Spending(db, prices),
            schedules=ScheduleStore(db, attempts=settings.worker.attempts),
            catalogue=CachedCatalogue(db),
            projects=CachedProjects(db),
            workers=WorkerStore(db),
            knowledge=KnowledgeStore(db, blobs),
            uploads=Uploads(db),
            blobs=blobs,
            hints=HintSender(stack.redis_url.get_secret_value()),
            notices=Notices(db.url, EVENTS_CHANNEL),
        )

    async def close(self) -> None:
        await self.notices.stop()
        self.hints.close()
        await self.db.close()


def check_addresses(settings: Settings) -> None:
    """Raises SettingsInvalid when a URL that the API cannot do without is missing."""
    if settings.stack.database_url is None or settings.stack.redis_url is None:
        raise SettingsInvalid(
            "MUTIRAO_DATABASE_URL and MUTIRAO_REDIS_URL must be set to start the API alone; "
            "`mutirao up` starts everything and sets them"
        )


class CachedProjects(Projects):
    """Remembers keys for `CACHE_SECONDS`: a request costs no query for its key."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._known: dict[str, tuple[float, Identity]] = {}

    async def identify(self, key: str) -> Identity:
        until, identity = self._known.get(key, (0.0, None))
        if identity is None or until < time.monotonic():
            identity = await super().identify(key)
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[key] = (time.monotonic() + CACHE_SECONDS, identity)
        return identity


class CachedCatalogue(Catalogue):
    """Remembers current workflows for `CACHE_SECONDS`."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._known: dict[tuple[str, str | None], tuple[float, CataloguedWorkflow]] = {}

    async def get(self, name: str, version: str | None = None) -> CataloguedWorkflow:
        until, workflow = self._known.get((name, version), (0.0, None))
        if workflow is None or until < time.monotonic():
            workflow = await super().get(name, version)
            self._known[name, version] = (time.monotonic() + CACHE_SECONDS, workflow)
        return workflow


async def services(request: Request) -> Services:  # a coroutine: FastAPI runs others in a thread
    """The services of this process."""
    found: Services = request.app.state.services
    return found


_BEARER = HTTPBearer(auto_error=False, description="A key: `mk_<prefix>.<secret>`.")
_HEADER = APIKeyHeader(name="X-Api-Key", auto_error=False, description="The same key.")

HasServices = Annotated[Services, Depends(services)]


async def identity(
    services: HasServices,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> Identity:
    """Who is calling. Raises Unauthorized."""
    key = bearer.credentials if bearer else header
    if not key:
        raise Unauthorized(
            "no key; send `Authorization: Bearer <key>` or `X-Api-Key: <key>` (`mutirao status` shows where it is)"
        )
    return await services.projects.identify(key)


Caller = Annotated[Identity, Depends(identity)]
