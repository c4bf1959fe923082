"""The long-term store by langgraph-sdk."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers.url, api_key=servers.key) as found:
        yield found


@pytest.fixture
def place() -> list[str]:
    return ["notes", uuid4().hex]


def minutes_left(servers: Servers, place: list[str], key: str) -> float:
    sql = "SELECT extract(epoch FROM expires_at - now()) / 60 FROM store_items WHERE namespace = %s AND key = %s"
    return float(servers.sql(sql, place, key)[0][0])


async def test_put_get_and_delete(client: LangGraphClient, place: list[str]) -> None:
    await client.store.put_item(place, key="a", value={"n": 1})
    first = await client.store.get_item(place, key="a")
    assert (first["namespace"], first["key"], first["value"]) == (place, "a", {"n": 1})
    assert first["created_at"] == first["updated_at"]
    await client.store.put_item(place, key="a", value={"n": 2})
    second = await client.store.get_item(place, key="a")
    assert (second["value"], second["created_at"]) == ({"n": 2}, first["created_at"])
    assert second["updated_at"] > first["updated_at"]
    await client.store.delete_item(place, key="a")
    await client.store.delete_item(place, key="a")
    assert await client.store.get_item(place, key="a") is None


async def test_items_are_found_below_a_namespace_by_what_they_say(client: LangGraphClient, place: list[str]) -> None:
    for key, value in (
        ("a", {"kind": "note", "stars": 3, "by": {"name": "ana", "age": 40}}),
        ("b", {"kind": "note", "stars": 5}),
        ("c", {"kind": "letter", "stars": None}),
    ):
        await client.store.put_item([*place, key], key=key, value=value)

    async def found(filter: Any = None, **search: Any) -> list[str]:  # noqa: A002 (as the SDK's)
        return [item["key"] for item in (await client.store.search_items(place, filter=filter, **search))["items"]]

    assert await found() == ["c", "b", "a"]
    assert await found(limit=1, offset=1) == ["b"]
    assert await found({"kind": "note"}) == ["b", "a"]
    assert await found({"kind": "note", "stars": {"$gt": 3}}) == ["b"]
    assert await found({"stars": {"$gte": 3, "$lt": 5}}) == ["a"]
    assert await found({"kind": {"$ne": "note"}}) == ["c"]
    assert await found({"kind": {"$eq": "letter"}}) == ["c"]
    assert await found({"by": {"name": "ana"}}) == ["a"]
    assert await found({"stars": None}) == ["c"]
    assert await found(query="a note") == ["c", "b", "a"]
    assert (await client.store.search_items([*place, "a"]))["items"][0]["score"] is None
    assert (await client.store.search_items([place[1]]))["items"] == []
    with pytest.raises(BadRequestError, match="like"):
        await found({"kind": {"$like": "note"}})


async def test_namespaces(client: LangGraphClient, place: list[str]) -> None:
    for below in (["a", "x"], ["a", "y"], ["b", "x", "deep"]):
        await client.store.put_item([*place, *below], key="k", value={})

    async def found(**search: Any) -> list[list[str]]:
        namespaces = (await client.store.list_namespaces(prefix=search.pop("prefix", place), **search))["namespaces"]
        return [namespace[2:] for namespace in namespaces]

    assert await found() == [["a", "x"], ["a", "y"], ["b", "x", "deep"]]
    assert await found(max_depth=3) == [["a"], ["b"]]
    assert await found(suffix=["x"]) == [["a", "x"]]
    assert await found(prefix=[*place, "*", "x"]) == [["a", "x"], ["b", "x", "deep"]]
    assert await found(limit=1, offset=1) == [["a", "y"]]


async def test_items_live_as_long_as_they_are_asked_to(
    client: LangGraphClient, servers: Servers, place: list[str]
) -> None:
    await client.store.put_item(place, key="a", value={"n": 1}, ttl=10)
    servers.sql("UPDATE store_items SET expires_at = now() + interval '1 minute' WHERE namespace = %s", place)
    assert await client.store.get_item(place, key="a", refresh_ttl=False) is not None
    assert len((await client.store.search_items(place, refresh_ttl=False))["items"]) == 1
    assert minutes_left(servers, place, "a") < 1
    assert await client.store.get_item(place, key="a") is not None
    assert minutes_left(servers, place, "a") > 9
    servers.sql("UPDATE store_items SET expires_at = now() + interval '1 minute' WHERE namespace = %s", place)
    assert len((await client.store.search_items(place))["items"]) == 1
    assert minutes_left(servers, place, "a") > 9
    servers.sql("UPDATE store_items SET expires_at = now() WHERE namespace = %s", place)
    assert await client.store.get_item(place, key="a") is None
    assert (await client.store.search_items(place))["items"] == []
    assert (await client.store.list_namespaces(prefix=place))["namespaces"] == []
    await client.store.put_item(place, key="a", value={"n": 2})
    again = await client.store.get_item(place, key="a")
    assert again["created_at"] == again["updated_at"]


def test_what_is_refused(servers: Servers, place: list[str]) -> None:
    headers = {"X-Api-Key": servers.key}
    with httpx.Client(base_url=servers.url, headers=headers, trust_env=False) as http:
        for body, status, says in (
            ({"namespace": [], "key": "k", "value": {}}, 400, "empty"),
            ({"namespace": ["a.b"], "key": "k", "value": {}}, 422, "a.b"),
            ({"namespace": ["langgraph"], "key": "k", "value": {}}, 400, "langgraph"),
            ({"namespace": place, "key": "", "value": {}}, 422, "key"),
            ({"namespace": place, "key": "k", "value": [1]}, 422, "/value"),
            ({"namespace": place, "key": "k", "value": {}, "ttl": -1}, 422, "/ttl"),
        ):
            answer = http.put("/store/items", json=body)
            assert (answer.status_code, set(answer.json())) == (status, {"detail"}), body
            assert says in answer.json()["detail"]
        for wanted in (
            {f"k{n}": 1 for n in range(101)},
            {"k": {"$eq": [0] * 101}},
            {f"k{n}": 1 for n in range(120_000)},
        ):
            refused = http.post("/store/items/search", json={"filter": wanted})
            assert (refused.status_code, "MUTIRAO_MAX_FILTER_CONDITIONS" in refused.text) == (422, True)
        for path, filters in (
            ("/threads/search", "metadata"), ("/threads/search", "values"), ("/threads/count", "values"),
            ("/runs/search", "metadata"), ("/runs/crons/search", "metadata"), ("/assistants/search", "metadata"),
        ):  # fmt: skip
            deep: Any = 1
            for _ in range(20):
                deep = {"k": deep}
            assert http.post(path, json={filters: deep}).status_code == 422, path
            assert http.post(path, json={filters: {f"k{n}": 1 for n in range(101)}}).status_code == 422, path
        assert http.post("/threads/search", json={"select": ["thread_id"] * 101}).status_code == 422


def test_the_same_with_the_sync_client(servers: Servers, place: list[str], stranger: httpx.Client) -> None:
    with get_sync_client(url=servers.url, api_key=servers.key) as client:
        client.store.put_item(place, key="a", value={"n": 1}, index=False)
        assert client.store.get_item(place, key="a")["value"] == {"n": 1}
        assert [item["key"] for item in client.store.search_items(place, filter={"n": 1})["items"]] == ["a"]
        assert place in client.store.list_namespaces(prefix=place)["namespaces"]
        theirs = stranger.get(f"{servers.url}/store/items", params={"namespace": ".".join(place), "key": "a"})
        assert (theirs.status_code, theirs.json()) == (200, None)
        client.store.delete_item(place, key="a")
        assert client.store.get_item(place, key="a") is None
