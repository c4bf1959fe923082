"""Who is calling: from the headers of a request to an identity."""

import asyncio
import time

from sqlalchemy import text
from starlette.datastructures import Headers
from starlette.types import Scope

from mutirao.api.rate_limits import RateLimits
from mutirao.api.visitors import Visitors
from mutirao.db import Database
from mutirao.errors import MutiraoError, Unauthorized
from mutirao.keys import ALL_SCOPES, Identity, Keys, digest_of, is_key
from mutirao.keys import Scope as KeyScope
from mutirao.projects import Projects
from mutirao.queries import Queries
from mutirao.tokens import TokenVerifier

REMEMBER_SECONDS = 2.0
_MOST_REMEMBERED = 10_000
_DOTS_OF_A_TOKEN = 2
_ASK_SECONDS = 10.0
_NO_KEY = "no key; send `Authorization: Bearer <key>` or `X-Api-Key: <key>` (`mutirao status` shows where it is)"


def credential_of(headers: Headers) -> str | None:
    """What the caller shows: a bearer, else a key in its own header."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return headers.get("x-api-key") or None


def has_key(value: str) -> bool:
    """Whether the value of a header has one of our keys in it, however it is written."""
    return any(is_key(word) for word in value.replace(",", " ").split())


_THERE = text("""
SELECT EXISTS (SELECT 1 FROM workers
    WHERE lease_expires_at > now() AND stopped_at IS NULL AND brings ->> 'auth' = 'true')""")


_KNOWN = text("SELECT EXISTS (SELECT 1 FROM workers WHERE brings ->> 'auth' = 'true')")


class Access:
    """Knows callers by key or token. Keys are remembered for `REMEMBER_SECONDS`: most requests cost no query."""

    def __init__(
        self, keys: Keys, tokens: TokenVerifier, handlers: "OwnUsers", visitors: Visitors, limits: RateLimits
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._handlers = handlers
        self._visitors = visitors
        self._limits = limits
        # By digest: a key is nowhere in memory longer than its request.
        self._known: dict[str, tuple[float, Identity]] = {}
        self._asking = asyncio.Lock()

    async def identify(self, scope: Scope) -> Identity:
        """Raises Unauthorized; RateLimited, when the address has been wrong too often; what tokens and handlers raise."""
        headers, address = Headers(scope=scope), _address(scope)
        credential = credential_of(headers)
        try:
            if credential is None:
                return await self._unnamed(scope, headers, address)
            return await self._named(credential, scope, headers, address)
        except MutiraoError as error:
            if error.status == Unauthorized.status:
                await self._limits.failed(address)
            raise

    async def _unnamed(self, scope: Scope, headers: Headers, address: str) -> Identity:
        await self._limits.may_fail(address)
        if await self._handlers.there():
            return await self._handlers.identify(scope, headers)
        if self._visitors.welcome and not await self._handlers.known():
            return await self._visitors.identify(headers, address)
        raise Unauthorized(_NO_KEY)

    async def _named(self, credential: str, scope: Scope, headers: Headers, address: str) -> Identity:
        digest = digest_of(credential)
        until, identity = self._known.get(digest, (0.0, None))
        if identity is not None and until > time.monotonic():
            return identity
        if identity is not None:
            async with self._asking:  # one asks for all that come meanwhile
                until, again = self._known.get(digest, (0.0, None))
                if again is not None and until > time.monotonic():
                    return again
                return await self._asked(credential, digest, scope, headers)
        # Whoever was let in before is not locked out by others behind the same address.
        await self._limits.may_fail(address)
        return await self._asked(credential, digest, scope, headers)

    async def _asked(self, credential: str, digest: str, scope: Scope, headers: Headers) -> Identity:
        if not is_key(credential) and not self._is_token(credential) and await self._handlers.there():
            # Its answer may depend on the request: it is asked each time.
            return await self._handlers.identify(scope, headers)
        try:
            asked = self._tokens if self._is_token(credential) else self._keys
            identity = await asked.identify(credential)
        except MutiraoError:
            self._known.pop(digest, None)
            raise
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known[digest] = (time.monotonic() + REMEMBER_SECONDS, identity)
        return identity

    def _is_token(self, credential: str) -> bool:
        return self._tokens.enabled and not is_key(credential) and credential.count(".") == _DOTS_OF_A_TOKEN

    def forget(self) -> None:
        """A key has changed: everybody is looked up anew."""
        for digest, (_, identity) in [*self._known.items()]:
            self._known[digest] = (0.0, identity)


class OwnUsers:
    """Those whom the `auth` of a project's `langgraph.json` lets in; a worker is asked."""

    def __init__(self, db: Database, queries: Queries, projects: Projects, project: str) -> None:
        self._db = db
        self._queries = queries
        self._projects = projects
        self._project = project
        self._there: tuple[float, bool] = (0.0, False)

    async def there(self) -> bool:
        """Whether a live worker brings such handlers, as of two seconds ago."""
        until, found = self._there
        if until < time.monotonic():
            async with self._db.autocommit() as connection:
                found = bool(await connection.scalar(_THERE))
            self._there = (time.monotonic() + REMEMBER_SECONDS, found)
        return found

    async def known(self) -> bool:
        """Whether any worker that is remembered brings such handlers: where there are some, nobody comes in beside them,
        also while none of them lives."""
        async with self._db.autocommit() as connection:
            return bool(await connection.scalar(_KNOWN))

    async def identify(self, scope: Scope, headers: Headers) -> Identity:
        """Who the handlers say that it is: may do all but administer. Raises as they say."""
        project_id = await self._projects.find(self._project)
        # A key of ours in another header is none of theirs.
        shown = {name: value for name, value in headers.items() if not has_key(value)}
        asked = {"headers": shown, "method": scope.get("method", "GET"), "path": scope["path"]}
        user = await self._queries.ask(project_id, "authenticate", asked, seconds=_ASK_SECONDS)
        return Identity(
            project_id=project_id, subject=str(user["identity"]), scopes=ALL_SCOPES - {KeyScope.ADMIN}, user=user
        )


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
