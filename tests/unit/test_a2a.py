"""A2A's calls as they are read, and jobs as they are told as tasks, in both versions' words."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from mutirao.api.doors.a2a_errors import Code, Refusal, failure, refused
from mutirao.api.doors.a2a_records import Message, Part, RpcRequest, SendParams, id_of, read
from mutirao.api.doors.a2a_tasks import answer_of, input_of, task_of
from mutirao.api.doors.a2a_versions import newer
from mutirao.api.doors.conversation import last_answer
from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import Forbidden, NotFound, RateLimited
from mutirao.jobs.approvals import Approval
from mutirao.jobs.records import Job, Problem
from mutirao.jobs.states import JobState
from pydantic import ValidationError

AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
ASKED = [{"type": "human", "content": "hello", "id": "h"}]
TALK = [
    *ASKED,
    {"type": "ai", "content": "", "tool_calls": [{"name": "look"}], "id": "t"},
    {"type": "tool", "content": "found", "id": "r"},
    {"type": "ai", "content": [{"type": "text", "text": "good "}, {"type": "text", "text": "day"}], "id": "a"},
]


def job(state: JobState = JobState.SUCCEEDED, **more: Any) -> Job:
    given = {
        "id": UUID(int=1), "thread_id": UUID(int=2), "workflow": "chat", "version": "1", "queue": "shared",
        "state": state, "input": {"messages": ASKED}, "metadata": {}, "attempts": 1, "max_attempts": 3, "last_seq": 9,
        "created_at": AT,
    }  # fmt: skip
    return Job.model_validate(given | more)


def workflow(*names: str) -> CataloguedWorkflow:
    schema = {"type": "object", "properties": {name: {} for name in names}}
    return CataloguedWorkflow(
        name="chat", version="1", description="", queue="shared", kind="shared", input_schema=schema, output_schema={},
        graph={}, workers=1, created_at=AT,
    )  # fmt: skip


def message(*parts: dict[str, Any]) -> Message:
    return Message.model_validate({"role": "user", "messageId": "m", "parts": list(parts)})


def test_a_call_without_an_id_is_silent_and_one_with_null_is_not() -> None:
    assert read(b'{"jsonrpc":"2.0","method":"x"}').silent
    call = read(b'{"jsonrpc":"2.0","method":"x","id":null}')
    assert (call.silent, call.id, call.params) == (False, None, {})


@pytest.mark.parametrize(
    ("body", "code", "its_id"),
    [
        (b"{", Code.UNREADABLE, None),
        (b"", Code.UNREADABLE, None),
        (b'[{"jsonrpc":"2.0","method":"x","id":1}]', Code.INVALID_REQUEST, None),
        (b'"x"', Code.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":4}', Code.INVALID_REQUEST, 4),
        (b'{"jsonrpc":"2.0","id":"a","method":"x","params":1}', Code.INVALID_REQUEST, "a"),
        (b'{"jsonrpc":"2.0","id":true,"method":"x"}', Code.INVALID_REQUEST, None),
    ],
)
def test_what_is_no_call_is_refused_under_its_id(body: bytes, code: Code, its_id: object) -> None:
    with pytest.raises(Refusal) as refused:
        read(body)
    assert refused.value.code is code
    assert id_of(body) == its_id


@pytest.mark.parametrize(
    "part",
    [
        {}, {"kind": "text"}, {"kind": "text", "data": {}}, {"text": "x", "data": {}}, {"text": None},
        {"kind": "video", "text": "x"}, {"text": "x", "more": 1},
    ],
)  # fmt: skip
def test_a_part_has_one_content_of_its_kind(part: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Part.model_validate(part)


def test_both_versions_say_whether_they_wait() -> None:
    said = {"message": {"parts": [{"text": "x"}]}}
    for configuration, waits in (
        ({}, True),
        ({"blocking": True}, True),
        ({"blocking": False}, False),
        ({"returnImmediately": True}, False),
    ):
        params = SendParams.model_validate(said | {"configuration": configuration})
        assert params.configuration.waits is waits
    assert SendParams.model_validate(said).configuration.waits


def test_texts_are_one_message_and_data_goes_beside_it() -> None:
    found = input_of(message({"text": "a"}, {"data": {"tone": "dry"}}, {"text": "b"}), workflow("messages", "tone"))
    assert found == {"tone": "dry", "messages": [{"type": "human", "content": "a\nb"}]}
    before = {"data": {"messages": ASKED}}
    assert input_of(message(before), workflow("messages")) == {"messages": ASKED}
    assert [one["content"] for one in input_of(message(before, {"text": "b"}), workflow("messages"))["messages"]] == [
        "hello",
        "b",
    ]
    with pytest.raises(Refusal, match="'tone'"):
        input_of(message({"data": {"tone": "dry"}}), workflow("messages"))
    with pytest.raises(Refusal, match="object"):
        input_of(message({"data": [1]}), workflow("messages"))


def test_an_answer_is_text_or_data() -> None:
    assert answer_of(message({"text": "yes"})) == "yes"
    assert answer_of(message({"data": {"decisions": []}})) == {"decisions": []}
    with pytest.raises(Refusal, match="one of them"):
        answer_of(message({"text": "yes"}, {"data": {"a": 1}}))


@pytest.mark.parametrize(
    ("state", "waiting_for", "told"),
    [
        (JobState.QUEUED, None, "submitted"),
        (JobState.STRANDED, None, "submitted"),
        (JobState.RUNNING, None, "working"),
        (JobState.WAITING, "children", "working"),
        (JobState.PAUSED, "approval", "input-required"),
        (JobState.PAUSED, "request", "working"),
        (JobState.SUCCEEDED, None, "completed"),
        (JobState.CANCELLED, None, "canceled"),
        (JobState.FAILED, None, "failed"),
        (JobState.DEAD, None, "failed"),
        (JobState.BUDGET_EXHAUSTED, None, "failed"),
    ],
)
def test_every_state_of_a_job_is_one_of_a_task(state: JobState, waiting_for: str | None, told: str) -> None:
    assert task_of(job(state, waiting_for=waiting_for), [], None, None)["status"]["state"] == told


def test_every_state_is_tested() -> None:
    parameters = test_every_state_of_a_job_is_one_of_a_task.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {state for state, _, _ in parameters} == set(JobState)


def test_a_task_has_the_conversation_and_the_last_answer() -> None:
    done = job(output={"messages": TALK})
    task = task_of(done, [], None, None)
    assert last_answer(done) == "good day"
    assert task["artifacts"] == [
        {"artifactId": "answer", "name": "answer", "parts": [{"kind": "text", "text": "good day"}]}
    ]
    assert [(one["role"], one["parts"][0]["text"]) for one in task["history"]] == [
        ("user", "hello"),
        ("agent", "good day"),
    ]
    assert [one["messageId"] for one in task_of(done, [], None, 1)["history"]] == ["a"]
    assert "history" not in task_of(done, [], None, 0)
    running = task_of(job(JobState.RUNNING), [], None, None)
    assert ([one["messageId"] for one in running["history"]], "artifacts" in running) == (["h"], False)
    assert task_of(job(output={"sum": 3}), [], None, 0)["artifacts"][0]["parts"] == [
        {"kind": "data", "data": {"sum": 3}}
    ]


def test_a_failed_task_says_the_problem() -> None:
    status = task_of(job(JobState.FAILED, error=Problem(code="step_failed", message="no luck")), [], None, 0)["status"]
    assert status["message"]["parts"] == [{"kind": "text", "text": "no luck"}]
    assert status["message"]["metadata"] == {"mutirao/code": "step_failed"}


def test_what_a_task_waits_for_is_its_message() -> None:
    asked = [
        Approval.model_validate(
            {
                "id": UUID(int=number), "job_id": UUID(int=1), "thread_id": UUID(int=2), "workflow": "chat",
                "interrupt_id": f"i{number}", "request": request, "state": "pending", "created_at": AT,
            }
        )
        for number, request in enumerate(("Who?", {"question": "When?"}, ["a", "b"]))
    ]  # fmt: skip
    task = task_of(job(JobState.PAUSED, waiting_for="approval"), asked, {"messages": TALK[:1]}, None)
    told = task["status"]["message"]
    assert told["parts"] == [
        {"kind": "text", "text": "Who?"},
        {"kind": "data", "data": {"question": "When?"}},
        {"kind": "data", "data": {"value": ["a", "b"]}},
    ]
    assert [one["interruptId"] for one in told["metadata"]["mutirao/approvals"]] == ["i0", "i1", "i2"]
    assert [one["messageId"] for one in task["history"]] == ["h"]


def test_an_error_has_the_code_of_the_native_api_in_either_versions_words() -> None:
    refusal = Refusal.of(NotFound("no such thing", path="/x"))
    assert failure(1, refusal)["error"] == {
        "code": -32602,
        "message": "no such thing",
        "data": {"path": "/x", "code": "not_found"},
    }
    [info] = failure(1, refusal, newer=True)["error"]["data"]
    assert (info["reason"], info["metadata"]) == ("NOT_FOUND", {"code": "not_found"})
    [info] = failure(1, Refusal(Code.TASK_UNKNOWN, "none"), newer=True)["error"]["data"]
    assert (info["reason"], info["metadata"]) == ("TASK_NOT_FOUND", {})
    assert refused(1, refusal).status_code == 200
    limited = refused(1, RateLimited("too many", headers={"Retry-After": "5"}))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "5")
    assert refused(1, Forbidden("no")).status_code == 403


def test_the_newer_version_says_the_same_in_its_words() -> None:
    task = task_of(job(output={"messages": TALK}), [], None, 1)
    found = newer(task, bare=False)["task"]
    assert found == newer(task, bare=True)
    assert found["status"] == {"state": "TASK_STATE_COMPLETED", "timestamp": "2026-11-26T09:30:00Z"}
    assert found["artifacts"][0]["parts"] == [{"text": "good day"}]
    assert found["history"][0]["role"] == "ROLE_AGENT"
    assert '"kind"' not in json.dumps(found)
    update = {"kind": "status-update", "taskId": "t", "status": {"state": "input-required"}, "final": True}
    assert newer(update, bare=False) == {
        "statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_INPUT_REQUIRED"}}
    }
    # What a graph has said is not the protocol's.
    data = {"kind": "data", "data": {"kind": "x", "role": "y", "state": "z"}}
    part = {"kind": "artifact-update", "artifact": {"parts": [data]}}
    assert newer(part, bare=False)["artifactUpdate"]["artifact"]["parts"] == [{"data": data["data"]}]


def test_a_request_of_its_own_schema_is_a_call() -> None:
    assert set(RpcRequest.model_json_schema()["required"]) == {"jsonrpc", "method"}
