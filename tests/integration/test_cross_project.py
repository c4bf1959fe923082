"""Every route of the API with an id of another project: the answer is that to an id that nobody has.

The routes are those of the OpenAPI document; a route with a parameter that is not in the tables below fails.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from mutirao.api.app import create_app
from mutirao.db import Database
from mutirao.db.tables import metadata
from mutirao.ids import new_id
from mutirao.keys import new_key_text
from mutirao.projects import DEFAULT_PROJECT, Projects
from mutirao.settings import Settings
from sqlalchemy import select

from tests.rows import furnish
from tests.servers import Servers
from tests.stores import Stores

pytestmark = pytest.mark.integration

# What a parameter of a path or a query names: a column of a table.
PARAMETERS = {
    "job_id": ("jobs", "id"), "parent_id": ("jobs", "id"), "run_id": ("jobs", "id"),
    "approval_id": ("approvals", "id"), "schedule_id": ("schedules", "id"), "cron_id": ("schedules", "id"),
    "key_id": ("api_keys", "id"), "document_id": ("documents", "id"), "collection": ("collections", "name"),
    "thread_id": ("threads", "id"), "assistant_id": ("assistants", "id"), "webhook_id": ("webhooks", "id"),
    "delivery_id": ("webhook_deliveries", "id"),
}  # fmt: skip
# The same word for other things, by the path it is in.
BY_PATH = {("/api/v1/jobs/{job_id}/artifacts/{name}", "name"): ("artifacts", "name")}
# Parameters that name nothing of a project: the catalogue's, positions and filters.
OF_NOBODY = {"name", "version", "checkpoint_id", "namespace", "resource_id", "model"}
# Collections are made by their first document: an unknown name is no error there.
MAKES = {("post", "/api/v1/collections/{collection}/documents")}
# The protocol's clients listen to a thread, and send it commands, before their first run makes it.
BEFORE_IT_IS = {
    ("post", "/threads/{thread_id}/commands"),
    ("post", "/threads/{thread_id}/stream"),
    ("post", "/threads/{thread_id}/stream/events"),
}
# What a route wants in its body, where `{}` will not do.
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/api/v1/session"): {"key": "mk_00000000.nobodys"},
    ("post", "/api/v1/approvals/{approval_id}"): {"decision": 1},
    ("post", "/threads/{thread_id}/runs"): {"assistant_id": "flow"},
    ("post", "/threads/{thread_id}/runs/stream"): {"assistant_id": "flow"},
    ("post", "/threads/{thread_id}/runs/wait"): {"assistant_id": "flow"},
    ("post", "/threads/{thread_id}/runs/crons"): {"assistant_id": "flow", "schedule": "0 0 1 1 *"},
    ("post", "/threads/{thread_id}/state"): {"values": {}},
    ("post", "/threads/{thread_id}/state/checkpoint"): {"checkpoint": {}},
    ("post", "/threads/{thread_id}/commands"): {"id": 1, "method": "state.get", "params": {}},
    ("post", "/threads/{thread_id}/stream/events"): {"channels": ["values"]},
    ("post", "/threads/{thread_id}/stream"): {"channels": ["values"]},
    ("patch", "/threads/{thread_id}/state"): {"metadata": {}},
    ("post", "/assistants/{assistant_id}/latest"): {"version": 1},
    ("post", "/api/v1/assistants/{assistant_id}/latest"): {"version": 1},
    ("post", "/api/v1/threads/{thread_id}/state"): {"values": {}},
    ("post", "/a2a/{assistant_id}"): {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": str(uuid4())}},
}
GARBAGE = "not-an-id"
# Nobody works here: what only a worker can answer is asked of one once the thread is found.
NO_WORKER = 503


@dataclass(frozen=True)
class Route:
    """An operation of the document."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    """(where, name) of those that name something."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> Iterator[Route]:
    for path, operations in create_app(Settings()).openapi()["paths"].items():
        for method, operation in operations.items():
            named = []
            for parameter in operation.get("parameters", []):
                where, name = parameter["in"], parameter["name"]
                if column_of(path, name) is not None and where in ("path", "query"):
                    named.append((where, name))
                else:
                    assert where != "path" or name in OF_NOBODY, f"{path}: say in PARAMETERS what {name!r} names"
            yield Route(method, path, tuple(named))


def column_of(path: str, name: str) -> tuple[str, str] | None:
    return BY_PATH.get((path, name)) or PARAMETERS.get(name)


ROUTES = list(routes())


class World:
    """Two projects with one of everything each; `http` speaks for the first."""

    def __init__(self, http: httpx.Client, db: Database, loop: asyncio.AbstractEventLoop) -> None:
        self.http = http
        self.db = db
        self.loop = loop
        self.mine, self.theirs = (self.run(Projects(db).ensure(f"matrix-{uuid4()}")) for _ in range(2))
        self.others = self.run(self.furnished(self.theirs))
        """What the other project has, by (table, column)."""
        self.own = self.run(self.furnished(self.mine))
        self.run(Stores(db, self.mine).worker("matrix", lease=600))

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(what)

    def own_for(self, route: Route) -> dict[tuple[str, str], str]:
        """What this project has: new things where the route may change them."""
        return self.own if route.method == "get" else self.run(self.furnished(self.mine))

    async def furnished(self, project: UUID) -> dict[tuple[str, str], str]:
        async with self.db.begin() as connection:
            ids = await furnish(connection, project, there={"projects"})
            found = {(table, "id"): str(value) for table, value in ids.items()}
            for name in ("collections", "artifacts"):
                table = metadata.tables[name]
                named = await connection.scalar(select(table.c.name).where(table.c.id == ids[name]))
                found[name, "name"] = str(named)
        return found

    def ask(self, route: Route, names: dict[str, str], *, key: bool = True) -> tuple[int, str]:
        """Status and body, with the names in the request taken out, and the request id."""
        path = re.sub(r"{(\w+)}", lambda match: names.get(match[1], "1"), route.path)
        query = {name: names[name] for where, name in route.parameters if where == "query" and name in names}
        body: dict[str, Any] = {}
        if route.method in ("post", "put", "patch"):
            body = {"json": BODIES.get((route.method, route.path), {})}
            if "documents" in route.path or "uploads" in route.path:
                body = {"files": {"file": ("a.txt", b"text")}}
        headers = {} if key else {"Authorization": ""}
        with self.http.stream(route.method, path, params=query, headers=headers, **body) as answer:
            # It may never end; what is wrong with an id is said before a stream or a wait begins.
            streams = answer.headers.get("content-type", "").startswith("text/event-stream")
            if answer.status_code < 400 and (streams or path.endswith("/wait")):
                return answer.status_code, "begun"
            answer.read()
        text = re.sub(r'"request_id":"[^"]*"', '"request_id":""', answer.text)
        for name in names.values():
            text = text.replace(name, "<name>")
        return answer.status_code, text


@pytest.fixture(scope="module")
def world(quiet: Servers) -> Iterator[World]:
    loop, db, key = asyncio.new_event_loop(), Database(quiet.database_url), new_key_text()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=quiet.url, headers=headers, timeout=10, trust_env=False) as http:
        world = World(http, db, loop)
        world.run(Projects(db).add_key(world.mine, key, "matrix"))
        yield world
        world.run(db.close())
    loop.close()


def made(answer: tuple[int, str]) -> tuple[int, str]:
    """Without what each new thing has of its own, its id and its time."""
    return answer[0], re.sub(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+", "<its own>", answer[1]
    )


NAMED = [(route, name) for route in ROUTES for _, name in route.parameters]


@pytest.mark.parametrize(("route", "name"), NAMED, ids=str)
def test_another_projects_id_answers_like_an_unknown_one(world: World, route: Route, name: str) -> None:
    own, others = world.own_for(route), world.others

    def names(value: str) -> dict[str, str]:
        found = {other: own[column_of(route.path, other)] for _, other in route.parameters}  # type: ignore[index]
        return {**found, name: value}

    where, column = {other: place for place, other in route.parameters}[name], column_of(route.path, name)
    assert column is not None
    if where == "query":
        assert world.ask(route, {name: others[column]}) == world.ask(route, {name: str(new_id())})
        return
    unknown = world.ask(route, names(str(new_id())))
    if (route.method, route.path) in MAKES:
        # Not the name that other tests take for the other project's.
        others = world.run(world.furnished(world.theirs))
        assert made(world.ask(route, names(others[column]))) == made(unknown)
        return
    assert world.ask(route, names(others[column])) == unknown
    if (route.method, route.path) in BEFORE_IT_IS:
        return
    assert unknown[0] in (404, 422), unknown
    assert 400 <= world.ask(route, names(GARBAGE))[0] < 500
    mine = world.ask(route, names(own[column]))
    assert mine != unknown, f"{route}: its own answers like an unknown one; say in BODIES what it wants"
    assert mine[0] < 500 or mine[0] == NO_WORKER, mine


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "get"], ids=str)
def test_nothing_of_another_project_is_in_a_list(world: World, route: Route) -> None:
    own, others = world.own_for(route), world.others
    if any(where == "path" for where, _ in route.parameters):
        names = {name: own[column_of(route.path, name)] for where, name in route.parameters if where == "path"}  # type: ignore[index]
    else:
        names = {}
    status, text = world.ask(route, names)
    assert status < 500 or status == NO_WORKER, text
    assert not [other for other in others.values() if other in text and other != str(world.mine)]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_without_a_key_every_route_but_the_open_ones_is_closed(world: World, route: Route) -> None:
    status, _ = world.ask(route, {name: str(new_id()) for _, name in route.parameters}, key=False)
    if route.path in ("/livez", "/readyz", "/ok", "/info"):
        assert status in (200, 503)
    else:
        assert status == 401


def test_the_project_of_operators_is_no_other_projects_business(world: World) -> None:
    assert world.http.get("/api/v1/projects").status_code == 403
    assert DEFAULT_PROJECT not in world.http.get("/api/v1/project").text
