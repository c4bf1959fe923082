"""The inbox: found, assigned, decided in the question's own form, bound to what was asked, and never forgotten."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mutirao.jobs.approvals import Approval, ApprovalStore, Question
from mutirao.jobs.decisions import digest
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState
from mutirao.outbound import Outbound
from mutirao.secrets_box import SecretsBox
from mutirao.webhooks import NewWebhook, WebhookStore
from pydantic import SecretStr

from tests.driven import Driven
from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

TOOL = {
    "action_requests": [{"name": "mail", "args": {"to": "a"}}],
    "review_configs": [{"action_name": "mail", "allowed_decisions": ["approve", "edit", "reject"]}],
}


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as these:
        yield these


async def asks(store: Stores, *requests: Any) -> tuple[Claim, list[Approval]]:
    """A job that waits for decisions on these requests."""
    claim, approvals = await store.claimed(), ApprovalStore(store.db)
    questions = [Question(id=uuid4(), interrupt_id=uuid4().hex, task_id="t", step="s", request=one) for one in requests]
    await store.claims.hold(claim, JobState.PAUSED, "approval", also=lambda c: approvals.open(c, claim, questions))
    return claim, sorted(await approvals.of_job(store.project, claim.job_id), key=lambda a: requests.index(a.request))


async def late(store: Stores, approval: Approval) -> None:
    await store.run("UPDATE approvals SET expires_at = now() WHERE id = :id", id=approval.id)


async def told(store: Stores) -> list[str]:
    """Events that were written for webhooks, in order."""
    return [row.event for row in await store.run("SELECT event FROM webhook_deliveries ORDER BY id")]


async def listens(store: Stores) -> None:
    """A webhook of the project that is told of every approval."""
    webhooks = WebhookStore(store.db, Outbound("127.0.0.1"), SecretsBox(SecretStr("a key for these tests")))
    await webhooks.add(
        store.project, NewWebhook.model_validate({"url": "http://127.0.0.1/x", "events": ["approval.*"]})
    )


async def audit(store: Stores) -> list[tuple[str, str]]:
    return [(row.actor, row.action) for row in await store.run("SELECT actor, action FROM audit_log ORDER BY id")]


# Time.


@pytest.mark.parametrize(
    ("request_", "decision"),
    [
        ({"q": 1, "expires_seconds": 60}, {"expired": True}),
        ({"q": 1, "expires_seconds": 60, "on_expiry": "approve"}, True),
        ({"q": 1, "expires_seconds": 60, "on_expiry": "reject"}, False),
        ({**TOOL, "expires_seconds": 60, "on_expiry": "approve"}, {"decisions": [{"type": "approve"}]}),
    ],
)
async def test_at_the_end_of_its_time_happens_what_the_question_says(
    store: Stores, request_: Any, decision: Any
) -> None:
    await listens(store)
    claim, [approval] = await asks(store, request_)
    await late(store, approval)
    assert (claim.job_id, "default", JobState.QUEUED) in await store.claims.reconcile()
    [given] = await ApprovalStore(store.db).decided(claim.job_id)
    assert (given.state, given.value) == ("expired", decision)
    [ended] = await ApprovalStore(store.db).of_job(store.project, claim.job_id)
    assert (ended.decided_by, ended.revision) == ("system", 2)
    assert await told(store) == ["approval.requested", "approval.expired"]
    assert await audit(store) == [("system", "approval.expire")]
    assert [event.type for event in await store.events(claim.job_id)][-2:] == ["approval.expired", "job.resumed"]


async def test_what_is_escalated_becomes_another_s_and_has_its_time_again(store: Stores) -> None:
    await listens(store)
    request = {"assignee": "ana", "expires_seconds": 60, "on_expiry": "escalate", "escalate_to": "bo"}
    claim, [approval] = await asks(store, request)
    approvals = ApprovalStore(store.db)
    assert (approval.assignee, approval.on_expiry) == ("ana", "escalate")
    await late(store, approval)
    assert await store.claims.reconcile() == []
    escalated = await approvals.get(store.project, approval.id)
    assert (escalated.state, escalated.assignee, escalated.on_expiry) == ("pending", "bo", "expire")
    assert escalated.expires_at is not None
    assert escalated.expires_at > await store.db.now() + timedelta(seconds=50)
    assert (await store.get(claim.job_id)).state is JobState.PAUSED
    await late(store, approval)
    await store.claims.reconcile()
    assert (await approvals.get(store.project, approval.id)).state == "expired"
    assert await told(store) == ["approval.requested", "approval.escalated", "approval.expired"]
    assert await audit(store) == [("system", "approval.escalate"), ("system", "approval.expire")]
    types = [event.type for event in await store.events(claim.job_id)]
    assert types[-3:] == ["approval.escalated", "approval.expired", "job.resumed"]


async def test_who_decides_late_but_before_the_escalation_is_heard(store: Stores) -> None:
    request = {"expires_seconds": 60, "on_expiry": "escalate", "escalate_to": "bo"}
    _, [approval] = await asks(store, request)
    await late(store, approval)
    decided = await ApprovalStore(store.db).decide(store.project, approval.id, "yes", by="key:x")
    assert decided.state == "decided"


async def test_what_waits_is_reminded_of_until_it_is_decided(store: Stores) -> None:
    await listens(store)
    claim, [approval] = await asks(store, {"remind_seconds": 3600})
    approvals = ApprovalStore(store.db)
    assert await approvals.remind() == 0
    for count in (1, 2):
        await store.run("UPDATE approvals SET remind_at = now()")
        await store.claims.reconcile()
        reminded = await approvals.get(store.project, approval.id)
        assert reminded.reminders == count
        assert reminded.remind_at is not None
        assert reminded.remind_at > await store.db.now() + timedelta(minutes=59)
    await approvals.decide(store.project, approval.id, "yes")
    await store.run("UPDATE approvals SET remind_at = now()")
    assert await approvals.remind() == 0
    assert await told(store) == ["approval.requested", *["approval.reminder"] * 2, "approval.decided"]
    assert [event.type for event in await store.events(claim.job_id)].count("approval.reminded") == 2


# Over HTTP.


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(driven: Driven, **params: Any) -> list[str]:
    answer = await driven.call("GET", "/approvals", params={"workflow": driven.workflow, **params})
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["approvals"]]


async def test_the_inbox_is_filtered_and_ordered(driven: Driven) -> None:
    claim, [plain] = await driven.asks({"q": 1})
    _, [urgent] = await driven.asks({"q": 2, "assignee": "ana"})
    _, [soon] = await driven.asks({"q": 3, "assignee": "bo"})
    for approval, days in ((urgent, 1), (soon, 2)):
        expires_at = (approval.created_at + timedelta(days=days)).isoformat()
        answer = await driven.call("PATCH", f"/approvals/{approval.id}", json={"expires_at": expires_at})
        assert answer.status_code == 200, answer.text
    ids = [str(approval.id) for approval in (plain, urgent, soon)]
    assert await listed(driven) == ids[::-1]
    assert await listed(driven, sort="created") == ids
    assert await listed(driven, sort="expires") == [ids[1], ids[2], ids[0]]
    assert await listed(driven, assignee="ana") == [ids[1]]
    assert await listed(driven, unassigned=True) == [ids[0]]
    assert await listed(driven, job=str(claim.job_id)) == await listed(driven, thread=str(claim.thread_id)) == [ids[0]]
    assert await listed(driven, expires_before=(soon.created_at + timedelta(hours=36)).isoformat()) == [ids[1]]
    assert await listed(driven, expires_after=(soon.created_at + timedelta(hours=36)).isoformat()) == [ids[2]]
    assert await listed(driven, created_before=soon.created_at.isoformat(), sort="created") == ids[:2]
    assert await listed(driven, created_after=soon.created_at.isoformat()) == [ids[2]]
    await driven.call("POST", f"/approvals/{plain.id}", json={"type": "approve"})
    assert await listed(driven) == [ids[2], ids[1]]
    assert await listed(driven, state="decided") == [ids[0]]
    assert await listed(driven, state=["decided", "pending"]) == ids[::-1]
    for sort, order in (("created", ids), ("expires", [ids[1], ids[2], ids[0]]), ("-created", ids[::-1])):
        found, cursor = [], None
        for _ in ids:
            params = {"workflow": driven.workflow, "sort": sort, "limit": 1, "state": ["pending", "decided"]}
            page = (
                await driven.call("GET", "/approvals", params=params | ({"cursor": cursor} if cursor else {}))
            ).json()
            found += [row["id"] for row in page["approvals"]]
            cursor = page["next"]
        assert (found, cursor) == (order, None)


async def test_an_approval_is_given_to_somebody_by_one_at_a_time(driven: Driven) -> None:
    claim, [approval] = await driven.asks("?")
    path = f"/approvals/{approval.id}"
    tag = (await driven.call("GET", path)).headers["etag"]
    given = await driven.call("PATCH", path, json={"assignee": "ana"}, headers={"If-Match": tag})
    assert (given.status_code, given.json()["assignee"], given.headers["etag"]) == (200, "ana", '"2"')
    problem(
        await driven.call("PATCH", path, json={"assignee": "bo"}, headers={"If-Match": tag}), 412, "precondition_failed"
    )
    problem(await driven.call("PATCH", path, json={}, headers={"If-Match": "no"}), 422, "invalid_input")
    problem(await driven.call("PATCH", path, json={"expires_at": "2001-01-01T00:00:00Z"}), 422, "invalid_input")
    problem(await driven.call("PATCH", path, json={"state": "decided"}), 422, "invalid_request")
    nobody = await driven.call("PATCH", path, json={"assignee": None, "expires_at": None})
    assert (nobody.json()["assignee"], nobody.json()["expires_at"]) == (None, None)
    await driven.call("POST", path, json={"type": "approve"})
    problem(await driven.call("PATCH", path, json={"assignee": "bo"}), 409, "already_decided")
    problem(await driven.call("PATCH", f"/approvals/{uuid4()}", json={}), 404, "not_found")
    types = driven.servers.event_types(claim.job_id)
    assert types[-4:] == ["approval.assigned", "approval.assigned", "approval.decided", "job.resumed"]


async def test_a_decision_is_given_in_the_question_s_own_form(driven: Driven) -> None:
    claim, [tool, plain] = await driven.asks(TOOL, {"q": "sure?"})
    path = f"/approvals/{tool.id}"
    asked = (await driven.call("GET", path)).json()
    assert asked["allowed"] == ["approve", "edit", "reject"]
    assert asked["request_sha256"] == digest(TOOL)
    refused = problem(await driven.call("POST", path, json={"type": "answer", "answer": "x"}), 422, "invalid_input")
    assert "allowed: approve, edit, reject" in refused["detail"]
    body = {"type": "edit", "args": {"to": "b"}, "comment": "moved", "request_sha256": digest(TOOL)}
    decided = await driven.call("POST", path, json=body)
    assert decided.json()["decision"] == {
        "decisions": [{"type": "edit", "edited_action": {"name": "mail", "args": {"to": "b"}}}]
    }
    assert (decided.json()["comment"], decided.json()["decided_by"][:4]) == ("moved", "key:")
    rejected = await driven.call("POST", f"/approvals/{plain.id}", json={"decisions": [{"type": "reject"}]})
    assert rejected.json()["decision"] is False
    assert driven.servers.job(claim.job_id)["state"] == "queued"
    acts = driven.servers.sql("SELECT action, data->>'comment' FROM audit_log WHERE resource_id = %s", str(tool.id))
    assert acts == [("approval.decide", "moved")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "approve", "decision": True},
        {"type": "approve", "decisions": [{"type": "approve"}]},
        {"args": {}},
        {"decision": 1, "message": "x"},
        {"type": "maybe"},
        {"decisions": [{"type": "approve", "surprise": 1}]},
    ],
)
async def test_a_decision_says_one_thing(driven: Driven, body: dict[str, Any]) -> None:
    problem(await driven.call("POST", f"/approvals/{uuid4()}", json=body), 422, "invalid_request")


async def test_a_decision_about_another_question_is_refused(driven: Driven) -> None:
    claim, [approval] = await driven.asks({"tool": "mail", "args": {"to": "a"}})
    # The same interrupt asks for something else, as after a retry from elsewhere.
    changed = {"tool": "mail", "args": {"to": "everybody"}}
    again = Question(id=uuid4(), interrupt_id=approval.interrupt_id, request=changed)
    async with driven.stores.db.begin() as connection:
        await driven.approvals.open(connection, claim, [again])
    body = {"type": "approve", "request_sha256": approval.request_sha256}
    refused = problem(await driven.call("POST", f"/approvals/{approval.id}", json=body), 409, "approval_changed")
    assert refused["request_sha256"] == digest(changed)
    assert driven.servers.job(claim.job_id)["state"] == "paused"
    decided = await driven.call("POST", f"/approvals/{approval.id}", json=body | {"request_sha256": digest(changed)})
    assert (decided.status_code, decided.json()["request"]) == (200, changed)


async def test_several_are_decided_at_once_each_by_itself(driven: Driven) -> None:
    claim, [first, second] = await driven.asks("a", TOOL)
    await driven.call("POST", f"/approvals/{first.id}", json={"decision": 1})
    unknown = uuid4()
    body = {"ids": [str(first.id), str(second.id), str(unknown)], "type": "approve", "comment": "all"}
    results = (await driven.call("POST", "/approvals/decide", json=body)).json()["results"]
    assert [row["id"] for row in results] == body["ids"]
    assert [row["error"] and row["error"]["code"] for row in results] == ["already_decided", None, "not_found"]
    assert results[1]["approval"]["decision"] == {"decisions": [{"type": "approve"}]}
    assert driven.servers.job(claim.job_id)["state"] == "queued"
    for ids in ([], [str(uuid4()) for _ in range(101)]):
        problem(
            await driven.call("POST", "/approvals/decide", json={"ids": ids, "type": "approve"}), 422, "invalid_request"
        )


async def test_another_project_s_approvals_are_unknown(driven: Driven) -> None:
    _, [approval] = await driven.asks("?")
    with await driven.stranger() as stranger:
        for approval_id in (approval.id, uuid4()):
            problem(stranger.patch(f"/approvals/{approval_id}", json={"assignee": "x"}), 404, "not_found")
            body = {"ids": [str(approval_id)], "type": "approve"}
            [result] = stranger.post("/approvals/decide", json=body).json()["results"]
            assert result["error"]["code"] == "not_found"
        states = {"state": ["pending", "decided", "expired", "withdrawn"]}
        assert stranger.get("/approvals", params=states).json() == {"approvals": [], "next": None}
