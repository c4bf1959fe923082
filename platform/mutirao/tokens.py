"""Tokens of an identity provider (JWT, as OpenID Connect issues them), let in beside our own keys by settings."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import jwt

from mutirao.errors import Forbidden, NotFound, SettingsInvalid, Unauthorized, Unavailable
from mutirao.keys import ALL_SCOPES, LONGEST_SUBJECT, Identity, Scope, digest_of
from mutirao.logs import logger
from mutirao.projects import Projects
from mutirao.settings import AccessSettings

_log = logger("tokens")
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SYMMETRIC = ("HS256", "HS384", "HS512")
_FETCH_SECONDS = 5.0
# An unknown `kid` makes us look again, but not more often than this: anybody can send one.
_LOOK_AGAIN_SECONDS = 10.0
_REMEMBER_SECONDS = 2.0
_MOST_REMEMBERED = 10_000
_REQUIRED = ["exp", "iss", "aud", "sub"]


def _algorithms(settings: AccessSettings) -> tuple[str, ...]:
    allowed = _SYMMETRIC if settings.jwt_secret else _ASYMMETRIC
    asked = tuple(name.strip() for name in settings.jwt_algorithms.split(",") if name.strip())
    for name in asked:
        if name not in allowed:
            raise SettingsInvalid(
                f"MUTIRAO_JWT_ALGORITHMS: {name!r} is not one of {', '.join(allowed)}; HS algorithms need a secret, the "
                "others a public key or a URL, and a token without a signature is never let in"
            )
    return asked or allowed


def _check(settings: AccessSettings) -> bool:
    """Whether tokens are let in. Raises SettingsInvalid when that is said by halves."""
    sources = [settings.jwt_jwks_url, settings.jwt_public_key, settings.jwt_secret]
    if not any(sources):
        if settings.jwt_issuer or settings.jwt_audience:
            raise SettingsInvalid(
                "MUTIRAO_JWT_ISSUER needs the issuer's keys: set MUTIRAO_JWT_JWKS_URL, _PUBLIC_KEY or _SECRET"
            )
        return False
    if len([source for source in sources if source]) > 1:
        raise SettingsInvalid("set only one of MUTIRAO_JWT_JWKS_URL, MUTIRAO_JWT_PUBLIC_KEY and MUTIRAO_JWT_SECRET")
    if not (settings.jwt_issuer and settings.jwt_audience):
        raise SettingsInvalid(
            "set MUTIRAO_JWT_ISSUER and MUTIRAO_JWT_AUDIENCE: else tokens for other programs would be let in, too"
        )
    return True


class PublishedKeys:
    """The keys that an issuer publishes at a URL (JWKS): kept for a while, looked for again when one is unknown."""

    def __init__(self, url: str, keep_seconds: float) -> None:
        self._url = url
        self._keep_seconds = keep_seconds
        self._keys: dict[str | None, Any] = {}
        self._fetched_at = -keep_seconds
        self._tried_at = -_LOOK_AGAIN_SECONDS
        self._lock = asyncio.Lock()

    async def get(self, kid: str | None) -> Any:
        """The key of this id. Raises Unauthorized when the issuer has none, Unavailable when it never answered."""
        if kid not in self._keys or time.monotonic() - self._fetched_at > self._keep_seconds:
            async with self._lock:
                await self._refresh(kid)
        if kid not in self._keys:
            if not self._keys:
                raise Unavailable(f"the issuer's keys at {self._url} cannot be read; try again, or use a key")
            raise Unauthorized("the token is signed with a key that its issuer does not publish")
        return self._keys[kid]

    async def _refresh(self, kid: str | None) -> None:
        now = time.monotonic()
        fresh = kid in self._keys and now - self._fetched_at <= self._keep_seconds
        if fresh or now - self._tried_at < _LOOK_AGAIN_SECONDS:
            return
        self._tried_at = now
        try:
            async with httpx.AsyncClient(timeout=_FETCH_SECONDS) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
                found = jwt.PyJWKSet.from_dict(answer.json())
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            # The old ones are still good: an issuer that is down locks nobody out.
            _log.warning("tokens.keys_not_read", url=self._url, error=str(error) or type(error).__name__)
            return
        self._keys = {key.key_id: key for key in found.keys}
        if len(found.keys) == 1:
            self._keys[None] = found.keys[0]
        self._fetched_at = now


class TokenVerifier:
    """Knows who a token stands for. `enabled` is False when the settings let no tokens in."""

    def __init__(self, settings: AccessSettings, projects: Projects) -> None:
        self.enabled = _check(settings)
        self._settings = settings
        self._projects = projects
        self._algorithms = _algorithms(settings)
        self._published = PublishedKeys(settings.jwt_jwks_url or "", settings.jwt_keys_seconds)
        self._known: dict[str, tuple[float, Identity]] = {}

    async def identify(self, token: str) -> Identity:
        """Whose token this is.

        Raises:
            Unauthorized: it is not one of the issuer's, not for us, or over.
            Forbidden: it names no project, or one that does not exist.
            Unavailable: the issuer's keys cannot be read.
        """
        digest = digest_of(token)
        until, identity = self._known.get(digest, (0.0, None))
        if identity is not None and until > time.monotonic():
            return identity
        claims = await self._claims(token)
        if len(str(claims["sub"])) > LONGEST_SUBJECT:
            raise Unauthorized(f"the token is not accepted: its `sub` is longer than {LONGEST_SUBJECT} characters")
        identity = Identity(
            project_id=await self._project(claims),
            subject=str(claims["sub"]),
            scopes=self._scopes(claims),
            expires_at=datetime.fromtimestamp(claims["exp"] + self._settings.jwt_leeway_seconds, UTC),
        )
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        left = claims["exp"] + self._settings.jwt_leeway_seconds - time.time()
        self._known[digest] = (time.monotonic() + min(_REMEMBER_SECONDS, left), identity)
        return identity

    async def _claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self._algorithms:
                raise Unauthorized(f"the token's signature is none of {', '.join(self._algorithms)}")
            key = await self._key(header)
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[*self._algorithms],
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                leeway=settings.jwt_leeway_seconds,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError) as error:
            # The message names the claim that is wrong, never the token.
            raise Unauthorized(f"the token is not accepted: {error}") from None
        return found

    async def _key(self, header: Mapping[str, Any]) -> Any:
        if self._settings.jwt_secret is not None:
            return self._settings.jwt_secret.get_secret_value()
        return self._settings.jwt_public_key or await self._published.get(header.get("kid"))

    async def _project(self, claims: Mapping[str, Any]) -> UUID:
        claim = self._settings.jwt_project_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not name:
            raise Forbidden(f"the token has no claim {claim!r} that names a project; the issuer must add it")
        try:
            return await self._projects.find(name)
        except NotFound:
            if self._settings.jwt_create_projects:
                return await self._projects.ensure(name)
            raise Forbidden(
                f"the token is for the project {name!r}, which does not exist; an operator makes it with `POST /projects`"
            ) from None

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        said = claims.get(self._settings.jwt_scopes_claim, self._settings.jwt_default_scopes.replace(",", " "))
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        return frozenset(Scope(word) for word in words if word in ALL_SCOPES)
