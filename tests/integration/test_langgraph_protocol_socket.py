"""The thread protocol over a WebSocket: commands go up, answers and events come down in one order."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from mutirao.api.langgraph.protocol_events import Agents
from mutirao.jobs.records import Claim, NewEvent
from mutirao.jobs.states import JobState
from mutirao.jobs.thread_journal import ThreadEvent, ThreadJournal
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.driven import Driven

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

Message = dict[str, Any]


class Line:
    """One connection to a thread."""

    def __init__(self, driven: Driven, connection: ClientConnection) -> None:
        self.driven = driven
        self.connection = connection
        self._number = 0

    async def send(self, method: str, **params: Any) -> int:
        self._number += 1
        await self.connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        return self._number

    async def heard(self) -> Message:
        found: Message = json.loads(await self.connection.recv())
        return found

    async def until(self, last: Callable[[Message], bool]) -> list[Message]:
        found = [await self.heard()]
        while not last(found[-1]):
            found.append(await self.heard())
        return found

    async def command(self, method: str, **params: Any) -> Message:
        """A command's answer, when nothing else may come before it."""
        number = await self.send(method, **params)
        answer = await self.heard()
        assert answer["id"] == number, answer
        return answer

    async def claim(self) -> Claim:
        """A new run whose attempt has begun."""
        answer = await self.command("run.start", assistant_id=self.driven.workflow, input={"n": 1})
        assert answer["type"] == "success", answer
        return await self.driven.claim(UUID(answer["result"]["run_id"]))

    async def finish(self, claim: Claim, *values: Any) -> None:
        events = [
            NewEvent(type="stream.protocol", data={"method": "values", "namespace": [], "data": value})
            for value in values
        ]
        await self.driven.stores.claims.finish(claim, JobState.SUCCEEDED, output={}, events=events)


def address(driven: Driven, thread: str, path: str = "stream/events") -> str:
    return f"ws://127.0.0.1:{driven.servers.port}/threads/{thread}/{path}"


@pytest.fixture
async def line(driven: Driven) -> AsyncIterator[Line]:
    headers = {"X-Api-Key": driven.servers.key}
    async with connect(address(driven, str(uuid4())), additional_headers=headers, proxy=None) as connection:
        yield Line(driven, connection)


def done(message: Message) -> bool:
    return message.get("method") == "lifecycle" and message["params"]["data"]["event"] == "completed"


async def test_a_subscription_is_answered_before_its_events_come(line: Line) -> None:
    claim = await line.claim()
    number = await line.send("subscription.subscribe", channels=["values", "lifecycle"])
    await line.finish(claim, {"n": 1})
    [answer, *events] = await line.until(done)
    assert (answer["type"], answer["id"]) == ("success", number)
    assert answer["result"]["subscription_id"]
    assert [event["params"]["data"].get("event") or event["params"]["data"] for event in events] == [
        "running",
        {"n": 1},
        "completed",
    ]


async def test_subscriptions_are_told_apart_from_each_other(line: Line) -> None:
    kept = await line.command("subscription.subscribe", channels=["lifecycle"])
    gone = await line.command("subscription.subscribe", channels=["values"])
    name = gone["result"]["subscription_id"]
    assert (await line.command("subscription.unsubscribe", subscription_id=name))["type"] == "success"
    assert (await line.command("subscription.unsubscribe", subscription_id=name))["error"] == "no_such_subscription"
    claim = await line.claim()
    await line.finish(claim, {"n": 1})
    assert {event["method"] for event in await line.until(done)} == {"lifecycle"}
    assert kept["result"]["subscription_id"] != name


async def test_subscriptions_can_be_told_again_from_an_event_on(line: Line) -> None:
    claim = await line.claim()
    await line.finish(claim, {"n": 1}, {"n": 2})
    subscribed = await line.command("subscription.subscribe", channels=["values", "lifecycle"])
    events = await line.until(done)
    name = subscribed["result"]["subscription_id"]
    answer = await line.command(
        "subscription.reconnect",
        run_id=str(claim.job_id),
        last_event_id=events[1]["event_id"],
        subscriptions=[name, "another"],
    )
    assert answer["result"]["restored"] is False
    assert answer["result"]["missed_events"] == len(events) - 2
    assert answer["result"]["current_namespaces"] == [{"namespace": [], "status": "completed"}]
    assert await line.until(done) == events[2:]
    refused = await line.command("subscription.reconnect", run_id=str(uuid4()))
    assert refused["error"] == "no_such_run"
    journal = ThreadJournal(line.driven.stores.db)
    project, job = line.driven.stores.project, claim.job_id
    outlines = await journal.after(project, claim.thread_id, -1, job_id=job, outlines=True)
    whole = await journal.after(project, claim.thread_id, -1, job_id=job)
    assert [event.seq for event in outlines] == [event.seq for event in whole]
    assert [event.data["data"] for event in outlines if event.type == "stream.protocol"] == [None, None]


def test_a_run_has_so_many_agents_and_no_more() -> None:
    agents = Agents("g")
    data = {"method": "lifecycle", "data": {"event": "started"}}
    more = [
        agents.add(ThreadEvent.model_construct(type="stream.protocol", data=data | {"namespace": [f"{n}:{'x' * 500}"]}))
        for n in range(3_000)
    ]
    assert more[0]
    assert not more[-1]


async def test_what_is_no_command_is_answered_all_the_same(line: Line) -> None:
    for text in ("{", "[]", '{"id": "one", "method": "x"}', json.dumps({"channels": ["values"]})):
        await line.connection.send(text)
        answer = await line.heard()
        assert (answer["type"], answer["id"], answer["error"]) == ("error", None, "invalid_argument")
    assert (await line.command("subscription.subscribe", channels=["nothing"]))["error"] == "invalid_argument"
    assert (await line.command("nothing"))["error"] == "unknown_command"


@pytest.mark.parametrize(("key", "thread", "status"), [("", None, 401), ("mk_no.key", None, 401), ("own", "x", 422)])
async def test_who_may_not_connect_is_told_why(driven: Driven, key: str, thread: str | None, status: int) -> None:
    headers = {"X-Api-Key": driven.servers.key if key == "own" else key}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address(driven, thread or str(uuid4()), "stream"), additional_headers=headers, proxy=None):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["detail"]


async def test_a_key_that_may_only_read_begins_nothing(driven: Driven) -> None:
    made = await driven.call("POST", "/keys", json={"name": "reader", "scopes": ["read"]})
    thread, headers = str(uuid4()), {"X-Api-Key": made.json()["key"]}
    async with connect(address(driven, thread), additional_headers=headers, proxy=None) as connection:
        line = Line(driven, connection)
        assert (await line.command("subscription.subscribe", channels=["values"]))["type"] == "success"
        refused = await line.command("run.start", assistant_id=driven.workflow, input={"n": 1})
        assert (refused["type"], refused["error"]) == ("error", "permission_denied")
