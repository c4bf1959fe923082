"""Verbs on who is calling, on the sessions of browsers, and on what changes in the project."""

import json
from types import NoneType

from mutirao.client import records
from mutirao.client.flows import Close, Flow, Item, Open, Part, Request
from mutirao.client.outage import Outage
from mutirao.client.stream import STREAM_SILENCE_SECONDS, EventReader
from mutirao.client.verbs import Sent, Verbs, following, verb
from mutirao.errors import RateLimited, Unavailable


class SessionVerbs(Verbs):
    """Verbs on who is calling. A session is a cookie, which browsers keep; this client goes on with its key."""

    @verb("GET /session", records.Session)
    def session(self) -> Sent:
        """Whose key this client uses: its project, name and scopes."""
        return Sent()

    @verb("POST /session", records.Session)
    def begin_session(self, *, key: str | None = None, link: str | None = None) -> Sent:
        """Sign in with a key or with the token of a link. Raises Unauthorized."""
        return Sent(body={name: value for name, value in (("key", key), ("link", link)) if value is not None})

    @verb("DELETE /session", NoneType)
    def end_session(self) -> Sent:
        """Sign out."""
        return Sent()

    @verb("POST /session/links", records.SessionLink)
    def create_session_link(self) -> Sent:
        """A link that signs one browser in with the rights of this key, once and soon. Raises Forbidden for a token."""
        return Sent()

    @following(records.Change, "GET /changes")
    def changes(self) -> Flow[None]:
        """What changes in the project, as it does and without an end: `hello`, then `jobs`, `approvals` and `many`.

        A connection that breaks is opened again and says `hello` again: read your lists then, as after `many`.

        Raises:
            Unavailable: the API has not answered for longer than this client's patience.
        """
        outage = Outage(self._patience_seconds)
        request = Request(method="GET", path="/changes", silence_seconds=STREAM_SILENCE_SECONDS)
        while True:
            broke: Unavailable | RateLimited | None = None
            reader = EventReader()
            try:
                yield Open(request)
                outage.over()
                while (part := (yield Part())) is not None:
                    for kind, data in reader.take_named(part):
                        outage.progress()
                        if data:
                            yield Item(records.Change(kind=kind, data=json.loads(data)))
            except (Unavailable, RateLimited) as error:
                broke = error
            yield Close()
            yield outage.bear(broke)
