"""Webhooks: what happens is written with what it tells of, sent until it is taken, and signed."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from mutirao.deliveries import Delivery, DeliveryState, DeliveryStore
from mutirao.errors import NotFound
from mutirao.ids import new_id
from mutirao.jobs.approvals import ApprovalStore, Question
from mutirao.jobs.records import Claim, Problem, RunOptions
from mutirao.jobs.states import JobState
from mutirao.outbound import Outbound
from mutirao.projects import Projects
from mutirao.secrets_box import SecretsBox
from mutirao.settings import Settings, WebhookSettings
from mutirao.stack.embedded import EmbeddedParts
from mutirao.webhooks import NewWebhook, WebhookStore, WebhookWithSecret
from mutirao_workers.sending import Sender
from pydantic import SecretStr
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier

from tests.receiver import Message, Receiver, receiver
from tests.servers import Servers, new_database, own_redis
from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

KEY = "a key for tests of webhooks"


def settings(**more: Any) -> Settings:
    values = {"secret_key": SecretStr(KEY), "outbound_allow": "127.0.0.1", "webhook_backoff_seconds": 0.001} | more
    return Settings(webhooks=WebhookSettings(**values))


@dataclass
class Hooks:
    """A project with stores, a sender in this process and a receiver."""

    store: Stores
    webhooks: WebhookStore
    deliveries: DeliveryStore
    receiver: Receiver

    async def add(self, path: str, *events: str, **more: Any) -> WebhookWithSecret:
        new = NewWebhook(url=self.receiver.url(path), events=list(events), **more)
        return await self.webhooks.add(self.store.project, new)

    async def log(self, **wanted: Any) -> list[Delivery]:
        """Deliveries, oldest first."""
        return (await self.deliveries.page(self.store.project, **wanted))[::-1]

    async def send(self, rounds: int = 1, **more: Any) -> None:
        """Send what is due, so many times; nothing of it is put off any longer."""
        sender = Sender(self.store.db, settings(**more))
        for _ in range(rounds):
            await self.store.run("UPDATE webhook_deliveries SET next_at = now() WHERE state = 'pending'")
            await sender.once()
            await sender.idle()
        await sender.close()

    async def ended(self, state: JobState = JobState.SUCCEEDED, **fields: Any) -> Claim:
        claim = await self.store.claimed(**fields)
        error = None if state is JobState.SUCCEEDED else Problem(code="step_failed", message="no good")
        await self.store.claims.finish(claim, state, output={"n": 1}, error=error)
        return claim


@pytest.fixture
async def hooks(database_url: str) -> AsyncIterator[Hooks]:
    with receiver() as found:
        async with stores(database_url) as store:
            webhooks = WebhookStore(store.db, Outbound("127.0.0.1"), SecretsBox(SecretStr(KEY)))
            yield Hooks(store, webhooks, DeliveryStore(store.db, settings().webhooks), found)


def verified(message: Message, secret: str) -> Any:
    return Verifier(secret).verify(message.body, message.headers)


async def test_an_end_is_told_signed_to_whom_its_type_concerns(hooks: Hooks) -> None:
    failures = await hooks.add("/failures", "job.failed")
    everything = await hooks.add("/all", "*")
    await hooks.add("/off", "*", enabled=False)
    await hooks.add("/approvals", "approval.*")
    good = await hooks.ended(metadata={"customer": 7})
    bad = await hooks.ended(JobState.FAILED)
    await hooks.send()
    assert sorted(message.path for message in hooks.receiver.messages) == ["/all", "/all", "/failures"]
    [message] = hooks.receiver.at("/failures")
    told = verified(message, failures.secret)
    assert (told["type"], told["data"]["job"]["id"]) == ("job.failed", str(bad.job_id))
    assert told["data"]["job"]["error"]["code"] == "step_failed"
    of_all = {
        told["data"]["job"]["id"]: told for told in (verified(m, everything.secret) for m in hooks.receiver.at("/all"))
    }
    assert of_all[str(good.job_id)]["data"]["job"]["metadata"] == {"customer": 7}
    assert set(of_all) == {str(good.job_id), str(bad.job_id)}
    log = await hooks.log()
    assert [(row.state, row.attempts, [one.status for one in row.tries]) for row in log] == [
        ("delivered", 1, [204])
    ] * 3
    assert {row.job_id for row in await hooks.log(job=bad.job_id)} == {bad.job_id}


async def test_what_is_rolled_back_tells_nobody(hooks: Hooks) -> None:
    await hooks.add("/all", "*")
    claim = await hooks.store.claimed()

    async def fails(connection: Any) -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError):
        await hooks.store.claims.hold(claim, JobState.PAUSED, "approval", also=fails)
    assert await hooks.log() == []


async def test_a_message_is_sent_again_with_the_same_id_until_it_is_taken(hooks: Hooks) -> None:
    webhook = await hooks.add("/hook", "job.*")
    hooks.receiver.answers["/hook"] = [500, 302]
    await hooks.ended()
    await hooks.send(rounds=3)
    messages = hooks.receiver.at("/hook")
    assert len(messages) == 3
    [delivery] = await hooks.log()
    assert {message.headers["webhook-id"] for message in messages} == {f"msg_{delivery.id.hex}"}
    assert [verified(message, webhook.secret)["type"] for message in messages] == ["job.succeeded"] * 3
    assert (delivery.state, [one.status for one in delivery.tries]) == ("delivered", [500, 302, 204])
    assert delivery.tries[0].error is not None
    assert hooks.receiver.at("/elsewhere") == []


async def test_attempts_have_an_end_and_a_replay_begins_anew(hooks: Hooks) -> None:
    await hooks.add("/hook", "job.*")
    hooks.receiver.answers["/hook"] = [500] * 3
    await hooks.ended()
    await hooks.send(rounds=5, webhook_attempts=3)
    [delivery] = await hooks.log(state=DeliveryState.FAILED)
    assert delivery.attempts == 3
    replayed = await hooks.deliveries.replay(hooks.store.project, delivery.id)
    assert (replayed.state, replayed.attempts) == ("pending", 0)
    await hooks.send()
    [delivery] = await hooks.log()
    assert (delivery.state, delivery.attempts, len(delivery.tries)) == ("delivered", 1, 4)
    assert len({message.headers["webhook-id"] for message in hooks.receiver.messages}) == 1


async def test_a_receiver_that_is_gone_switches_its_webhook_off(hooks: Hooks) -> None:
    webhook = await hooks.add("/gone", "job.*")
    hooks.receiver.answers["/gone"] = [410]
    await hooks.ended()
    await hooks.send(rounds=2)
    assert (await hooks.webhooks.get(hooks.store.project, webhook.id)).enabled is False
    await hooks.ended()
    assert [row.state for row in await hooks.log()] == ["failed"]
    assert len(hooks.receiver.messages) == 1


async def test_a_slow_receiver_holds_up_no_other(hooks: Hooks) -> None:
    await hooks.add("/slow", "job.failed")
    with receiver() as quick:
        new = NewWebhook(url=quick.url("/quick"), events=["job.succeeded"])
        await hooks.webhooks.add(hooks.store.project, new)
        hooks.receiver.held.add("/slow")
        for _ in range(6):
            await hooks.ended(JobState.FAILED)
        await hooks.ended()
        sender = Sender(hooks.store.db, settings(webhook_concurrency=8))
        assert await sender.once() == 3  # two to the slow one, one to the other
        async with asyncio.timeout(20):
            while not await hooks.log(state=DeliveryState.DELIVERED):
                await asyncio.sleep(0.01)
        assert len(quick.messages) == 1
        assert await sender.once() == 0
        hooks.receiver.let_go.set()
        await sender.idle()
        await sender.close()
    assert [row.state for row in await hooks.log()].count("delivered") == 3


async def test_a_sender_that_dies_between_sending_and_noting_leaves_it_to_another(hooks: Hooks) -> None:
    await hooks.add("/hook", "job.*")
    hooks.receiver.held.add("/hook")
    await hooks.ended()
    dying = Sender(hooks.store.db, settings())
    await dying.once()
    async with asyncio.timeout(20):
        while not hooks.receiver.messages:
            await asyncio.sleep(0.01)
    await dying.close()
    hooks.receiver.held.clear()
    hooks.receiver.let_go.set()
    other = Sender(hooks.store.db, settings())
    assert await other.once() == 0, "it is taken for as long as a call may last"
    await other.close()
    await hooks.send()
    first, second = hooks.receiver.messages
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    [delivery] = await hooks.log()
    assert (delivery.state, delivery.attempts, len(delivery.tries)) == ("delivered", 2, 1)


async def test_what_a_late_sender_notes_counts_no_more(hooks: Hooks) -> None:
    await hooks.add("/hook", "job.*")
    await hooks.ended()
    [late] = await hooks.deliveries.take(5)
    await hooks.send()
    await hooks.deliveries.record(late, status=500, error="late", milliseconds=1, final=True)
    [delivery] = await hooks.log()
    assert (delivery.state, [one.status for one in delivery.tries]) == ("delivered", [204])


async def test_both_secrets_sign_while_the_old_one_is_kept(hooks: Hooks) -> None:
    webhook = await hooks.add("/hook", "job.*")
    rotated = await hooks.webhooks.rotate(hooks.store.project, webhook.id, keep_seconds=600)
    assert rotated.secret != webhook.secret
    await hooks.ended()
    await hooks.send()
    [message] = hooks.receiver.messages
    assert verified(message, webhook.secret) == verified(message, rotated.secret)
    last = await hooks.webhooks.rotate(hooks.store.project, webhook.id)
    await hooks.ended()
    await hooks.send()
    message = hooks.receiver.messages[1]
    assert len(message.headers["webhook-signature"].split()) == 1
    assert verified(message, last.secret)["type"] == "job.succeeded"


async def test_secrets_are_not_in_the_database_as_they_are(hooks: Hooks) -> None:
    webhook = await hooks.add("/hook", "job.*")
    [row] = await hooks.store.run("SELECT secret, CAST(webhooks AS text) AS all FROM webhooks")
    assert webhook.secret not in row.all
    assert webhook.secret.removeprefix("whsec_").encode() not in row.secret


async def test_without_the_key_nothing_is_sent_that_must_be_signed(hooks: Hooks) -> None:
    await hooks.add("/hook", "job.*")
    await hooks.ended(webhook=hooks.receiver.url("/own"))
    await hooks.send(secret_key=None)
    [message] = hooks.receiver.messages
    assert (message.path, "webhook-signature" in message.headers) == ("/own", False)
    assert sorted(row.state for row in await hooks.log()) == ["delivered", "pending"]


async def test_an_address_that_is_refused_at_sending_is_given_up(hooks: Hooks) -> None:
    await hooks.add("/hook", "job.*")
    await hooks.ended()
    await hooks.send(outbound_allow="")
    [delivery] = await hooks.log()
    assert (delivery.state, hooks.receiver.messages) == ("failed", [])
    assert "not a public address" in str(delivery.tries[0].error)


# A job's own webhook.


async def test_a_job_tells_its_own_webhook_with_its_output(hooks: Hooks) -> None:
    claim = await hooks.ended(webhook=hooks.receiver.url("/own"))
    await hooks.send()
    [message] = hooks.receiver.messages
    told: Any = message.json
    assert (told["type"], told["data"]["job"]["id"]) == ("job.succeeded", str(claim.job_id))
    assert told["data"]["job"]["output"] == {"n": 1}
    assert "webhook-signature" not in message.headers
    # Whoever may submit says what that message is: it is signed for nobody.
    await hooks.add("/own", "approval.requested")
    await hooks.ended(webhook=hooks.receiver.url("/own"))
    await hooks.send()
    assert "webhook-signature" not in hooks.receiver.messages[1].headers


async def test_projects_take_turns_and_no_address_stays_for_ever(hooks: Hooks) -> None:
    other = await Projects(hooks.store.db).ensure("another")
    fill = (
        "INSERT INTO webhook_deliveries (id, project_id, url, event, payload, next_at) SELECT gen_random_uuid(), :project,"
        " :url || n, 'x', '{}', now() - make_interval(secs => :late) FROM generate_series(1, CAST(:many AS int)) AS n"
    )
    mine = {"project": hooks.store.project, "url": "http://one-", "late": 60, "many": 300}
    await hooks.store.run(fill, **mine)
    await hooks.store.run(fill, **(mine | {"project": other, "url": "no address ", "late": 1, "many": 2}))
    taken = await hooks.deliveries.take(6)
    assert sorted(one.url[:3] for one in taken) == ["htt"] * 4 + ["no "] * 2


async def test_a_run_is_told_as_the_clients_of_langgraph_expect(hooks: Hooks) -> None:
    run = RunOptions(kwargs={"input": {"n": 0}}, multitask_strategy="reject")
    claim = await hooks.store.claimed(webhook=hooks.receiver.url("/run"), run=run)

    async def values(connection: Any) -> None:
        await connection.execute(
            text('UPDATE threads SET "values" = \'{"n": 5}\' WHERE id = :id'), {"id": claim.thread_id}
        )

    question = Question(id=new_id(), interrupt_id="i", task_id="t", request="?")
    approvals = ApprovalStore(hooks.store.db)

    async def also(connection: Any) -> None:
        await approvals.open(connection, claim, [question])
        await values(connection)

    await hooks.store.claims.hold(claim, JobState.PAUSED, "approval", also=also)
    await hooks.store.run("UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = :id", id=claim.job_id)
    await hooks.ended(JobState.FAILED, webhook=hooks.receiver.url("/run"), run=RunOptions())
    await hooks.send()
    asked, failed = sorted(
        (m.json for m in hooks.receiver.messages), key=lambda told: str(told["status"]), reverse=True
    )
    assert (asked["run_id"], asked["thread_id"]) == (str(claim.job_id), str(claim.thread_id))
    assert (asked["status"], asked["values"], asked["kwargs"]) == ("success", {"n": 5}, {"input": {"n": 0}})
    assert asked["multitask_strategy"] == "reject"
    assert {"assistant_id", "created_at", "updated_at", "metadata", "run_started_at", "run_ended_at"} < set(asked)
    assert asked["webhook_sent_at"]
    assert "error" not in asked
    assert (failed["status"], failed["error"]) == ("error", "no good")


async def test_a_job_that_is_deleted_with_its_end_tells_nobody(hooks: Hooks) -> None:
    await hooks.add("/all", "*")
    job = await hooks.store.accept(webhook=hooks.receiver.url("/own"))
    async with hooks.store.db.begin() as connection:
        for statement in ("UPDATE jobs SET state = 'cancelled' WHERE id = :id", "DELETE FROM jobs WHERE id = :id"):
            await connection.execute(text(statement), {"id": job.id})
    assert await hooks.log() == []


async def test_children_tell_nobody(hooks: Hooks) -> None:
    await hooks.add("/all", "*")
    claim = await hooks.store.claimed()
    await hooks.store.run("UPDATE jobs SET parent_id = id WHERE id = :id", id=claim.job_id)
    await hooks.store.claims.finish(claim, JobState.SUCCEEDED)
    assert await hooks.log() == []


async def test_one_of_another_project_is_unknown(hooks: Hooks) -> None:
    webhook = await hooks.add("/all", "*")
    await hooks.ended()
    [delivery] = await hooks.log()
    other = await hooks.store.projects.ensure("other")
    for call in (hooks.webhooks.get, hooks.webhooks.rotate, hooks.webhooks.delete, hooks.deliveries.test):
        with pytest.raises(NotFound):
            await call(other, webhook.id)
    for call in (hooks.deliveries.get, hooks.deliveries.replay):
        with pytest.raises(NotFound):
            await call(other, delivery.id)
    assert await hooks.deliveries.page(other) == await hooks.webhooks.page(other) == []


async def test_what_belongs_to_no_job_is_forgotten(hooks: Hooks) -> None:
    webhook = await hooks.add("/all", "*")
    await hooks.deliveries.test(hooks.store.project, webhook.id)
    await hooks.send()
    await hooks.deliveries.test(hooks.store.project, webhook.id)
    await hooks.store.run("UPDATE webhook_deliveries SET created_at = now() - interval '3 days'")
    assert await hooks.deliveries.forget(4) == 0
    assert await hooks.deliveries.forget(2) == 1


# The whole.


@pytest.fixture(scope="module")
def system(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An API and a worker that may call this host."""
    folder = tmp_path_factory.mktemp("webhooks")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as running,
    ):
        running.env |= {"MUTIRAO_SECRET_KEY": KEY, "MUTIRAO_OUTBOUND_ALLOW": "127.0.0.1"}
        running.start_api()
        running.start_worker("one", lease_seconds="3", outbound_seconds="2")
        yield running


def test_webhooks_over_http(system: Servers) -> None:
    with receiver() as found:
        body = {"name": "all", "url": found.url("/hook"), "events": ["job.*"]}
        made = system.http.post("/webhooks", json=body)
        assert (made.status_code, made.headers["etag"]) == (201, '"1"')
        path, secret = f"/webhooks/{made.json()['id']}", made.json()["secret"]
        shown = system.http.get(path)
        assert "secret" not in shown.json()
        assert shown.json() in system.http.get("/webhooks").json()["webhooks"]
        assert system.http.post(f"{path}/test").status_code == 202
        system.until(lambda: found.at("/hook"), "the test message comes")
        assert verified(found.messages[0], secret)["type"] == "webhook.test"
        changed = system.http.patch(path, json={"name": "more"}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.json()["name"], changed.headers["etag"]) == (200, "more", '"2"')
        stale = system.http.patch(path, json={"name": "x"}, headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["code"], stale.json()["revision"]) == (412, "precondition_failed", 2)
        job = system.run("noop", {"n": 1}, webhook=found.url("/own"))
        system.until(lambda: found.at("/own") and len(found.at("/hook")) == 2, "both are told")
        listed = system.http.get("/deliveries", params={"job": job["id"], "limit": 1}).json()
        rest = system.http.get("/deliveries", params={"job": job["id"], "cursor": listed["next"]}).json()
        assert {row["url"] for row in listed["deliveries"] + rest["deliveries"]} == {
            found.url("/own"),
            found.url("/hook"),
        }
        system.until(
            lambda: all(row["state"] == "delivered" for row in system.http.get("/deliveries").json()["deliveries"]),
            "both are noted",
        )
        log = system.http.get(f"{path}/deliveries", params={"state": "delivered", "event": "job.succeeded"}).json()
        [delivery] = log["deliveries"]
        assert delivery == system.http.get(f"/deliveries/{delivery['id']}").json()
        assert system.http.post(f"/deliveries/{delivery['id']}/replay").status_code == 202
        system.until(lambda: len(found.at("/hook")) == 3, "it comes again")
        assert len({message.headers["webhook-id"] for message in found.at("/hook")[1:]}) == 1
        rotated = system.http.post(f"{path}/rotate", json={"keep_seconds": 60}).json()
        assert rotated["secret"] != secret
        acts = [row[0] for row in system.sql("SELECT action FROM audit_log ORDER BY id")]
        assert acts == ["webhook.create", "webhook.change", "delivery.replay", "webhook.rotate"]
        assert system.http.delete(path).status_code == 204
        assert system.http.get(path).json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://10.0.0.1/x", "events": ["*"]}, "address_refused"),
        ({"url": "http://2130706434/x", "events": ["*"]}, "address_refused"),
        ({"url": "http://localhost/x", "events": ["*"]}, "address_refused"),
        ({"url": "http://a:b@example.com/x", "events": ["*"]}, "address_refused"),
        ({"url": "https://192.0.2.1/x", "events": ["job.nothing"]}, "invalid_input"),
        ({"url": "https://192.0.2.1/x", "events": []}, "invalid_request"),
        ({"url": "https://192.0.2.1/x", "events": ["*"], "surprise": 1}, "invalid_request"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(system: Servers, body: dict[str, Any], code: str) -> None:
    answer = system.http.post("/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


def test_a_job_with_an_internal_webhook_is_refused(system: Servers) -> None:
    body = {"workflow": "noop", "input": {"n": 1}, "webhook": "http://169.254.169.254/latest/meta-data"}
    answer = system.http.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
    assert "MUTIRAO_OUTBOUND_ALLOW" in answer.json()["detail"]
    protocol = system.http.base_url.copy_with(path="/")
    run = {"assistant_id": "noop", "input": {"n": 1}, "webhook": body["webhook"]}
    for path, more in (("runs", {}), ("runs/wait", {}), ("runs/crons", {"schedule": "0 0 1 1 *"})):
        assert system.http.post(protocol.join(path), json=run | more).status_code == 422, path


def test_another_project_sees_none_of_it(system: Servers) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate")):
        answer = system.http.request(method, f"/webhooks/{uuid4()}{path}", json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)


def test_a_worker_killed_while_it_sends_leaves_the_message_to_its_successor(system: Servers) -> None:
    with receiver() as found:
        found.held.add("/held")
        job = UUID(system.run("noop", {"n": 1}, webhook=found.url("/held"))["id"])
        system.until(lambda: found.at("/held"), "it is being sent")
        worker = system.the_worker("one")
        worker.send(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        worker.kill()
        found.held.clear()
        found.let_go.set()
        system.start_worker("one", lease_seconds="3", outbound_seconds="2")

        def delivered() -> bool:
            rows = system.sql("SELECT state FROM webhook_deliveries WHERE job_id = %s", job)
            return rows == [("delivered",)]

        system.until(delivered, "another worker sends it")
        messages = found.at("/held")
        assert len(messages) == 2
        assert messages[0].headers["webhook-id"] == messages[1].headers["webhook-id"]
        assert messages[0].body == messages[1].body


def test_without_a_key_no_webhook_is_kept(embedded: EmbeddedParts, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(new_database(embedded.database_url))
        redis = own_redis(embedded.redis_url)
        running = stack.enter_context(Servers(tmp_path, database_url=url, redis_url=redis, env=embedded.env))
        running.env.pop("MUTIRAO_SECRET_KEY", None)
        running.start_api(outbound_allow="127.0.0.1")
        answer = running.http.post("/webhooks", json={"url": "http://127.0.0.1/x", "events": ["*"]})
        assert (answer.status_code, answer.json()["code"]) == (503, "no_secret_key")
        assert "MUTIRAO_SECRET_KEY" in answer.json()["detail"]
