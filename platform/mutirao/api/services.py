"""What the routes work with, built once per API process."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from mutirao.api.access import Access, OwnUsers
from mutirao.api.broadcast import Journals
from mutirao.api.changes import Changes
from mutirao.api.gate import IDENTITY
from mutirao.api.known_assistants import ChangedAssistants, KnownAssistants
from mutirao.api.langgraph.protocol_stream import ThreadStreams
from mutirao.api.open_requests import OpenRequests
from mutirao.api.own_rules import OwnRules
from mutirao.api.rate_limits import RateLimits
from mutirao.api.visitors import Visitors
from mutirao.artifacts import BlobStore, FolderBlobs
from mutirao.assistants import AssistantStore
from mutirao.audit import AuditLog
from mutirao.catalogue import Catalogue, CataloguedWorkflow
from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.deliveries import DeliveryStore
from mutirao.errors import Forbidden, SettingsInvalid
from mutirao.hints import HintSender
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.checkpoints import CheckpointReader
from mutirao.jobs.inbox import Inbox
from mutirao.jobs.lists import JobLists
from mutirao.jobs.runs import RunStore
from mutirao.jobs.spending import Prices, Spending
from mutirao.jobs.store import EVENTS_CHANNEL, JobStore
from mutirao.jobs.thread_journal import ThreadJournal
from mutirao.jobs.usage import UsageReader
from mutirao.keys import KEYS_CHANNEL, Identity, Scope
from mutirao.knowledge import KnowledgeStore
from mutirao.outbound import Outbound
from mutirao.project_limits import ProjectLimits
from mutirao.projects import DEFAULT_PROJECT, Projects
from mutirao.queries import Queries
from mutirao.queues import Queues
from mutirao.schedules import ScheduleStore
from mutirao.secrets_box import SecretsBox
from mutirao.sessions import Sessions
from mutirao.settings import Settings
from mutirao.store import StoreItems
from mutirao.store_index import StoreIndex
from mutirao.threads import ThreadStore
from mutirao.tokens import TokenVerifier
from mutirao.uploads import Uploads
from mutirao.webhooks import WebhookStore
from mutirao.workers import WorkerStore

# A workflow that is published is seen within this time.
CACHE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """The stores of one API process."""

    settings: Settings
    db: Database
    jobs: JobStore
    lists: JobLists
    runs: RunStore
    approvals: ApprovalStore
    inbox: Inbox
    checkpoints: CheckpointReader
    usage: UsageReader
    spending: Spending
    schedules: ScheduleStore
    outbound: Outbound
    webhooks: WebhookStore
    deliveries: DeliveryStore
    catalogue: "CachedCatalogue"
    projects: Projects
    audit: AuditLog
    sessions: Sessions
    access: Access
    own_rules: OwnRules
    rate_limits: RateLimits
    limits: ProjectLimits
    open_requests: OpenRequests
    workers: WorkerStore
    queues: Queues
    assistants: AssistantStore
    known_assistants: KnownAssistants
    threads: ThreadStore
    items: StoreItems
    store_index: StoreIndex
    queries: Queries
    thread_streams: ThreadStreams
    knowledge: KnowledgeStore
    uploads: Uploads
    blobs: BlobStore
    hints: HintSender
    notices: Notices
    journal: Journals
    changes: Changes

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
        notices = Notices(db.url, EVENTS_CHANNEL)
        catalogue = CachedCatalogue(db)
        queries = Queries(db, beside=notices)
        projects = Projects(db)
        rate_limits = RateLimits(settings.access)
        users = OwnUsers(db, queries, projects, settings.access.auth_project)
        sessions = Sessions(db, settings.access)
        tokens, visitors = TokenVerifier(settings.access, projects), Visitors(settings, projects)
        access = Access(projects.keys, sessions, tokens, users, visitors, rate_limits)
        outbound = Outbound(settings.webhooks.outbound_allow)
        return cls(
            settings=settings,
            db=db,
            jobs=JobStore(db),
            lists=JobLists(db),
            runs=RunStore(db),
            approvals=ApprovalStore(db),
            inbox=Inbox(db),
            checkpoints=CheckpointReader(db),
            usage=UsageReader(db, prices),
            spending=Spending(db, prices),
            schedules=ScheduleStore(db, attempts=settings.worker.attempts),
            outbound=outbound,
            webhooks=WebhookStore(db, outbound, SecretsBox(settings.webhooks.secret_key)),
            deliveries=DeliveryStore(db, settings.webhooks),
            catalogue=catalogue,
            projects=projects,
            audit=AuditLog(db),
            sessions=sessions,
            access=access,
            own_rules=OwnRules(db, queries),
            rate_limits=rate_limits,
            limits=ProjectLimits(db, settings.limits),
            open_requests=OpenRequests(
                projects.keys,
                sessions,
                Notices(db.url, KEYS_CHANNEL, beside=notices),
                access.forget,
                longest_seconds=settings.access.keyless_stream_seconds,
            ),
            workers=WorkerStore(db),
            queues=Queues(db),
            assistants=(assistants := ChangedAssistants(db, catalogue)),
            known_assistants=assistants.known(notices),
            threads=ThreadStore(db),
            items=StoreItems(db),
            store_index=StoreIndex(db, queries),
            queries=queries,
            thread_streams=ThreadStreams(ThreadJournal(db), notices, settings.api.stream_heartbeat_seconds),
            knowledge=KnowledgeStore(db, blobs),
            uploads=Uploads(db),
            blobs=blobs,
            hints=HintSender(stack.redis_url.get_secret_value()),
            notices=notices,
            journal=Journals(db, notices),
            changes=Changes(db, notices),
        )

    async def close(self) -> None:
        await self.open_requests.stop()
        await self.changes.stop()
        await self.notices.stop()
        await self.queries.stop()
        self.hints.close()
        await self.db.close()


def check_addresses(settings: Settings) -> None:
    """Raises SettingsInvalid when a URL that the API cannot do without is missing."""
    if settings.stack.database_url is None or settings.stack.redis_url is None:
        raise SettingsInvalid(
            "MUTIRAO_DATABASE_URL and MUTIRAO_REDIS_URL must be set to start the API alone; "
            "`mutirao up` starts everything and sets them"
        )


class CachedCatalogue(Catalogue):
    """Remembers current workflows for `CACHE_SECONDS`."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._known: dict[tuple[str, str | None], tuple[float, CataloguedWorkflow]] = {}
        self._asking = asyncio.Lock()

    async def get(self, name: str, version: str | None = None) -> CataloguedWorkflow:
        if (known := self._fresh(name, version)) is not None:
            return known
        async with self._asking:  # one asks for all that come meanwhile
            workflow = self._fresh(name, version)
            if workflow is None:
                workflow = await super().get(name, version)
                self._known[name, version] = (time.monotonic() + CACHE_SECONDS, workflow)
            return workflow

    def _fresh(self, name: str, version: str | None) -> CataloguedWorkflow | None:
        until, workflow = self._known.get((name, version), (0.0, None))
        return workflow if until > time.monotonic() else None


async def services(request: Request) -> Services:  # a coroutine: FastAPI runs others in a thread
    """The services of this process."""
    found: Services = request.app.state.services
    return found


HasServices = Annotated[Services, Depends(services)]

# The gate has looked at them; here they are said in the OpenAPI document.
_BEARER = HTTPBearer(
    auto_error=False, description="A key (`mk_<prefix>.<secret>`), or a token of the identity provider."
)
_HEADER = APIKeyHeader(name="X-Api-Key", auto_error=False, description="The same key.")


async def identity(
    connection: HTTPConnection,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> Identity:
    """Who is calling, as the gate has found out."""
    return identity_of(connection)


def identity_of(connection: HTTPConnection) -> Identity:
    """Who is calling: for websockets and mounted applications, too. Raises Forbidden when the route has no scope."""
    found: Identity | None = connection.scope.get(IDENTITY)
    if found is None:
        raise Forbidden(f"{connection.scope['path']} has no line in the table of scopes; nobody may call it")
    return found


Caller = Annotated[Identity, Depends(identity)]


def _having(scope: Scope) -> Callable[[Identity], Coroutine[Any, Any, Identity]]:
    async def caller(caller: Caller) -> Identity:
        caller.need(scope)
        return caller

    return caller


# For routes that need more than the table of scopes says of their path.
Reader = Annotated[Identity, Depends(_having(Scope.READ))]
Submitter = Annotated[Identity, Depends(_having(Scope.SUBMIT))]
Approver = Annotated[Identity, Depends(_having(Scope.APPROVE))]
Admin = Annotated[Identity, Depends(_having(Scope.ADMIN))]


async def _operator(services: HasServices, caller: Admin) -> Identity:
    if caller.project_id != await services.projects.find(DEFAULT_PROJECT):
        raise Forbidden(
            f"only a key of the project {DEFAULT_PROJECT!r} with the scope 'admin' may see or make projects"
        )
    return caller


Operator = Annotated[Identity, Depends(_operator)]
"""Whoever runs the platform: a caller of the default project that has the scope `admin`."""
