"""Assistants by langgraph-sdk, and the same ones by the native API."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError
from mutirao.assistants import system_id

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

GRAPH = "run_steps"


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers.url, api_key=servers.key) as found:
        yield found


async def test_create_get_update_search_and_delete(client: LangGraphClient) -> None:
    label = str(uuid4())
    made = await client.assistants.create(GRAPH, metadata={"label": label}, name=f"Assistant {label}")
    found = await client.assistants.get(made["assistant_id"])
    assert found == made
    assert (found["graph_id"], found["version"], found["config"], found["context"]) == (GRAPH, 1, {}, {})
    changed = await client.assistants.update(
        made["assistant_id"], metadata={"more": 1}, context={"model": "m"}, description="what it is for"
    )
    assert changed["metadata"] == {"label": label, "more": 1}
    assert (changed["version"], changed["description"]) == (2, "what it is for")
    assert (changed["context"], changed["config"]) == ({"model": "m"}, {"configurable": {"model": "m"}})
    tagged = await client.assistants.update(made["assistant_id"], config={"tags": ["t"]})
    assert (tagged["context"], tagged["config"]) == ({"model": "m"}, {"tags": ["t"]})
    changed = await client.assistants.update(made["assistant_id"], context={"model": "n"})
    assert (changed["context"], changed["config"]) == ({"model": "n"}, {"tags": ["t"], "configurable": {"model": "n"}})
    assert await client.assistants.search(metadata={"label": label}) == [changed]
    assert await client.assistants.search(name=label.upper(), graph_id=GRAPH) == [changed]
    assert await client.assistants.count(metadata={"label": label}) == 1
    await client.assistants.delete(made["assistant_id"])
    with pytest.raises(NotFoundError):
        await client.assistants.get(made["assistant_id"])


def test_the_same_with_the_sync_client(servers: Servers) -> None:
    with get_sync_client(url=servers.url, api_key=servers.key) as client:
        made = client.assistants.create(GRAPH, config={"configurable": {"k": 1}}, metadata={"label": str(uuid4())})
        assert made["context"] == {"k": 1}
        assert client.assistants.get(made["assistant_id"]) == made
        changed = client.assistants.update(made["assistant_id"], name="Other")
        assert client.assistants.search(metadata=made["metadata"]) == [changed]
        assert client.assistants.count(graph_id=GRAPH, name="Other") >= 1
        assert [one["version"] for one in client.assistants.get_versions(made["assistant_id"])] == [2, 1]
        assert client.assistants.set_latest(made["assistant_id"], 1)["name"] == "Untitled"
        assert client.assistants.get_schemas(made["assistant_id"])["graph_id"] == GRAPH
        assert "one" in [node["id"] for node in client.assistants.get_graph(made["assistant_id"])["nodes"]]
        assert client.assistants.get_subgraphs(made["assistant_id"]) == {}
        client.assistants.delete(made["assistant_id"], delete_threads=True)


async def test_a_graph_is_an_assistant_by_its_name_and_by_the_id_that_clients_expect(client: LangGraphClient) -> None:
    by_name = await client.assistants.get(GRAPH)
    assert by_name["assistant_id"] == str(system_id(GRAPH))
    assert by_name == await client.assistants.get(str(system_id(GRAPH)))
    assert by_name["metadata"] == {"created_by": "system"}
    assert by_name in await client.assistants.search(graph_id=GRAPH, metadata={"created_by": "system"})


async def test_the_same_request_makes_another_assistant_each_time(client: LangGraphClient) -> None:
    label = {"label": str(uuid4())}
    made = {(await client.assistants.create(GRAPH, metadata=label))["assistant_id"] for _ in range(30)}
    assert len(made) == 30
    assert await client.assistants.count(metadata=label) == 30
    page = await client.assistants.search(metadata=label, limit=20, response_format="object")
    assert (len(page["assistants"]), page["next"]) == (20, "20")
    rest = await client.assistants.search(metadata=label, limit=20, offset=20, response_format="object")
    assert (len(rest["assistants"]), rest["next"]) == (10, None)
    ordered = await client.assistants.search(metadata=label, limit=30, sort_by="created_at", sort_order="asc")
    assert [one["created_at"] for one in ordered] == sorted(one["created_at"] for one in ordered)
    assert await client.assistants.search(metadata=label, limit=1, select=["name"]) == [{"name": "Untitled"}]


async def test_what_is_refused(client: LangGraphClient) -> None:
    mine = str(uuid4())
    await client.assistants.create(GRAPH, assistant_id=mine, name="Mine")
    with pytest.raises(ConflictError):
        await client.assistants.create(GRAPH, assistant_id=mine)
    again = await client.assistants.create(GRAPH, assistant_id=mine, if_exists="do_nothing")
    assert again["name"] == "Mine"
    with pytest.raises(BadRequestError, match="not both"):
        await client.assistants.create(GRAPH, config={"configurable": {"a": 1}}, context={"b": 1})
    with pytest.raises(NotFoundError, match="no workflow 'nothing'"):
        await client.assistants.create("nothing")
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.create(GRAPH, assistant_id="not an id")
    with pytest.raises(UnprocessableEntityError, match="neither an id"):
        await client.assistants.get("not an id")
    with pytest.raises(NotFoundError):
        await client.assistants.set_latest(mine, 9)
    with pytest.raises(ConflictError):
        await client.assistants.delete(GRAPH)


async def test_versions(client: LangGraphClient) -> None:
    made = await client.assistants.create(GRAPH, name="First", metadata={"number": 1})
    await client.assistants.update(made["assistant_id"], name="Second", graph_id="run_nested", metadata={"number": 2})
    versions = await client.assistants.get_versions(made["assistant_id"])
    assert [(one["version"], one["name"], one["graph_id"]) for one in versions] == [
        (2, "Second", "run_nested"),
        (1, "First", GRAPH),
    ]
    assert len(await client.assistants.get_versions(made["assistant_id"], metadata={"number": 1})) == 1
    assert len(await client.assistants.get_versions(made["assistant_id"], limit=1, offset=1)) == 1
    back = await client.assistants.set_latest(made["assistant_id"], 1)
    assert (back["version"], back["name"], back["graph_id"]) == (1, "First", GRAPH)


async def test_introspection(client: LangGraphClient) -> None:
    graph = await client.assistants.get_graph("run_nested")
    assert {node["id"] for node in graph["nodes"]} == {"__start__", "one", "inner", "__end__"}
    deep = await client.assistants.get_graph("run_nested", xray=True)
    assert "inner:deep" in {node["id"] for node in deep["nodes"]}
    assert {"source": "__start__", "target": "one"}.items() <= graph["edges"][0].items()
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.get_graph("run_nested", xray=-1)
    schemas = await client.assistants.get_schemas("run_nested")
    assert "items" in schemas["state_schema"]["properties"]
    assert {"input_schema", "output_schema", "config_schema", "context_schema"} <= schemas.keys()
    assert set(await client.assistants.get_subgraphs("run_nested", recurse=True)) == {"inner"}
    assert set(await client.assistants.get_subgraphs("run_nested", "inner")) == {"inner"}


async def test_the_threads_of_an_assistant_are_deleted_when_that_is_asked_for(client: LangGraphClient) -> None:
    made = await client.assistants.create(GRAPH)
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], made["assistant_id"], input={"items": []})
    await client.assistants.delete(made["assistant_id"], delete_threads=True)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread["thread_id"])


async def test_another_project_sees_nothing_of_it(
    servers: Servers, client: LangGraphClient, stranger: httpx.Client
) -> None:
    made = await client.assistants.create(GRAPH)
    for path in (made["assistant_id"], str(uuid4())):
        answer = stranger.get(f"{servers.url}/assistants/{path}")
        assert (answer.status_code, answer.json()) == (404, {"detail": f"no assistant '{path}' in this project"})


def test_the_native_api_has_the_same_assistants(servers: Servers) -> None:
    http = servers.http
    made = http.post("/assistants", json={"workflow": GRAPH, "name": "Native", "context": {"k": 1}})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    path = made.headers["Location"].removeprefix("/api/v1")
    changed = http.patch(path, json={"name": "Changed"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["name"]) == (200, '"2"', "Changed")
    late = http.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert [one["version"] for one in http.get(f"{path}/versions").json()] == [2, 1]
    assert http.post(f"{path}/latest", json={"version": 1}).json()["name"] == "Native"
    page = http.get("/assistants", params={"workflow": GRAPH, "limit": 1, "fields": "id,name"}).json()
    assert [set(row) for row in page["assistants"]] == [{"id", "name"}]
    following = http.get("/assistants", params={"workflow": GRAPH, "limit": 1, "cursor": page["next"]}).json()
    assert following["assistants"][0]["id"] != page["assistants"][0]["id"]
    assert http.get("/assistants", params={"fields": "colour"}).json()["code"] == "invalid_request"
    assert http.patch(path, json={"colour": "red"}).status_code == 422
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404
