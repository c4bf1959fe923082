"""Projects as LangGraph's users have them, unchanged: `tests/project_langgraph` on a real worker."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from mutirao.catalogue import Catalogue
from mutirao.db import Database
from mutirao.errors import Forbidden, MutiraoError, NotFound, Unauthorized, Unavailable
from mutirao.queries import Queries
from mutirao.stack.embedded import EmbeddedParts
from mutirao.thread_ttl import give_ttl

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.anyio
PROJECT = Path(__file__).parents[1] / "project_langgraph"


@pytest.fixture(scope="module")
def studio(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running API and a worker of that project."""
    with (
        new_database(embedded.database_url) as url,
        Servers(
            tmp_path_factory.mktemp("studio"),
            database_url=url,
            redis_url=own_redis(embedded.redis_url),
            env={**embedded.env, "STUDIO_SET_ALREADY": "from outside"},
            project=PROJECT,
        ) as running,
    ):
        running.start_api(public_routes="/studio/public")
        running.start_worker("studio")
        yield running


@pytest.fixture
async def queries(studio: Servers) -> AsyncIterator[Queries]:
    db = Database(studio.database_url, pool_size=4)
    asking = Queries(db)
    await asking.start()
    yield asking
    await asking.stop()
    await db.close()


@pytest.fixture
async def sdk(studio: Servers) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=studio.url, api_key=studio.key) as client:
        yield client


@pytest.fixture
def project(studio: Servers) -> UUID:
    found: UUID = studio.sql("SELECT id FROM projects WHERE name = 'default'")[0][0]
    return found


def _paused(studio: Servers, workflow: str, given: dict[str, Any]) -> dict[str, Any]:
    job_id = studio.submit(workflow, given)
    studio.until(lambda: studio.job(job_id)["state"] in ("paused", "failed"), f"{workflow} asks")
    return studio.job(job_id)


async def test_threads_live_as_long_as_the_project_says(studio: Servers, project: UUID) -> None:
    own, without, other = uuid4(), uuid4(), uuid4()
    made = "INSERT INTO threads (id, project_id, workflow, ttl_minutes) VALUES (%s, %s, %s, %s)"
    for thread, workflow, minutes in ((own, "review", 5), (without, "review", None), (other, "another", None)):
        studio.sql(made, thread, project, workflow, minutes)
    db = Database(studio.database_url, pool_size=1)
    try:
        assert await give_ttl(db, ["review"], 60, "keep_latest") == 1
        assert await give_ttl(db, ["review"], 60, "keep_latest") == 0
    finally:
        await db.close()
    rows = studio.sql(
        "SELECT id, ttl_minutes, ttl_strategy, expires_at = updated_at + interval '1 hour' FROM threads WHERE id = ANY(%s)",
        [own, without, other],
    )
    assert {row[0]: row[1:] for row in rows} == {
        own: (5, None, None),
        without: (60, "keep_latest", True),
        other: (None, None, None),
    }


def test_what_cannot_be_honoured_is_said_by_name(studio: Servers) -> None:
    rows = studio.sql("SELECT load_errors, brings FROM workers WHERE stopped_at IS NULL")
    said = {error["source"]: (error["level"], error["message"]) for error in rows[0][0]}
    assert said["langgraph.json"] == ("warning", "'ui': components of a user interface are not served (ignored)")
    assert said["langgraph.json: dependencies"][0] == "warning"
    assert "'no-such-distribution==1.0' is not installed" in said["langgraph.json: dependencies"][1]
    assert said["langgraph.json: missing"][0] == "error"
    assert "no 'no_such_graph'" in said["langgraph.json: missing"][1]
    assert "only Python is run" in said["langgraph.json: web"][1]
    assert set(said) == {"langgraph.json", *(f"langgraph.json: {name}" for name in ("dependencies", "missing", "web"))}
    assert rows[0][1]["auth"] is rows[0][1]["app"] is rows[0][1]["store_index"] is True


async def test_the_catalogue_has_schemas_and_subgraphs(studio: Servers) -> None:
    db = Database(studio.database_url, pool_size=1)
    try:
        catalogue = Catalogue(db)
        supervisor, memory = await catalogue.get("Supervisor"), await catalogue.get("memory")
        assert set(supervisor.state_schema["properties"]) == {"question", "answer", "seen"}
        assert set(supervisor.subgraphs) == {"researcher"}
        assert supervisor.subgraphs["researcher"]["graph_id"] == "Supervisor"
        assert set(supervisor.subgraphs["researcher"]["input_schema"]["properties"]) == {"question", "answer"}
        assert set(memory.context_schema["properties"]) == {"user"}
        assert (await catalogue.get("map_reduce")).description == "Jokes on many subjects at once."
    finally:
        await db.close()


def test_an_agent_with_tools_answers(studio: Servers) -> None:
    job = studio.run("ReactAgent", {"messages": [{"type": "human", "content": "Recife"}]})
    assert job["state"] == "succeeded", job
    assert [message["type"] for message in job["output"]["messages"]] == ["human", "ai", "tool", "ai"]
    assert job["output"]["messages"][-1]["content"] == "You said: sunny in Recife"


def test_a_person_decides_in_the_middle_of_plain_functions(studio: Servers) -> None:
    job = _paused(studio, "review", {"topic": "bees"})
    (asked,) = studio.http.get(f"/jobs/{job['id']}/approvals").json()
    answer = studio.http.post(f"/approvals/{asked['id']}", json={"decision": True})
    assert answer.status_code == 200, answer.text
    ended = studio.ended(UUID(job["id"]))
    assert ended["output"]["log"] == ["written", "asked", "published"]


def test_branches_are_mapped_and_reduced(studio: Servers) -> None:
    job = studio.run("map_reduce", {"subjects": ["hen", "tortoise", "cat"]})
    assert job["state"] == "succeeded", job
    assert len(job["output"]["jokes"]) == 3
    assert "tortoise" in job["output"]["best"]


def test_the_functional_api_runs(studio: Servers) -> None:
    job = studio.run("essay", {"topic": "rain"})
    assert job["output"] == {"essay": "an essay about rain"}


def test_factories_make_a_graph_for_each_run(studio: Servers) -> None:
    assert studio.run("with_nothing")["output"] == {"text": "made"}
    per_run = studio.run("per_run")["output"]
    assert per_run == {"access": "threads.create_run", "open": True, "text": "-"}
    # The environment is the project's, but for what is set outside.
    assert studio.run("with_config")["output"] == {"text": "- bom dia from outside"}


async def test_a_factory_is_told_what_it_is_called_for(studio: Servers, queries: Queries, project: UUID) -> None:
    job = await asyncio.to_thread(studio.run, "per_run")
    asked = {"thread_id": job["thread_id"]}
    state = await queries.ask(project, "state", asked)
    assert state["values"]["access"] == "threads.create_run"
    await queries.ask(project, "update", asked | {"values": {"text": "by hand"}, "as_node": "say"})
    assert (await queries.ask(project, "state", asked))["values"]["text"] == "by hand"
    drawn = await queries.ask(project, "graph", {}, workflow="per_run")
    assert "say" in {node["id"] for node in drawn["nodes"]}


def test_the_long_term_store_is_shared_by_threads_and_searched_by_likeness(studio: Servers) -> None:
    facts = ["a tree on the hill", "fish in the sea", "nothing at all"]
    for fact in facts:
        job = studio.run("memory", {"fact": fact})
        assert job["state"] == "succeeded", job["error"]
    assert job["output"]["recalled"] == ["fish in the sea", "nothing at all", "a tree on the hill"]
    rows = studio.sql("SELECT key, embedding, ttl_minutes, expires_at > now() FROM store_items ORDER BY key")
    assert rows[1] == ("fish in the sea", [2.0, 0.0, pytest.approx(0.1)], 60.0, True)


async def test_the_states_of_subgraphs_can_be_asked_for(studio: Servers, queries: Queries, project: UUID) -> None:
    job = await asyncio.to_thread(_paused, studio, "Supervisor", {"question": "?"})
    asked = {"thread_id": job["thread_id"]}
    flat = await queries.ask(project, "state", asked)
    assert flat["tasks"][0]["state"] is None
    inner = flat["tasks"][0]["checkpoint"]
    assert inner["checkpoint_ns"].startswith("researcher:")
    deep = await queries.ask(project, "state", asked | {"subgraphs": True})
    below = deep["tasks"][0]["state"]
    assert below["next"] == ["look"]
    assert below["interrupts"] == flat["interrupts"]
    alone = await queries.ask(project, "state", asked | {"checkpoint_ns": inner["checkpoint_ns"]})
    assert alone["values"] == below["values"] == {"question": "?"}
    row = studio.sql("SELECT 1 FROM threads WHERE id = %s", job["thread_id"])
    assert row == [(1,)]


async def test_texts_and_items_are_embedded(queries: Queries, project: UUID) -> None:
    assert await queries.ask(project, "embed", {"texts": ["sea", "sea", "land"]}) == [
        [1.0, 0.0, 0.1],
        [1.0, 0.0, 0.1],
        [0.0, 1.0, 0.1],
    ]
    items = [{"value": {"text": "sea"}}, {"value": {"text": "sea"}, "index": False}, {"value": {"no": "text"}}]
    assert await queries.ask(project, "embed", {"items": items}) == [[1.0, 0.0, 0.1], None, None]


async def test_the_projects_auth_handlers_decide(queries: Queries, project: UUID) -> None:
    request = {"method": "GET", "path": "/threads", "headers": {"Authorization": "Bearer sesame", "X-Via": "test"}}
    user = await queries.ask(project, "authenticate", request)
    assert (user["identity"], user["permissions"], user["asked"]) == ("ana", ["threads:read"], "GET /threads")
    assert user["via"] == "test"
    with pytest.raises(Unauthorized, match="say the word") as refused:
        await queries.ask(project, "authenticate", {**request, "headers": {}})
    assert refused.value.details["headers"] == {"X-Asked": "word"}

    async def may(resource: str, action: str, value: dict[str, Any]) -> Any:
        asked = {"resource": resource, "action": action, "value": value, "user": user}
        return await queries.ask(project, "authorize", asked)

    assert await may("threads", "search", {}) == {"filters": {"owner": "ana"}, "value": {}}
    assert await may("threads", "create", {}) == {"filters": None, "value": {"metadata": {"owner": "ana"}}}
    assert (await may("store", "put", {"namespace": ["a"]}))["value"] == {"namespace": ["ana", "a"]}
    with pytest.raises(Forbidden):
        await may("assistants", "create", {})


def test_routes_of_the_projects_own_are_served_through_the_api(studio: Servers) -> None:
    studio.until(lambda: studio.sql("SELECT 1 FROM workers WHERE app_url IS NOT NULL"), "its routes are served")
    with httpx.Client(base_url=studio.url, trust_env=False, headers={"X-Api-Key": studio.key}) as http:
        # What is not there is remembered for a moment.
        studio.until(lambda: http.get("/studio/hello/ana").status_code == 200, "the API knows of them")
        answer = http.get("/studio/hello/ana%20b", params={"x": "1 2"})
        assert answer.json() == {"hello": "ana b", "query": {"x": "1 2"}}
        assert answer.headers["x-request-id"]
        echo = http.post("/studio/echo", content=iter([b"one ", b"two"]), headers={"X-Kind": "stream"})
        assert (echo.status_code, echo.text, echo.headers["x-kind"]) == (201, "one two ", "stream")
        keyed = http.post("/studio/echo", headers={"X-Kind": studio.key})
        assert keyed.headers["x-kind"] == "-"  # keys of the platform stay with it
        assert http.get("/studio/none").status_code == 404
        assert studio.http.get("/none").json()["code"] == "not_found"
        assert http.get("/livez").json()
        for headers in ({"Authorization": f"bearer {studio.key}"}, {"Authorization": f"Bearer  {studio.key}"}):
            assert studio.key not in httpx.get(f"{studio.url}/studio/headers", headers=headers, trust_env=False).text
        shown = http.get("/studio/headers", headers={"Authorization": "Basic abc"}).json()
        assert (shown["authorization"], "x-api-key" in shown) == ("Basic abc", False)


@pytest.mark.parametrize(
    "path", ["/studio/headers", "/x/../studio/headers", "/x/%2e%2e/studio/headers", "/x/..%2fstudio/headers",
             "//studio/headers", "/livez/../studio/headers", "/docs/..%5cstudio/headers", "/docs/x"],
)  # fmt: skip
def test_routes_of_the_projects_own_need_a_key(studio: Servers, path: str) -> None:
    with httpx.Client(base_url=studio.url, trust_env=False) as http:
        studio.until(lambda: http.get("/studio/public").status_code == 200, "one of them is public by a setting")
    with socket.create_connection(("127.0.0.1", studio.port), 20) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split(b" ")[1] in (b"401", b"404"), answer


async def test_the_sdk_drives_an_agent_a_review_and_a_factory(sdk: LangGraphClient) -> None:
    talk = await sdk.threads.create()
    said: Any = {"messages": [{"role": "user", "content": "Recife"}]}
    answer: Any = await sdk.runs.wait(talk["thread_id"], "ReactAgent", input=said)
    assert [message["type"] for message in answer["messages"]] == ["human", "ai", "tool", "ai"]
    again: Any = await sdk.runs.wait(talk["thread_id"], "ReactAgent", input=said)
    assert len(again["messages"]) == 8
    state = await sdk.threads.get_state(talk["thread_id"])
    assert state["values"] == again == (await sdk.threads.get(talk["thread_id"]))["values"]

    review = (await sdk.threads.create())["thread_id"]
    stopped: Any = await sdk.runs.wait(review, "review", input={"topic": "bees"})
    assert stopped["__interrupt__"][0]["value"] == {"draft": "All about bees"}
    assert (await sdk.threads.get(review))["status"] == "interrupted"
    await sdk.threads.update_state(review, {"draft": "patched"})
    ended: Any = await sdk.runs.wait(review, "review", command={"resume": True})
    assert (ended["draft"], ended["log"]) == ("patched", ["written", "asked", "published"])
    history = await sdk.threads.get_history(review, limit=20)
    assert [entry["metadata"]["source"] for entry in history if entry["metadata"]] == [
        "loop", "loop", "update", "loop", "loop", "input",
    ]  # fmt: skip
    made: Any = await sdk.runs.wait(None, "with_config", input={}, config={"configurable": {"word": "olá"}})
    assert made == {"text": "olá bom dia from outside"}


async def test_the_sdk_sees_subgraphs_and_the_store_of_graphs(sdk: LangGraphClient) -> None:
    thread = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread, "Supervisor", input={"question": "?"})
    deep: Any = await sdk.threads.get_state(thread, subgraphs=True)
    assert deep["tasks"][0]["state"]["next"] == ["look"]
    ended: Any = await sdk.runs.wait(thread, "Supervisor", command={"resume": "42"})
    assert ended["answer"] == "?: 42"
    schemas: Any = await sdk.assistants.get_subgraphs("Supervisor", recurse=True)
    assert set(schemas["researcher"]["input_schema"]["properties"]) == {"question", "answer"}

    await sdk.store.put_item(["facts"], "by the API", {"text": "many a wave in the sea"})
    await sdk.runs.wait(None, "memory", input={"fact": "a hill"}, context={"user": "ana"})
    found = await sdk.store.search_items(("facts",), query="wave", limit=20)
    assert found["items"][0]["key"] in ("by the API", "fish in the sea")
    assert found["items"][-1]["key"] in ("a hill", "a tree on the hill")


async def test_a_reducer_that_burns_the_processor_hurts_only_its_own_question(
    studio: Servers, queries: Queries, project: UUID
) -> None:
    job = await asyncio.to_thread(studio.run, "burns", {"n": 1})
    asked = {"thread_id": job["thread_id"]}
    burning = asyncio.create_task(queries.ask(project, "update", asked | {"values": {"n": 666}, "as_node": "one"}))
    with pytest.raises(Unavailable, match="kept its loop"):
        await burning
    assert (await queries.ask(project, "state", asked))["values"] == {"n": 2}
    with pytest.raises(NotFound):
        await queries.ask(project, "state", {"thread_id": str(uuid4())})
    assert issubclass(Unavailable, MutiraoError)
