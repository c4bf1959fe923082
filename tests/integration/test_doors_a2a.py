"""The reference client of A2A against the door, in both versions of the protocol: card, send, stream, get, cancel, answer."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError, AgentCardResolutionError
from a2a.helpers import (
    get_artifact_text,
    get_data_parts,
    get_message_text,
    get_text_parts,
    new_data_part,
    new_text_message,
)
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import InvalidParamsError, TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import MessageToDict

from tests.servers import Servers

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

ASK = "bees live in hives"
HEARD = "You said: bees live in hives"


@pytest.fixture(params=["1.0", "0.3"])
def version(request: pytest.FixtureRequest) -> str:
    """What the client speaks: a card says both, and the newer one is taken unless it says one only."""
    found: str = request.param
    return found


@asynccontextmanager
async def agent(
    servers: Servers, name: str, version: str = "1.0", *, key: str | None = None, streaming: bool = False
) -> AsyncIterator[Client]:
    headers = {"X-Api-Key": key or servers.key}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as http:
        card = await A2ACardResolver(http, f"{servers.url}/a2a/{name}").get_agent_card()
        for interface in [one for one in card.supported_interfaces if one.protocol_version != version]:
            card.supported_interfaces.remove(interface)
        yield ClientFactory(ClientConfig(streaming=streaming, httpx_client=http)).create(card)


def message(text: str, task: Task | None = None, **configuration: Any) -> SendMessageRequest:
    said = new_text_message(text)
    said.role = Message(role="ROLE_USER").role
    if task is not None:
        said.task_id, said.context_id = task.id, task.context_id
    return SendMessageRequest(message=said, configuration=SendMessageConfiguration(**configuration))


async def sent(client: Client, request: SendMessageRequest) -> Task:
    parts = [part async for part in client.send_message(request)]
    assert len(parts) == 1
    return parts[0].task


def state(task: Task) -> str:
    return TaskState.Name(task.status.state).removeprefix("TASK_STATE_")


def written(parts: Iterable[StreamResponse]) -> str:
    """The artifact as a client puts it together."""
    text = ""
    for update in [part.artifact_update for part in parts if part.HasField("artifact_update")]:
        piece = get_artifact_text(update.artifact)
        text = text + piece if update.append else piece
    return text


def call(servers: Servers, method: str, params: Any = None, *, name: str = "echo_chat", **more: Any) -> httpx.Response:
    """A call as it is on the wire."""
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {} if params is None else params, **more}
    return servers.http.post(f"{servers.url}/a2a/{name}", json=body)


def said(*parts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "message": {"role": "user", "messageId": "m", "parts": list(parts or [{"kind": "text", "text": ASK}]), **more}
    }


async def test_a_card_says_what_the_agent_is_and_how_it_is_called(servers: Servers) -> None:
    headers = {"X-Api-Key": servers.key}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
        found = await A2ACardResolver(http, f"{servers.url}/a2a/echo_chat").get_agent_card()
        same = await A2ACardResolver(http, servers.url).get_agent_card(
            ".well-known/agent-card.json?assistant_id=echo_chat"
        )
        with pytest.raises(AgentCardResolutionError) as none:
            await A2ACardResolver(http, f"{servers.url}/a2a/noop").get_agent_card()
    assert found == same
    assert found.capabilities.streaming
    assert not found.capabilities.push_notifications
    assert found.skills[0].description == "Says what you said."
    assert found.security_schemes["apiKey"].api_key_security_scheme.name == "X-Api-Key"
    assert {one.url for one in found.supported_interfaces} == {f"{servers.url}/a2a/echo_chat"}
    assert none.value.status_code == 404
    assert httpx.get(f"{servers.url}/a2a/echo_chat/.well-known/agent-card.json", trust_env=False).status_code == 401


async def test_a_message_is_a_job_and_its_answer_the_artifact(servers: Servers, version: str) -> None:
    async with agent(servers, "echo_chat", version) as client:
        task = await sent(client, message(ASK))
        assert state(task) == "COMPLETED"
        assert get_artifact_text(task.artifacts[0]).split() == HEARD.split()
        job = servers.http.get(f"/jobs/{task.id}").json()
        assert (job["state"], job["thread_id"], job["metadata"]["door"]) == ("succeeded", task.context_id, "a2a")
        # The next message of the same context goes on with the conversation.
        following = message("and in trees")
        following.message.context_id = task.context_id
        second = await sent(client, following)
        assert (second.context_id, second.id != task.id) == (task.context_id, True)
        assert [get_message_text(one).strip() for one in second.history] == [
            ASK, HEARD, "and in trees", "You said: and in trees",
        ]  # fmt: skip
        shown = await client.get_task(GetTaskRequest(id=second.id, history_length=1))
        assert [get_message_text(one).strip() for one in shown.history] == ["You said: and in trees"]
        assert shown.artifacts == second.artifacts


async def test_a_task_is_given_at_once_when_nobody_waits_and_can_be_cancelled(servers: Servers, version: str) -> None:
    async with agent(servers, "slow_chat", version) as client:
        task = await sent(client, message(ASK, return_immediately=True))
        assert state(task) in ("SUBMITTED", "WORKING")
        ended = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert state(ended) == "CANCELED"
        assert servers.http.get(f"/jobs/{task.id}").json()["state"] == "cancelled"
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=task.id))
        audited = servers.http.get("/audit", params={"action": "job.cancel", "limit": 5}).json()["entries"]
        assert task.id in str(audited)


async def test_a_stream_tells_the_task_its_moves_and_the_answer_in_pieces(servers: Servers, version: str) -> None:
    async with agent(servers, "echo_chat", version, streaming=True) as client:
        parts = [part async for part in client.send_message(message(ASK))]
        first, last = parts[0].task, parts[-1].status_update
        assert state(first) == "SUBMITTED"
        assert TaskState.Name(last.status.state) == "TASK_STATE_COMPLETED"
        pieces = [part.artifact_update for part in parts if part.HasField("artifact_update")]
        assert len(pieces) > 2
        assert [piece.append for piece in pieces] == [False] + [True] * (len(pieces) - 1)
        assert pieces[-1].last_chunk
        assert written(parts).split() == HEARD.split()
        # Who comes back is told all of it again, once the task has ended, too.
        again = [part async for part in client.subscribe(SubscribeToTaskRequest(id=first.id))]
        assert [part.artifact_update for part in again if part.HasField("artifact_update")] == pieces
        assert again[-1].status_update.status.state == last.status.state


async def test_who_hangs_up_leaves_the_task_at_work(servers: Servers) -> None:
    async with agent(servers, "slow_chat", streaming=True) as client:
        parts = client.send_message(message(ASK))
        task = (await anext(parts)).task
        await parts.aclose()  # type: ignore[attr-defined]
        assert state(await client.get_task(GetTaskRequest(id=task.id))) in ("SUBMITTED", "WORKING")
        assert state(await client.cancel_task(CancelTaskRequest(id=task.id))) == "CANCELED"


async def test_a_question_is_answered_by_a_message_to_its_task(servers: Servers, version: str) -> None:
    async with agent(servers, "asking_chat", version) as client:
        task = await sent(client, message(ASK))
        assert state(task) == "INPUT_REQUIRED"
        assert get_data_parts(task.status.message.parts) == [{"question": "Shall I?"}]
        assert [get_message_text(one) for one in task.history] == [ASK]
        answered = await sent(client, message("yes", task))
        assert (answered.id, state(answered)) == (task.id, "COMPLETED")
        assert get_artifact_text(answered.artifacts[0]) == "decided: yes"
        with pytest.raises(UnsupportedOperationError, match="has ended"):
            await sent(client, message("yes", task))


async def test_the_answer_to_a_question_streams_what_comes_after_it(servers: Servers, version: str) -> None:
    async with agent(servers, "asking_chat", version, streaming=True) as client:
        parts = [part async for part in client.send_message(message(ASK))]
        asked = parts[-1].status_update.status
        assert TaskState.Name(asked.state) == "TASK_STATE_INPUT_REQUIRED"
        assert get_data_parts(asked.message.parts) == [{"question": "Shall I?"}]
        rest = [part async for part in client.send_message(message("no", parts[0].task))]
        assert written(rest) == "decided: no"
        assert TaskState.Name(rest[-1].status_update.status.state) == "TASK_STATE_COMPLETED"


async def test_of_several_questions_each_may_have_its_own_answer(servers: Servers, version: str) -> None:
    async with agent(servers, "asking_two_chat", version) as client:
        task = await sent(client, message(ASK))
        assert sorted(get_text_parts(task.status.message.parts)) == ["When?", "Who?"]
        noted = MessageToDict(task.status.message.metadata)["mutirao/approvals"]
        ids = [one["interruptId"] for one in noted]
        asked = dict(zip(get_text_parts(task.status.message.parts), ids, strict=True))
        half = message("", task)
        half.message.parts[0].CopyFrom(new_data_part({asked["Who?"]: "bees"}))
        task = await sent(client, half)
        assert (state(task), get_text_parts(task.status.message.parts)) == ("INPUT_REQUIRED", ["When?"])
        task = await sent(client, message("in May", task))
        assert state(task) == "COMPLETED"
        assert {get_message_text(one) for one in task.history} == {ASK, "who: bees", "when: in May"}


async def test_a_stream_ends_with_its_key(servers: Servers, version: str) -> None:
    made = servers.http.post("/keys", json={"name": "a2a"}).json()
    async with agent(servers, "slow_chat", version, key=made["key"], streaming=True) as client:
        parts = client.send_message(message(ASK))
        task = (await anext(parts)).task
        servers.http.delete(f"/keys/{made['id']}")
        with pytest.raises(A2AClientError, match="was revoked while the request was open"):
            async for _ in parts:
                pass
    assert servers.http.post(f"/jobs/{task.id}/cancel").status_code == 202


async def test_answering_needs_the_scope_approve_and_sending_submit(servers: Servers) -> None:
    keys = {
        scopes: servers.http.post("/keys", json={"name": "a2a", "scopes": scopes}).json()["key"]
        for scopes in (("read",), ("read", "submit"))
    }
    async with agent(servers, "asking_chat", key=keys["read", "submit"]) as client:
        task = await sent(client, message(ASK))
        with pytest.raises(A2AClientError, match="403"):
            await sent(client, message("yes", task))
    async with agent(servers, "asking_chat", key=keys["read",]) as client:
        assert state(await client.get_task(GetTaskRequest(id=task.id))) == "INPUT_REQUIRED"
        with pytest.raises(A2AClientError, match="403"):
            await sent(client, message(ASK))
        with pytest.raises(A2AClientError, match="403"):
            await client.cancel_task(CancelTaskRequest(id=task.id))
    assert servers.http.post(f"/jobs/{task.id}/cancel").status_code == 202


async def test_another_projects_tasks_and_contexts_are_like_unknown_ones(
    servers: Servers, stranger: httpx.Client, version: str
) -> None:
    async with agent(servers, "asking_chat", version) as client:
        task = await sent(client, message(ASK))
    key = stranger.headers["authorization"].removeprefix("Bearer ")
    async with agent(servers, "asking_chat", version, key=key) as client:
        told = []
        for task_id, context_id in ((task.id, task.context_id), (str(uuid4()), str(uuid4()))):
            found = []
            for attempt in (
                client.get_task(GetTaskRequest(id=task_id)),
                client.cancel_task(CancelTaskRequest(id=task_id)),
                sent(client, message("yes", Task(id=task_id))),
            ):
                with pytest.raises(TaskNotFoundError) as none:
                    await attempt
                assert none.value.data == ({"code": "not_found"} if version == "1.0" else None)
                found.append(str(none.value).replace(task_id, "<id>"))
            following = message(ASK)
            following.message.context_id = context_id
            with pytest.raises(InvalidParamsError) as none:
                await sent(client, following)
            told.append([*found, str(none.value).replace(context_id, "<id>")])
        assert told[0] == told[1]
    # Nor is it a task of another agent of its own project.
    async with agent(servers, "echo_chat", version) as client:
        with pytest.raises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id=task.id))
    assert servers.http.post(f"/jobs/{task.id}/cancel").status_code == 202


async def test_a_failure_says_why(servers: Servers, version: str) -> None:
    async with agent(servers, "failing_chat", version) as client:
        task = await sent(client, message(ASK))
        assert state(task) == "FAILED"
        assert "cannot answer" in get_message_text(task.status.message)
    async with agent(servers, "failing_chat", version, streaming=True) as client:
        last = [part async for part in client.send_message(message(ASK))][-1].status_update
        assert "cannot answer" in get_message_text(last.status.message)


@pytest.mark.parametrize(
    ("method", "params", "code", "named"),
    [
        ("message/sned", {}, -32601, "message/sned"),
        ("message/send", {}, -32602, "/message"),
        ("message/send", [1], -32602, ""),
        ("message/send", said(surprise=1), -32602, "/message/surprise"),
        ("message/send", {**said(), "surprise": 1}, -32602, "/surprise"),
        ("message/send", said({"kind": "text"}), -32602, "/message/parts/0"),
        ("message/send", said({"kind": "text", "text": "nul \0 nul"}), -32602, "NUL"),
        ("message/send", said({"kind": "file", "file": {"uri": "x:y"}}), -32005, "file"),
        ("message/send", said({"kind": "data", "data": {"color": 1}}), -32602, "color"),
        ("message/send", said({"kind": "data", "data": {"messages": 1}}), -32602, "/messages"),
        ("message/send", said(contextId="x"), -32602, "context 'x'"),
        ("message/send", said(taskId="x"), -32001, "task 'x'"),
        ("message/send", {**said(), "configuration": {"acceptedOutputModes": ["image/png"]}}, -32005, "image/png"),
        ("message/send", {**said(), "configuration": {"pushNotificationConfig": {"url": "x"}}}, -32003, "push"),
        ("tasks/get", {"id": "x", "historyLength": -1}, -32602, "/historyLength"),
        ("tasks/get", {"id": str(uuid4())}, -32001, "no task"),
        ("tasks/resubscribe", {"id": str(uuid4())}, -32001, "no task"),
        ("tasks/pushNotificationConfig/set", {}, -32003, "push"),
        ("tasks/list", {}, -32004, "/api/v1/jobs"),
        ("agent/getAuthenticatedExtendedCard", {}, -32007, "one card"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_name(
    servers: Servers, method: str, params: Any, code: int, named: str
) -> None:
    answer = call(servers, method, params)
    assert (answer.status_code, answer.json()["id"]) == (200, 7)
    assert answer.json()["error"]["code"] == code, answer.text
    assert named in answer.json()["error"]["message"]


def test_what_is_no_call_is_refused(servers: Servers) -> None:
    def code_of(content: bytes) -> int:
        answer = servers.http.post(f"{servers.url}/a2a/echo_chat", content=content)
        assert answer.status_code == 200
        found: int = answer.json()["error"]["code"]
        return found

    assert code_of(b"{") == -32700
    for wrong in (
        b"[]", b"1", b"{}", b'{"jsonrpc":"1.0","id":1,"method":"tasks/get"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"tasks/get"}', b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","more":1}',
    ):  # fmt: skip
        assert code_of(wrong) == -32600
    answer = servers.http.post(
        f"{servers.url}/a2a/echo_chat", json={"jsonrpc": "2.0", "id": 1, "method": "x"}, headers={"A2A-Version": "9.0"}
    )
    assert answer.json()["error"]["code"] == -32009
    assert (answer := call(servers, "message/send", said(), name="noop")).status_code == 200
    assert (answer.json()["error"]["code"], "'noop'" in answer.text) == (-32602, True)


def test_refusals_before_the_door_have_its_shape(servers: Servers) -> None:
    refused = {
        401: httpx.post(f"{servers.url}/a2a/echo_chat", json={}, trust_env=False),
        404: call(servers, "tasks/get", name=str(uuid4())),
        413: servers.http.post(f"{servers.url}/a2a/echo_chat", content=b" " * (3 << 20) + b" "),
    }
    for status, answer in refused.items():
        assert answer.status_code == status
        assert answer.json()["jsonrpc"] == "2.0"
        assert answer.json()["error"]["data"]["code"]


def test_a_call_without_an_id_is_done_and_not_answered(servers: Servers) -> None:
    mark = f"m-{uuid4()}"
    body = {"jsonrpc": "2.0", "method": "message/send", "params": said(metadata={"mark": mark})}
    answer = servers.http.post(f"{servers.url}/a2a/echo_chat", json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    jobs = servers.http.get("/jobs", params={"workflow": "echo_chat", "limit": 50}).json()["jobs"]
    assert mark in [job["metadata"].get("mark") for job in jobs]


def test_who_waits_is_sent_signs_of_life(servers: Servers) -> None:
    """Spaces before the answer, which clients that give up on a silent connection take for one."""
    headers = {"Authorization": f"Bearer {servers.key}"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": said()}
    with httpx.stream("POST", f"{servers.url}/a2a/slow_chat", json=body, headers=headers, trust_env=False) as answer:
        assert answer.headers["content-type"] == "application/json"
        assert next(answer.iter_bytes()) == b" "
    job = servers.http.get("/jobs", params={"workflow": "slow_chat", "limit": 1}).json()["jobs"][0]
    assert servers.http.post(f"/jobs/{job['id']}/cancel").status_code == 202


def test_frames_of_0_3_say_what_they_are_and_which_is_the_last(servers: Servers) -> None:
    answer = call(servers, "message/stream", said({"kind": "text", "text": ASK}, {"kind": "text", "text": "twice"}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [
        httpx.Response(200, text=data).json()["result"] for data in re.findall(r"^data: (.*)$", answer.text, re.M)
    ]
    kinds = [frame["kind"] for frame in frames]
    assert kinds == ["task", "status-update", *["artifact-update"] * (len(frames) - 3), "status-update"]
    assert [frame.get("final") for frame in frames if frame["kind"] == "status-update"] == [False, True]
    assert frames[0]["history"][0]["parts"] == [{"kind": "text", "text": f"{ASK}\ntwice"}]
