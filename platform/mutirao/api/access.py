"""Who is calling: from the headers of a request to an identity."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from starlette.datastructures import Headers
from starlette.types import Scope

from mutirao.api.cookies import session_token, without_session
from mutirao.api.origins import check_own
from mutirao.api.rate_limits import RateLimits
from mutirao.api.visitors import Visitors
from mutirao.db import Database
from mutirao.errors import MutiraoError, Unauthorized
from mutirao.keys import ALL_SCOPES, LONGEST_SUBJECT, Identity, Keys, digest_of, is_key
from mutirao.keys import Scope as KeyScope
from mutirao.projects import Projects
from mutirao.queries import Queries
from mutirao.sessions import Sessions
from mutirao.tokens import TokenVerifier

REMEMBER_SECONDS = 2.0
_MOST_REMEMBERED = 10_000
_DOTS_OF_A_TOKEN = 2
_ASK_SECONDS = 10.0
_NO_KEY = "no key; send `Authorization: Bearer <key>` or `X-Api-Key: <key>` (`mutirao status` shows where it is)"
_NO_SESSION = "the session has ended; sign in again (`mutirao open`)"


def credential_of(headers: Headers) -> str | None:
    """What the caller shows: a bearer, else a key in its own header."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return headers.get("x-api-key") or None


def for_others(name: str, value: str) -> str | None:
    """The value of a header as code of a project may see it: without the cookie of a session; None when it has one of our
    keys in it, however it is written, or when nothing is left."""
    if name.lower() == "cookie":
        return without_session(value) or None
    return None if any(is_key(word) for word in value.replace(",", " ").split()) else value


_THERE = text("""
SELECT EXISTS (SELECT 1 FROM workers
    WHERE lease_expires_at > now() AND stopped_at IS NULL AND brings ->> 'auth' = 'true')""")


_KNOWN = text("SELECT EXISTS (SELECT 1 FROM workers WHERE brings ->> 'auth' = 'true')")


class Access:
    """Knows callers by key, token or a browser's session. What is known is remembered for `REMEMBER_SECONDS`: most
    requests cost no query."""

    def __init__(
        self,
        keys: Keys,
        sessions: Sessions,
        tokens: TokenVerifier,
        handlers: "OwnUsers",
        visitors: Visitors,
        limits: RateLimits,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._tokens = tokens
        self._handlers = handlers
        self._visitors = visitors
        self._limits = limits
        # By digest: a key is nowhere in memory longer than its request.
        self._known: dict[str, tuple[float, Identity]] = {}
        self._asking = asyncio.Lock()

    async def identify(self, scope: Scope) -> Identity:
        """Raises Unauthorized; RateLimited, when the address has been wrong too often; CrossOrigin, when a session came
        from another page than ours; what tokens and handlers raise."""
        headers, address = Headers(scope=scope), _address(scope)
        credential, session = credential_of(headers), session_token(headers)
        try:
            if credential is not None:
                return await self._named(credential, scope, headers, address)
            signed_in = await self._signed_in(session, address) if session is not None else None
            if signed_in is None:
                return await self._unnamed(scope, headers, address, _NO_KEY if session is None else _NO_SESSION)
        except MutiraoError as error:
            if error.status == Unauthorized.status:
                await self._limits.failed(address)
            raise
        check_own(scope, headers)
        return signed_in

    async def proven(self, key: str | None, link: str | None, scope: Scope) -> Identity:
        """Whose key this is, or whose link, which is used up: for whoever signs in. Raises as `identify` does."""
        address = _address(scope)
        await self._limits.may_fail(address)
        try:
            return await (self._keys.identify(key) if key is not None else self._sessions.taken(link or ""))
        except Unauthorized:
            await self._limits.failed(address)
            raise

    async def _unnamed(self, scope: Scope, headers: Headers, address: str, refusal: str) -> Identity:
        await self._limits.may_fail(address)
        if await self._handlers.there():
            return await self._handlers.identify(scope, headers)
        if self._visitors.welcome and not await self._handlers.known():
            return await self._visitors.identify(scope, headers, address)
        raise Unauthorized(refusal)

    async def _signed_in(self, session: str, address: str) -> Identity | None:
        """None: the session has ended, and whoever sends it is as good as somebody without."""
        try:
            # A token of a session is no key: the two are remembered apart.
            return await self._remembered(
                f"session:{digest_of(session)}", address, lambda: self._sessions.identify(session)
            )
        except Unauthorized:
            return None

    async def _named(self, credential: str, scope: Scope, headers: Headers, address: str) -> Identity:
        return await self._remembered(digest_of(credential), address, lambda: self._asked(credential, scope, headers))

    async def _remembered(self, digest: str, address: str, ask: Callable[[], Awaitable[Identity]]) -> Identity:
        until, identity = self._known.get(digest, (0.0, None))
        if identity is not None and until > time.monotonic():
            return identity
        if identity is not None:
            async with self._asking:  # one asks for all that come meanwhile
                until, again = self._known.get(digest, (0.0, None))
                if again is not None and until > time.monotonic():
                    return again
                return await self._learnt(digest, ask)
        # Whoever was let in before is not locked out by others behind the same address.
        await self._limits.may_fail(address)
        return await self._learnt(digest, ask)

    async def _asked(self, credential: str, scope: Scope, headers: Headers) -> Identity:
        if not is_key(credential) and not self._is_token(credential) and await self._handlers.there():
            return await self._handlers.identify(scope, headers)
        return await (self._tokens if self._is_token(credential) else self._keys).identify(credential)

    async def _learnt(self, digest: str, ask: Callable[[], Awaitable[Identity]]) -> Identity:
        try:
            identity = await ask()
        except MutiraoError:
            self._known.pop(digest, None)
            raise
        if identity.user is not None:
            return identity  # what a project's handlers answer may depend on the request: they are asked each time
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
        shown = {name: seen for name, value in headers.items() if (seen := for_others(name, value)) is not None}
        asked = {"headers": shown, "method": scope.get("method", "GET"), "path": scope["path"]}
        user = await self._queries.ask(project_id, "authenticate", asked, seconds=_ASK_SECONDS)
        subject = str(user["identity"])
        if len(subject) > LONGEST_SUBJECT:
            raise Unauthorized(f"the identity that `authenticate` answers is longer than {LONGEST_SUBJECT} characters")
        return Identity(project_id=project_id, subject=subject, scopes=ALL_SCOPES - {KeyScope.ADMIN}, user=user)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
