"""The `auth` of a `langgraph.json` over the API: who comes in by it is held to it, operation by operation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mutirao.api.own_rules import contained, operation_of
from mutirao.errors import Forbidden
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.integration
PROJECT = Path(__file__).parents[1] / "project_langgraph"


@pytest.fixture(scope="module")
def guarded(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running API and a worker whose project brings handlers: the word is `sesame`, things are their owners'."""
    folder = tmp_path_factory.mktemp("guarded")
    with (
        new_database(embedded.database_url) as url,
        Servers(
            folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env, project=PROJECT
        ) as running,
    ):
        running.start_api()
        running.start_worker("guarded")
        yield running


@pytest.fixture
def ana(guarded: Servers) -> Iterator[httpx.Client]:
    """Somebody whom the handlers know."""
    headers = {"Authorization": "Bearer sesame", "X-Via": "test"}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=30, trust_env=False) as client:
        guarded.until(lambda: client.post("/threads/search", json={}).status_code == 200, "the API asks the handlers")
        yield client


@pytest.fixture
def admin(guarded: Servers) -> Iterator[httpx.Client]:
    """A key of the project, which the handlers are not asked about."""
    headers = {"X-Api-Key": guarded.key}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def test_whoever_the_handlers_do_not_know_is_refused_as_they_say(guarded: Servers, ana: httpx.Client) -> None:
    for headers in ({"Authorization": "Bearer open"}, {}):
        answer = httpx.post(f"{guarded.url}/threads/search", json={}, headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()) == (401, {"detail": "say the word"})
    refused = httpx.get(f"{guarded.url}/api/v1/jobs", headers={"Authorization": "Bearer mk_a.b"}, trust_env=False)
    assert refused.json()["code"] == "unauthorized"


def test_things_are_their_owners(ana: httpx.Client, admin: httpx.Client) -> None:
    mine = ana.post("/threads", json={"metadata": {"topic": "bees"}}).json()
    assert mine["metadata"] == {"topic": "bees", "owner": "ana"}
    theirs = admin.post("/threads", json={"metadata": {"topic": "bees", "owner": "eva"}}).json()
    found = ana.post("/threads/search", json={"metadata": {"topic": "bees"}, "limit": 100}).json()
    assert theirs["thread_id"] not in [thread["thread_id"] for thread in found]
    assert mine["thread_id"] in [thread["thread_id"] for thread in found]
    assert ana.post("/threads/count", json={"metadata": {"owner": "eva"}}).status_code == 403
    assert ana.get(f"/threads/{mine['thread_id']}").status_code == 200
    unknown = uuid4()
    for method, path, body in (
        ("GET", "", None), ("GET", "/state", None), ("POST", "/history", {}), ("PATCH", "", {"metadata": {}}),
        ("DELETE", "", None), ("GET", "/runs", None), ("POST", "/copy", None),
        ("POST", "/state", {"values": {}}),
    ):  # fmt: skip
        answers = [
            ana.request(method, f"/threads/{thread}{path}", json=body) for thread in (theirs["thread_id"], unknown)
        ]
        told = [(answer.status_code, answer.json()["detail"].split(" ")[:2]) for answer in answers]
        assert told == [(404, ["no", "thread"])] * 2, (method, path)
    assert admin.get(f"/threads/{theirs['thread_id']}").json()["metadata"]["owner"] == "eva"


def test_runs_are_in_threads_of_their_owner_and_know_who_asked(
    guarded: Servers, ana: httpx.Client, admin: httpx.Client
) -> None:
    mine = ana.post("/threads", json={}).json()["thread_id"]
    theirs = admin.post("/threads", json={"metadata": {"owner": "eva"}}).json()["thread_id"]
    body: dict[str, Any] = {"assistant_id": "memory", "input": {"messages": []}}
    made = ana.post(f"/threads/{mine}/runs", json=body)
    assert made.status_code == 200, made.text
    assert "langgraph_auth" not in made.text
    assert "langgraph_auth" not in ana.get(f"/threads/{mine}").text
    [(told,)] = guarded.sql("SELECT run -> 'config' -> 'configurable' FROM jobs WHERE id = %s", made.json()["run_id"])
    assert (told["langgraph_auth_user_id"], told["langgraph_auth_permissions"]) == ("ana", ["threads:read"])
    assert ana.post(f"/threads/{theirs}/runs", json=body).status_code == 404
    assert ana.post(f"/threads/{uuid4()}/runs", json={**body, "if_not_exists": "create"}).status_code == 403


def test_what_the_handlers_forbid_or_have_no_word_for_is_refused(ana: httpx.Client) -> None:
    assert ana.post("/assistants/search", json={}).status_code == 403
    assert ana.post("/runs/batch", json=[]).status_code == 403
    assert ana.post("/threads/prune", json={"thread_ids": []}).status_code == 403
    for path in ("/api/v1/jobs", "/api/v1/project", "/v1/models"):
        assert ana.get(path).status_code == 403, path
    assert ana.get("/api/v1/keys").status_code == 403


def test_the_store_is_moved_under_the_owner(ana: httpx.Client, admin: httpx.Client) -> None:
    item = {"namespace": ["notes"], "key": "k", "value": {"n": 1}}
    assert ana.put("/store/items", json=item).status_code in (200, 204)
    assert ana.get("/store/items", params={"namespace": "notes", "key": "k"}).json()["value"] == {"n": 1}
    seen = admin.get("/store/items", params={"namespace": "ana.notes", "key": "k"}).json()
    assert seen["namespace"] == ["ana", "notes"]


def test_the_namespace_that_is_judged_is_the_one_that_is_read(ana: httpx.Client, admin: httpx.Client) -> None:
    admin.put("/store/items", json={"namespace": ["eva"], "key": "k", "value": {"n": 1}})
    for field in ("namespace", "namespace_prefix", "prefix"):
        body = {"namespace": ["eva"], "namespace_prefix": ["eva"], "prefix": ["eva"], "key": "k", "value": {"n": 2}}
        for path, method in (("/store/items", "PUT"), ("/store/items", "DELETE"), ("/store/items/search", "POST")):
            assert "eva" not in ana.request(method, path, json=body | {field: ["x"]}, params={"namespace": "y"}).text
        spaces = ana.post("/store/namespaces?namespace=x", json={"namespace": ["eva"]}).json()["namespaces"]
        assert {space[0] for space in spaces} <= {"ana"}
    two = ana.get("/store/items?key=k&namespace=eva&namespace=ana")
    assert (two.status_code, two.json()) == (200, None)
    assert admin.get("/store/items", params={"namespace": "eva", "key": "k"}).json()["value"] == {"n": 1}
    assert ana.post("/store/items/search", json={"namespace_prefix": 5}).status_code == 422
    assert ana.post("/threads", json={"metadata": [1]}).status_code == 422


FORGED = {"configurable": {"langgraph_auth_user_id": "eva", "langgraph_auth_user": {"identity": "eva"}}}


def test_nobody_says_to_be_somebody_else(guarded: Servers, ana: httpx.Client, admin: httpx.Client) -> None:
    def callers(where: str, value: str) -> list[Any]:
        asked = f"SELECT run -> 'config' -> 'configurable' ->> 'langgraph_auth_user_id' FROM jobs WHERE {where} = %s"
        return [caller for (caller,) in guarded.sql(asked, value)]

    mine = ana.post("/threads", json={}).json()["thread_id"]
    run = {"assistant_id": "memory", "input": {"messages": []}, "config": FORGED}
    told = ana.post(f"/threads/{mine}/commands", json={"id": 1, "method": "run.start", "params": run}).json()
    assert callers("id", told["result"]["run_id"]) == ["ana"]
    saved = admin.post("/assistants", json={"graph_id": "memory", "config": FORGED}).json()
    assert "langgraph_auth" not in str(saved)
    started = admin.post("/runs", json=run | {"assistant_id": saved["assistant_id"]}).json()
    assert callers("id", started["run_id"]) == [None]
    cron = ana.post("/runs/crons", json=run | {"schedule": "0 0 1 1 *"}).json()
    assert "langgraph_auth" not in str(cron)
    admin.patch(f"/runs/crons/{cron['cron_id']}", json={"enabled": False})
    shown = admin.post(f"/api/v1/schedules/{cron['cron_id']}/trigger")
    assert "langgraph_auth" not in shown.text
    assert callers("schedule_id", cron["cron_id"]) == ["ana"]


def test_a_cron_and_a_command_are_runs_to_the_handlers(ana: httpx.Client, admin: httpx.Client) -> None:
    theirs = admin.post("/threads", json={"metadata": {"owner": "eva"}}).json()["thread_id"]
    run = {"assistant_id": "memory", "input": {"messages": []}}
    assert ana.post(f"/threads/{theirs}/runs/crons", json=run | {"schedule": "0 0 1 1 *"}).status_code == 404
    start = {"id": 1, "method": "run.start", "params": run}
    assert ana.post(f"/threads/{theirs}/commands", json=start).status_code == 404
    assert ana.post(f"/threads/{uuid4()}/commands", json=start).status_code == 403
    mine = ana.post("/threads", json={}).json()["thread_id"]
    saved = admin.post("/assistants", json={"graph_id": "memory"}).json()["assistant_id"]  # nothing of ana's
    for path, body in (
        (f"/threads/{mine}/runs", {}), (f"/threads/{mine}/runs/crons", {"schedule": "0 0 1 1 *"}),
        ("/runs/crons", {"schedule": "0 0 1 1 *"}),
    ):  # fmt: skip
        assert ana.post(path, json=run | body | {"assistant_id": saved}).status_code == 403, path
    start["params"] = run | {"assistant_id": saved}
    assert ana.post(f"/threads/{mine}/commands", json=start).status_code == 403


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"owner": "ana"}, {"owner": "ana"}),
        ({"owner": {"$eq": "ana"}}, {"owner": "ana"}),
        ({"teams": {"$contains": "bees"}}, {"teams": ["bees"]}),
        ({"teams": {"$contains": ["a", "b"]}}, {"teams": ["a", "b"]}),
        ({"nested": {"a": 1}}, {"nested": {"a": 1}}),
    ],
)
def test_filters_are_containment(filters: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert contained(filters) == wanted


@pytest.mark.parametrize("filters", [{"$or": [{"a": 1}]}, {"a": {"$ne": 1}}, {"a": {"$eq": 1, "$contains": 2}}])
def test_filters_that_cannot_be_applied_are_refused(filters: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        contained(filters)


def test_every_operation_is_said_in_the_handlers_words() -> None:
    words = {
        "POST /threads": "threads create", "GET /threads/x/state/y": "threads read", "DELETE /threads/x": "threads delete",
        "POST /threads/x/runs/wait": "threads create_run", "POST /runs/stream": "threads create_run",
        "POST /threads/x/runs/y/cancel": "threads update", "POST /runs/crons": "crons create",
        "DELETE /runs/crons/x": "crons delete", "PATCH /assistants/x": "assistants update",
        "POST /assistants/x/versions": "assistants read", "PUT /store/items": "store put",
    }  # fmt: skip
    for request, said in words.items():
        found = operation_of(*request.split(" "))
        assert found is not None, request
        assert f"{found[0].resource} {found[0].action}" == said
    assert operation_of("GET", "/api/v1/jobs") is None
