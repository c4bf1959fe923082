"""Keys of the project, for its administrators."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Body, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from mutirao.api import pages
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices, Services
from mutirao.errors import InvalidInput
from mutirao.jobs.records import LONGEST_SECONDS
from mutirao.keys import DEFAULT_SCOPES, Identity, Key, NewKey, Scope

router = APIRouter(prefix="/keys", tags=["keys"])

_LONGEST_OVERLAP_SECONDS = 30 * 86_400


class KeyRequest(BaseModel):
    """A key to make. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "nightly reports", "scopes": ["read", "submit"]}}
    )

    name: str = Field(min_length=1, max_length=200, description="For people; need not be unique.")
    scopes: list[Scope] = Field(
        [*DEFAULT_SCOPES], min_length=1, max_length=10, description="What it may do; only what this key may do itself."
    )
    expires_at: AwareDatetime | None = Field(None, description="It is refused from then on; default: never.")

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        self.scopes = [scope for scope in Scope if scope in self.scopes]
        return self


class RotateRequest(BaseModel):
    """How to put a new key in place of one. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: float = Field(
        0, ge=0, le=_LONGEST_OVERLAP_SECONDS, description="How long the old key goes on working beside the new one."
    )


class MadeKey(Key):
    """A new key with its text, which is not kept and cannot be shown again."""

    key: str = Field(description="`mk_<prefix>.<secret>`: shown this once.")


class KeyPage(BaseModel):
    """Keys, newest first."""

    keys: list[Key]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=201, responses=responses(401, 413, 422))
async def create_key(request: KeyRequest, response: Response, services: HasServices, caller: Caller) -> MadeKey:
    """Make a key of this project. Its secret is in this answer and nowhere else. Needs the scope `admin`."""
    _only_own(caller, request.scopes)
    if request.expires_at is not None:
        left = (request.expires_at - await services.db.now()).total_seconds()
        if not 0 < left <= 10 * LONGEST_SECONDS:
            raise InvalidInput(f"expires_at {request.expires_at.isoformat()!r} is not within the next ten years")
    new = NewKey(name=request.name, scopes=request.scopes, expires_at=request.expires_at)
    await services.limits.check("max_keys", caller.project_id)
    key, secret = await services.projects.keys.add(caller.project_id, new, by=caller.actor)
    await services.audit.record(caller, "key.create", key.id, _said(key))
    return _made(response, key, secret)


@router.get("", responses=responses(401, 422))
async def list_keys(services: HasServices, caller: Caller, cursor: Cursor = None, limit: Limit = 50) -> KeyPage:
    """Keys of the project, newest first, revoked and expired ones, too. Needs the scope `admin`."""
    before = pages.read_cursor(cursor)
    found = await services.projects.keys.page(caller.project_id, before=before, limit=limit + 1)
    rows, following = pages.cut(found, limit)
    return KeyPage(keys=rows, next=following)


@router.get("/{key_id}", responses=responses(401, 404, 422))
async def get_key(key_id: UUID, services: HasServices, caller: Caller) -> Key:
    """One key, without its secret. Needs the scope `admin`."""
    return await services.projects.keys.get(caller.project_id, key_id)


@router.delete("/{key_id}", responses=responses(401, 404, 422))
async def revoke_key(key_id: UUID, services: HasServices, caller: Caller) -> Key:
    """Revoke a key: it is refused within two seconds, and what it has open is closed within five.

    Revoking it again changes nothing. Needs the scope `admin`.
    """
    key = await services.projects.keys.revoke(caller.project_id, key_id)
    await services.audit.record(caller, "key.revoke", key.id, _said(key))
    return key


@router.post("/{key_id}/rotate", status_code=201, responses=responses(401, 404, 409, 413, 422))
async def rotate_key(
    key_id: UUID,
    response: Response,
    services: HasServices,
    caller: Caller,
    request: Annotated[RotateRequest, Body(default_factory=RotateRequest)],
) -> MadeKey:
    """A new key in place of this one: same name, scopes and expiry. The old one ends now, or after the overlap.

    Needs the scope `admin`.
    """
    await _within_own(services, caller, key_id)
    key, secret = await services.projects.keys.rotate(
        caller.project_id, key_id, overlap_seconds=request.overlap_seconds, by=caller.actor
    )
    said = {**_said(key), "in_place_of": str(key_id), "overlap_seconds": request.overlap_seconds}
    await services.audit.record(caller, "key.rotate", key.id, said)
    return _made(response, key, secret)


def _only_own(caller: Identity, scopes: list[Scope]) -> None:
    """Nobody gives away what it does not have. Raises Forbidden."""
    for scope in scopes:
        caller.need(scope)


async def _within_own(services: Services, caller: Identity, key_id: UUID) -> None:
    """Raises NotFound, and Forbidden when the key may do what the caller may not."""
    _only_own(caller, (await services.projects.keys.get(caller.project_id, key_id)).scopes)


def _said(key: Key) -> dict[str, object]:
    expires_at = key.expires_at.isoformat() if key.expires_at else None
    return {"name": key.name, "prefix": key.prefix, "scopes": [*key.scopes], "expires_at": expires_at}


def _made(response: Response, key: Key, secret: str) -> MadeKey:
    response.headers["Location"] = f"/api/v1/keys/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return MadeKey(**dict(key), key=secret)
