"""The thread protocol by hand: a thread's events are told whole, in one order, however often they are read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from mutirao.ids import new_id
from mutirao.jobs.approvals import Question
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.driven import Driven

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SECONDS = 20
EVERYTHING = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"]


class Thread:
    """A thread of the protocol, seen by a client that knows nothing but HTTP."""

    def __init__(self, driven: Driven) -> None:
        self.driven = driven
        self.id = str(uuid4())
        self.http = httpx.AsyncClient(
            base_url=driven.servers.url,
            headers={"X-Api-Key": driven.servers.key},
            timeout=SECONDS,
            trust_env=False,
        )

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.http.post(
            f"/threads/{self.id}/commands", json={"id": 7, "method": method, "params": params}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert found["id"] == 7
        return found

    async def begin(self, given: Any = None, **params: Any) -> dict[str, Any]:
        """A new run."""
        params = {"assistant_id": self.driven.workflow, "input": given or {"n": 1}, **params}
        found = await self.command("run.start", **params)
        assert found["type"] == "success", found
        return found

    async def claim(self, given: Any = None, **params: Any) -> Claim:
        """A new run whose attempt has begun."""
        started = await self.begin(given, **params)
        return await self.driven.claim(UUID(started["result"]["run_id"]))

    @contextlib.asynccontextmanager
    async def following(
        self, path: str = "stream/events", **wanted: Any
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        body = {"channels": EVERYTHING, **wanted}
        async with self.http.stream("POST", f"/threads/{self.id}/{path}", json=body) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            yield events_of(answer)

    async def read(self, last: Callable[[dict[str, Any]], bool], **wanted: Any) -> list[dict[str, Any]]:
        """What a stream tells, up to the first event that is `last`."""
        async with self.following(**wanted) as events:
            return await until(events, last)


async def events_of(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    frame: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            frame[name] = value
        elif frame.get("data"):
            event = json.loads(frame["data"])
            assert frame["id"] == event["event_id"]
            assert frame["event"] == event["method"]
            frame = {}
            yield event


async def until(events: AsyncIterator[dict[str, Any]], last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    found = []
    async with asyncio.timeout(SECONDS):
        async for event in events:
            found.append(event)
            if last(event):
                return found
    raise AssertionError(f"the stream has ended: {found}")


def status(event: dict[str, Any]) -> str | None:
    """Of the outermost graph, when this event tells it."""
    if event["method"] == "lifecycle" and not event["params"]["namespace"]:
        return str(event["params"]["data"]["event"])
    return None


def over(event: dict[str, Any]) -> bool:
    return status(event) in ("completed", "failed", "interrupted")


def told(*values: Any, namespace: tuple[str, ...] = (), method: str = "values") -> list[NewEvent]:
    """Events as a worker writes them."""
    return [
        NewEvent(type="stream.protocol", data={"method": method, "namespace": list(namespace), "data": value})
        for value in values
    ]


@pytest.fixture
async def thread(driven: Driven) -> AsyncIterator[Thread]:
    made = Thread(driven)
    try:
        yield made
    finally:
        await made.http.aclose()


async def write(thread: Thread, claim: Claim, *events: NewEvent) -> None:
    await thread.driven.stores.claims.append([(claim, event) for event in events])


async def finish(thread: Thread, claim: Claim, *events: NewEvent) -> None:
    await thread.driven.stores.claims.finish(claim, JobState.SUCCEEDED, output={}, events=events)


async def ask(thread: Thread, claim: Claim, request: Any) -> str:
    """Pause the run for a question; the id of its interrupt."""
    question = Question(id=new_id(), interrupt_id=uuid4().hex, step="ask", request=request)
    event = NewEvent(type="approval.requested", data={"id": str(question.id), "request": request})

    async def also(connection: AsyncConnection) -> None:
        await thread.driven.approvals.open(connection, claim, [question])

    await thread.driven.stores.claims.hold(claim, JobState.PAUSED, "approval", events=[event], also=also)
    return question.interrupt_id


async def test_a_run_is_told_from_its_beginning_to_its_end(thread: Thread) -> None:
    claim = await thread.claim()
    assert claim.run is not None
    assert claim.run.stream.protocol
    assert claim.run.stream.live
    async with thread.following() as events:
        await write(thread, claim, *told({"n": 1}, {"n": 2}))
        first = await until(events, lambda event: event["params"]["data"] == {"n": 2})
        await finish(thread, claim, *told({"n": 3}))
        found = first + await until(events, over)
    assert [status(event) or event["params"]["data"]["n"] for event in found] == ["running", 1, 2, 3, "completed"]
    assert [event["seq"] for event in found] == sorted({event["seq"] for event in found})
    assert found[-1]["params"]["data"]["graph_name"] == thread.driven.workflow


async def test_events_are_numbered_the_same_whenever_they_are_read(thread: Thread) -> None:
    for last in range(3):
        claim = await thread.claim()
        await finish(thread, claim, *told({"n": last}, {"last": last}))
    whole = await thread.read(lambda event: event["params"]["data"] == {"last": 2}, since=0)
    assert [event["params"]["data"]["n"] for event in whole if "n" in event["params"]["data"]] == [0, 1, 2]
    assert len({event["event_id"] for event in whole}) == len(whole)
    for seen in range(0, len(whole) - 1, 3):
        rest = await thread.read(lambda event: event["params"]["data"] == {"last": 2}, since=whole[seen]["seq"])
        assert rest == whole[seen + 1 :]


async def test_a_stream_goes_on_with_the_next_run(thread: Thread) -> None:
    async with thread.following() as events:  # of a thread that is not there yet
        for n in range(2):
            claim = await thread.claim()
            await finish(thread, claim, *told({"n": n}))
            found = await until(events, over)
            assert [status(event) or event["params"]["data"]["n"] for event in found] == ["running", n, "completed"]


async def test_what_run_start_answers_is_where_its_run_begins(thread: Thread) -> None:
    await finish(thread, await thread.claim(), *told({"run": 1}))
    started = await thread.begin()
    claim = await thread.driven.claim(UUID(started["result"]["run_id"]))
    await finish(thread, claim, *told({"run": 2}))
    found = await thread.read(over, since=started["meta"]["applied_through_seq"])
    assert [status(event) or event["params"]["data"]["run"] for event in found] == ["running", 2, "completed"]


async def test_a_stream_that_begins_anywhere_takes_the_run_that_was_just_asked_for(thread: Thread) -> None:
    await finish(thread, await thread.claim(), *told({"run": 1}))
    async with thread.following(channels=["lifecycle", "values"]) as events:
        claim = await thread.claim()
        await finish(thread, claim, *told({"run": 2}))
        found = await until(events, over)
    assert [status(event) or event["params"]["data"]["run"] for event in found] == ["running", 2, "completed"]


async def test_only_what_was_asked_for_is_told(thread: Thread) -> None:
    claim = await thread.claim()
    child = ("agent:1",)
    events = [
        *told({"root": 1}),
        *told({"child": 1}, namespace=child),
        *told({"deep": 1}, namespace=(*child, "tool:2")),
        *told({"name": "progress", "n": 1}, {"name": "other", "n": 2}, method="custom"),
    ]
    await finish(thread, claim, *events)

    async def data(**wanted: Any) -> list[Any]:
        wanted["channels"] = [*wanted["channels"], "lifecycle"]
        found = await thread.read(over, since=0, **wanted)
        return [event["params"]["data"] for event in found if event["method"] != "lifecycle"]

    assert await data(channels=["values"]) == [{"root": 1}, {"child": 1}, {"deep": 1}]
    assert await data(channels=["values"], namespaces=[[]], depth=0) == [{"root": 1}]
    assert await data(channels=["values"], namespaces=[[]], depth=1) == [{"root": 1}, {"child": 1}]
    assert await data(channels=["custom:progress"]) == [{"name": "progress", "n": 1}]
    assert len(await data(channels=["custom"])) == 2
    named = await thread.read(
        lambda event: "deep" in event["params"]["data"], since=0, channels=["values"], namespaces=[["agent"]]
    )
    assert [event["params"]["data"] for event in named] == [{"child": 1}, {"deep": 1}]


async def test_a_failure_says_why(thread: Thread) -> None:
    claim = await thread.claim()
    problem = Problem(code="step_failed", message="no good", kind="ValueError")
    await thread.driven.stores.claims.finish(claim, JobState.FAILED, error=problem)
    last = (await thread.read(over))[-1]["params"]["data"]
    assert (last["event"], last["error"]) == ("failed", "ValueError: no good")


async def test_a_run_that_nobody_has_begun_ends_for_its_readers_too(thread: Thread) -> None:
    started = await thread.begin()
    async with thread.following() as events:
        job = started["result"]["run_id"]
        assert (await thread.driven.call("POST", f"/jobs/{job}/cancel")).is_success
        [last] = await until(events, over)
    assert last["params"]["data"]["event"] == "failed"


async def test_a_question_is_answered_by_its_id(thread: Thread) -> None:
    claim = await thread.claim()
    interrupt = await ask(thread, claim, {"sure": True})
    found = await thread.read(over)
    [asked] = [event for event in found if event["method"] == "input.requested"]
    assert asked["params"]["data"] == {"interrupt_id": interrupt, "payload": {"sure": True}, "value": {"sure": True}}
    assert status(found[-1]) == "interrupted"
    refused = await thread.command("input.respond", namespace=[], interrupt_id="nobody", response=1)
    assert (refused["type"], refused["error"]) == ("error", "no_such_interrupt")
    answered = await thread.command("input.respond", namespace=[], interrupt_id=interrupt, response="yes")
    assert answered["type"] == "success", answered
    again = await thread.driven.claim(UUID(answered["result"]["run_id"]))
    assert again.run is not None
    assert again.run.command == {"resume": {interrupt: "yes"}}
    assert (await thread.driven.stores.jobs.get(claim.project_id, claim.job_id)).state is JobState.SUCCEEDED
    await finish(thread, again)
    statuses = [status(event) for event in await thread.read(lambda event: status(event) == "completed", since=0)]
    assert [found for found in statuses if found] == ["running", "interrupted", "running", "completed"]


async def test_an_input_to_a_thread_that_waits_is_the_answer(thread: Thread) -> None:
    await ask(thread, await thread.claim(), "sure?")
    claim = await thread.claim("yes")
    assert claim.run is not None
    assert (claim.input, claim.run.command) == (None, {"resume": "yes"})


async def test_a_run_begins_at_the_checkpoint_that_its_config_names(thread: Thread) -> None:
    config = {"tags": ["a"], "configurable": {"checkpoint_id": "1ef", "tone": "dry"}}
    claim = await thread.claim(config=config)
    assert claim.run is not None
    assert claim.run.checkpoint == {"checkpoint_id": "1ef"}
    assert claim.run.config == {"tags": ["a"], "configurable": {"tone": "dry"}}


async def test_a_message_can_be_put_into_a_thread(thread: Thread) -> None:
    await finish(thread, await thread.claim())
    message = {"role": "user", "content": "and now?"}
    answered = await thread.command("input.inject", namespace=[], message=message)
    assert answered["type"] == "success", answered
    assert (await thread.driven.claim(UUID(answered["result"]["run_id"]))).input == {"messages": [message]}


async def test_the_tree_has_the_agents_of_a_run(thread: Thread) -> None:
    claim = await thread.claim()
    started = {"event": "started", "graph_name": "researcher"}
    await finish(thread, claim, *told(started, namespace=("tools:1",), method="lifecycle"))
    found = (await thread.command("agent.getTree"))["result"]["tree"]
    assert (found["namespace"], found["status"], found["graph_name"]) == ([], "completed", thread.driven.workflow)
    assert found["children"] == [{"namespace": ["tools:1"], "status": "started", "graph_name": "researcher"}]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("run.begin", {}, "unknown_command"),
        ("run.start", {}, "invalid_argument"),
        ("run.start", {"assistant_id": "nothing-of-that-name"}, "invalid_argument"),
        ("run.start", {"assistant_id": "x", "config": 3}, "invalid_argument"),
        ("input.respond", {"interrupt_id": "x", "response": 1}, "no_such_run"),
        ("input.inject", {"namespace": ["a"], "message": {"role": "user", "content": "x"}}, "not_supported"),
        ("agent.getTree", {}, "no_such_run"),
        ("agent.getTree", {"run_id": str(uuid4())}, "no_such_run"),
        ("state.get", {"namespace": []}, "no_such_run"),
        ("state.listCheckpoints", {}, "no_such_run"),
        ("state.fork", {"checkpoint_id": "1ef"}, "no_such_run"),
        ("subscription.subscribe", {"channels": ["values"]}, "not_supported"),
        ("subscription.unsubscribe", {"subscription_id": "x"}, "not_supported"),
        ("subscription.reconnect", {"run_id": "x"}, "not_supported"),
    ],
)
async def test_a_command_that_is_refused_says_why(
    thread: Thread, method: str, params: dict[str, Any], error: str
) -> None:
    found = await thread.command(method, **params)
    assert (found["type"], found["error"]) == ("error", error), found
    assert found["message"]


async def test_a_checkpoint_that_is_not_there_cannot_be_gone_on_from(thread: Thread) -> None:
    await finish(thread, await thread.claim())
    assert (await thread.command("state.fork", checkpoint_id="1ef"))["error"] == "no_such_checkpoint"


async def test_what_is_no_request_is_refused(thread: Thread) -> None:
    for path, body in [
        ("commands", {"method": "run.start"}),
        ("commands", {"id": -1, "method": "run.start"}),
        ("stream/events", {}),
        ("stream/events", {"channels": []}),
        ("stream/events", {"channels": ["nothing"]}),
        ("stream", {"channels": ["values"], "depth": -1}),
    ]:
        answer = await thread.http.post(f"/threads/{thread.id}/{path}", json=body)
        assert answer.status_code == 422, (path, body)
        assert answer.json()["detail"]


async def test_another_project_sees_nothing_of_a_thread(thread: Thread) -> None:
    claim = await thread.claim()
    await finish(thread, claim, *told({"secret": 1}))
    with await thread.driven.stranger() as stranger:
        key = stranger.headers["Authorization"].removeprefix("Bearer ")
        other = Thread(thread.driven)
        other.id = thread.id
        other.http.headers["X-Api-Key"] = key
        nobody = Thread(thread.driven)
        unknown = await nobody.command("state.get")
        await nobody.http.aclose()
        assert (await other.command("agent.getTree"))["error"] == "no_such_run"
        assert (await other.command("state.get"))["error"] == unknown["error"]
        assert (await other.command("run.start", assistant_id=thread.driven.workflow))["type"] == "error"
        run = {"assistant_id": thread.driven.workflow, "if_not_exists": "create"}
        assert (await other.http.post(f"/threads/{thread.id}/runs", json=run)).status_code == 404
        async with other.following(since=-1, path="stream") as events:
            heard = asyncio.ensure_future(anext(events))
            await thread.read(over, since=0)
            assert not heard.done()
            heard.cancel()
            await asyncio.gather(heard, return_exceptions=True)
        await other.http.aclose()
