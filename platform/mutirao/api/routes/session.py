"""Browsers: who is signed in, signing in with a key or a link, signing out."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mutirao import __version__, samples
from mutirao.api.cookies import clear_session, session_token, set_session
from mutirao.api.gate import OPENED
from mutirao.api.open_requests import OpenRequest, caller_of
from mutirao.api.origins import is_of_others, is_own, own_origin, prefix_of
from mutirao.api.problems import responses
from mutirao.api.scopes import Class
from mutirao.api.services import Caller, HasServices, Services
from mutirao.db.tenancy import bound_to
from mutirao.errors import CrossOrigin
from mutirao.keys import Identity, Scope

router = APIRouter(prefix="/session", tags=["session"])

SIGN_IN = "/ui/sign-in"
_LONGEST_SECRET = 1_000


class SignIn(BaseModel):
    """What proves who signs in: a key, or the token of a link. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"key": "mk_1a2b3c4d.the-secret-of-the-key"}}
    )

    key: str | None = Field(None, min_length=1, max_length=_LONGEST_SECRET, description="`mk_<prefix>.<secret>`.")
    link: str | None = Field(
        None, min_length=1, max_length=_LONGEST_SECRET, description="What `POST /session/links` has made; good once."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.key is None) == (self.link is None):
            raise ValueError("send either key or link")
        return self


class SessionProject(BaseModel):
    """The project that the caller acts in."""

    id: UUID
    name: str


class SessionView(BaseModel):
    """Who is calling, and what it may do."""

    project: SessionProject
    subject: str = Field(description="`key:<prefix>` or `subject:<sub>`, as the audit log and decisions name it.")
    scopes: list[Scope]
    expires_at: datetime | None = Field(
        None, description="When the key, the token or, unless it is used, the session ends; null: never."
    )
    version: str = Field(description="Of the platform.")
    demo: bool = Field(description="Whether the sample documents of the demo are in this project.")


class SessionLink(BaseModel):
    """A link that signs one browser in, once, with the rights of the key that has asked for it."""

    url: str = Field(description="To be opened. The token stands behind `#`, so that no log and no Referer gets it.")
    token: str
    expires_at: datetime


@router.post("", status_code=201, responses=responses(401, 403, 413, 422, 429))
async def begin_session(sign_in: SignIn, request: Request, response: Response, services: HasServices) -> SessionView:
    """Sign a browser in with a key or a link: the answer sets the cookie of a session, which stands for the key until it
    is over. It holds no key. Needs no key in a header; wrong ones count like those.

    A link that is used, too old or unknown answers `link_spent`. Other requests with the cookie, but for GET, must come
    from a page of this origin (`Origin`, `Sec-Fetch-Site`), else they answer `cross_origin`.
    """
    _refuse_others(request)
    who = await services.access.proven(sign_in.key, sign_in.link, request.scope)
    await services.rate_limits.take(str(caller_of(who)), Class.SUBMIT)
    with bound_to(who.project_id):
        signed_in, token = await services.sessions.begin(who)
        by = "link" if sign_in.link is not None else "key"
        await services.audit.record(signed_in, "session.create", signed_in.session_id, {"by": by})
        set_session(request, response, token, services.sessions.seconds)
        return await _view(services, signed_in, response)


@router.get("", responses=responses(401))
async def get_session(request: Request, response: Response, services: HasServices, caller: Caller) -> SessionView:
    """Who is calling, by session, key, token or none: its project, name and scopes. Every caller may ask."""
    token = session_token(request.headers)
    if caller.session_id is not None and token is not None:
        set_session(request, response, token, services.sessions.seconds)  # it goes on, and so does the cookie
    return await _view(services, caller, response)


@router.delete("", status_code=204, responses=responses(401))
async def end_session(request: Request, services: HasServices, caller: Caller) -> Response:
    """Sign out: the session is over, what it has open is closed within seconds, and the browser forgets the cookie.

    Called with a key there is no session, and nothing is ended.
    """
    if caller.session_id is not None:
        opened: OpenRequest = request.scope[OPENED]
        opened.spared = True
        await services.sessions.end(caller.session_id)
        services.access.forget()
        await services.audit.record(caller, "session.delete", caller.session_id)
    response = Response(status_code=204)
    clear_session(request, response)
    return response


@router.post("/links", status_code=201, responses=responses(401))
async def create_session_link(
    request: Request, response: Response, services: HasServices, caller: Caller
) -> SessionLink:
    """A link to open in a browser, which is then signed in with the rights of this key. It can be used once, and soon."""
    made = await services.sessions.link(caller)
    await services.audit.record(caller, "session.link", None)
    response.headers["Cache-Control"] = "no-store"
    place = f"{own_origin(request.scope, request.headers)}{prefix_of(request.scope)}{SIGN_IN}"
    return SessionLink(url=f"{place}#{made.token}", token=made.token, expires_at=made.expires_at)


def _refuse_others(request: Request) -> None:
    """No page of somebody else signs a browser in, not even as that one. Raises CrossOrigin."""
    headers = request.headers
    if is_of_others(headers) or ("origin" in headers and not is_own(request.scope, headers)):
        raise CrossOrigin("a page of another origin cannot sign a browser in here")


async def _view(services: Services, caller: Identity, response: Response) -> SessionView:
    response.headers["Cache-Control"] = "no-store"
    expires_at = caller.expires_at
    if caller.session_id is not None:
        expires_at = await services.sessions.ends_at(caller.session_id)
    return SessionView(
        project=SessionProject(id=caller.project_id, name=await services.projects.name(caller.project_id)),
        subject=caller.actor,
        scopes=[scope for scope in Scope if scope in caller.scopes],
        expires_at=expires_at,
        version=__version__,
        demo=await services.knowledge.has_collection(caller.project_id, samples.DEMO_COLLECTION),
    )
