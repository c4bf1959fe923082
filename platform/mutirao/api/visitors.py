"""Callers without a key: let in only where the settings say so, and only from this machine.

For tools that know no keys, and for the dashboard. Of the pages in a browser of this machine only our own are let in:
neither one of another origin nor one whose name was pointed at this machine.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from mutirao.api.origins import is_of_others, own_origin
from mutirao.errors import SettingsInvalid, Unauthorized
from mutirao.keys import ALL_SCOPES, Identity, Scope
from mutirao.projects import Projects
from mutirao.settings import Settings

SUBJECT = "anonymous"
_FORWARDED = ("forwarded", "via", "x-real-ip")


class Visitors:
    """Whom the API lets in without a key; nobody, unless `MUTIRAO_ANONYMOUS_PROJECT` names a project.

    Raises:
        SettingsInvalid: it does, and the API listens for other machines, too, or lets pages of all origins call it.
    """

    def __init__(self, settings: Settings, projects: Projects) -> None:
        self._project = settings.access.anonymous_project
        self._origins = {origin.strip() for origin in settings.api.cors_origins.split(",") if origin.strip()}
        self._projects = projects
        host = settings.api.api_host
        if self._project is not None and not is_loopback(host):
            raise SettingsInvalid(
                f"MUTIRAO_ANONYMOUS_PROJECT={self._project!r} lets everybody in, and MUTIRAO_API_HOST={host!r} is not only "
                "this machine: unset one of them"
            )
        if self._project is not None and "*" in self._origins:
            raise SettingsInvalid(
                f"MUTIRAO_ANONYMOUS_PROJECT={self._project!r} lets in whoever has no key, and MUTIRAO_CORS_ORIGINS='*' any "
                "page that a browser of this machine shows: name the origins"
            )

    @property
    def welcome(self) -> bool:
        """Whether anybody may come without a key."""
        return self._project is not None

    async def identify(self, scope: AsgiScope, headers: Headers, address: str) -> Identity:
        """The identity of whoever has no key: may do all but administer. Raises Unauthorized."""
        assert self._project is not None
        origin, host = headers.get("origin"), urlsplit(f"//{headers.get('host', '')}").hostname or ""
        allowed = {*self._origins, own_origin(scope, headers)}
        foreign = origin not in allowed if origin is not None else is_of_others(headers)
        # What a proxy passes on comes from anywhere, although the proxy itself is on this machine.
        forwarded = any(name in _FORWARDED or name.startswith("x-forwarded-") for name in headers)
        if foreign or forwarded or not is_loopback(host) or not is_loopback(address):
            raise Unauthorized("without a key only programs of this machine are let in; send a key")
        project_id = await self._projects.find(self._project)
        return Identity(project_id=project_id, subject=SUBJECT, scopes=ALL_SCOPES - {Scope.ADMIN})


def is_loopback(host: str) -> bool:
    """Whether a name or address of a host is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
