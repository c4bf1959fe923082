"""The command line for what is not about one job: many jobs, threads, assistants, webhooks, keys, projects, the audit log."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mutirao.cli import app
from mutirao.client import AsyncClient, Client
from mutirao.errors import PreconditionFailed, Unauthorized
from mutirao.ids import new_id
from mutirao.stack.embedded import EmbeddedParts
from typer.testing import CliRunner

from tests.driven import Driven
from tests.integration.test_cli_control import Run, asked, env, run  # noqa: F401 (fixtures)
from tests.servers import Servers, new_database, own_redis
from tests.stores import entry

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


async def test_many_jobs_are_submitted_counted_and_ended_at_once(driven: Driven, run: Run, tmp_path: Path) -> None:  # noqa: F811
    jobs = [{"workflow": driven.workflow, "input": {"n": n}, "metadata": {"n": n}} for n in range(3)]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    made = [row["id"] for row in (await asked(run, "jobs", "batch", "jobs.jsonl"))["results"]]
    assert len({*made}) == 3
    counted = await asked(run, "jobs", "counts", "--workflow", driven.workflow)
    assert counted == {"total": 3, "counts": {"queued": 3}}
    listed = await asked(
        run, "jobs", "list", "--workflow", driven.workflow, "--sort", "created_at", "--fields", "id,metadata"
    )
    assert listed["jobs"] == [{"id": job_id, "metadata": {"n": n}} for n, job_id in enumerate(made)]
    one = await run("jobs", "list", "--workflow", driven.workflow, "--metadata", '{"n": 1}', "--fields", "id,state")
    assert one.stdout.split() == ["id", "state", made[1], "queued"]
    unknown = await run("jobs", "list", "--fields", "id,colour")
    assert (unknown.returncode, "colour" in unknown.stderr) == (5, True)
    ended = await asked(run, "jobs", "cancel", "--all-matching", "--workflow", driven.workflow)
    assert {row["job"]["state"] for row in ended["results"]} == {"cancelled"}
    again = await run("jobs", "cancel", made[0], made[1])
    assert (again.returncode, again.stdout.count("conflict: ")) == (5, 2)
    refused = await run("jobs", "retry", "--all-matching", "--workflow", driven.workflow, "--state", "cancelled")
    assert (refused.returncode, refused.stdout.count("conflict: ")) == (5, 3)
    failed = await driven.failed()
    begun = await run("jobs", "retry", "--all-matching", "--workflow", driven.workflow, "--state", "failed")
    assert (begun.returncode, begun.stdout) == (0, f"job {failed.job_id}: queued\n")
    odd = await run("run", driven.workflow, "--detach", "--json", "--idempotency-key", "k", "--metadata", "[]")
    assert (odd.returncode, "--metadata" in odd.stderr) == (5, True)
    events = (await asked(run, "jobs", "journal", made[0]))["events"]
    assert [event["seq"] for event in events] == [*range(1, len(events) + 1)]


async def test_threads_are_made_changed_copied_and_deleted(driven: Driven, run: Run) -> None:  # noqa: F811
    made = await asked(run, "threads", "create", "--metadata", '{"team": "a"}', "--ttl-minutes", 60)
    assert made["metadata"] == {"team": "a"}
    changed = await asked(run, "threads", "change", made["id"], "--metadata", '{"who": "ana"}')
    assert (changed["metadata"], changed["revision"]) == ({"team": "a", "who": "ana"}, made["revision"] + 1)
    assert made["id"] in (await run("threads", "list")).stdout
    listed = await asked(run, "threads", "list", "--status", "idle", "--fields", "id")
    assert {"id": made["id"]} in listed["threads"]
    assert "status    idle" in (await run("threads", "show", made["id"])).stdout
    assert "0 (0 B)" in (await run("threads", "storage", made["id"])).stdout
    job = await asked(run, "run", driven.workflow, "--detach", "--thread", made["id"])
    assert job["thread_id"] == made["id"]
    assert (await run("threads", "delete", made["id"])).stdout == f"thread {made['id']} deleted\n"
    assert (await run("threads", "show", made["id"])).returncode == 3


async def test_an_approval_is_assigned_and_decided_by_kind(driven: Driven, run: Run) -> None:  # noqa: F811
    who = f"ana-{secrets.token_hex(4)}"
    _, [first, second, third] = await driven.asks("one?", "two?", {"n": 3})
    assert (await asked(run, "approvals", "assign", first.id, who))["assignee"] == who
    mine = await asked(run, "approvals", "list", "--assignee", who)
    assert [row["id"] for row in mine["approvals"]] == [str(first.id)]
    assert (await asked(run, "approvals", "assign", first.id, "--nobody"))["assignee"] is None
    assert (await asked(run, "approvals", "decide", first.id, "--edit", '{"n": 4}'))["decision"] == {"n": 4}
    both = await run("approvals", "decide", first.id, second.id, "--answer", '"yes"')
    assert (both.returncode, f"approval {second.id}: decided" in both.stdout) == (5, True)
    assert "already_decided" in both.stdout
    rejected = await asked(run, "approvals", "decide", third.id, "--reject", "--message", "no", "--comment", "sorry")
    assert (rejected["decision"], rejected["comment"]) == (False, "sorry")
    listed = await asked(run, "approvals", "list", "--state", "decided", "--job", first.job_id)
    assert len(listed["approvals"]) == 3


async def test_a_key_is_printed_once_and_gone_when_it_is_revoked(driven: Driven, run: Run) -> None:  # noqa: F811
    made = await run("keys", "create", "for the test", "--scope", "read")
    key = made.stdout.strip()
    assert (made.returncode, made.stdout.count("\n"), key.startswith("mk_")) == (0, 1, True)
    listed = await run("keys", "list", "--json")
    assert key not in listed.stdout
    [row] = [row for row in json.loads(listed.stdout)["keys"] if key.startswith(row["prefix"])]
    assert (row["name"], row["scopes"]) == ("for the test", ["read"])
    rotated = await asked(run, "keys", "rotate", row["id"], "--overlap", 0)
    assert rotated["key"] != key
    assert "read" in (await run("keys", "show", rotated["id"])).stdout
    async with AsyncClient(driven.servers.url, rotated["key"]) as client:
        assert (await client.project()).name == "default"
        assert "is revoked" in (await run("keys", "revoke", rotated["id"])).stdout
        with pytest.raises(Unauthorized):
            await client.project()
    found = await asked(run, "audit", "--resource", rotated["id"])
    assert any("revoke" in entry["action"] for entry in found["entries"])


async def test_a_project_is_made_and_its_key_opens_it_alone(driven: Driven, run: Run) -> None:  # noqa: F811
    name = f"p-{secrets.token_hex(4)}"
    made = await asked(run, "projects", "create", name)
    with Client(driven.servers.url, made["key"]) as client:
        read = client.project()
        assert (read.name, client.jobs()) == (name, [])
        assert client.change_project(revision=read.revision, max_running=3).max_running == 3
        with pytest.raises(PreconditionFailed):
            client.change_project(revision=read.revision, max_running=4)
    assert (await run("projects", "create", name)).returncode == 5


@pytest.fixture
def sealed(embedded: EmbeddedParts, tmp_path: Path) -> Iterator[CliRunner]:
    """Runs commands against an API that can keep secrets; nothing is sent by it."""
    with (
        new_database(embedded.database_url) as database,
        Servers(tmp_path / "sealed", database_url=database, redis_url=own_redis(embedded.redis_url)) as running,
    ):
        running.env |= {"MUTIRAO_SECRET_KEY": "a key for this test"}
        running.start_api()
        home = str(tmp_path / "home")
        yield CliRunner(env={"MUTIRAO_API_URL": running.url, "MUTIRAO_API_KEY": running.key, "MUTIRAO_HOME": home})


def test_a_webhook_shows_its_secret_once_and_its_messages_are_listed(sealed: CliRunner) -> None:
    def answer(*arguments: str) -> Any:
        ran = sealed.invoke(app, [*arguments, "--json"])
        assert ran.exit_code == 0, ran.stderr
        return json.loads(ran.stdout)

    added = ("webhooks", "add", "https://example.com/hook", "--event", "job.failed", "--name", "alarm", "--disabled")
    hook = answer(*added)
    shown = answer("webhooks", "show", hook["id"])
    assert ("secret" in shown, shown["events"], shown["enabled"]) == (False, ["job.failed"], False)
    changed = answer("webhooks", "change", hook["id"], "--event", "job.*", "--enable")
    assert (changed["events"], changed["enabled"]) == (["job.*"], True)
    assert answer("webhooks", "rotate", hook["id"], "--keep", "0")["secret"] not in (hook["secret"], None)
    sent = answer("webhooks", "test", hook["id"])
    for wanted in (("--webhook", hook["id"]), ("--state", "pending"), ("--event", sent["event"])):
        assert [row["id"] for row in answer("deliveries", "list", *wanted)["deliveries"]] == [sent["id"]]
    assert "pending" in sealed.invoke(app, ["deliveries", "show", sent["id"]]).stdout
    assert answer("deliveries", "replay", sent["id"])["event"] == sent["event"]
    assert "alarm" in sealed.invoke(app, ["webhooks", "list"]).stdout
    assert sealed.invoke(app, ["webhooks", "delete", hook["id"]]).exit_code == 0
    assert sealed.invoke(app, ["webhooks", "show", hook["id"]]).exit_code == 3


async def test_a_document_is_shown_and_fetched_as_it_was_sent(driven: Driven, run: Run, tmp_path: Path) -> None:  # noqa: F811
    await driven.stores.catalogue.publish(driven.worker, [entry("knowledge.ingest", "1")])
    (tmp_path / "goats.md").write_text("# Goats\n\nThey give milk.\n")
    added = await asked(run, "knowledge", "add", "goats.md", "-c", f"c-{secrets.token_hex(4)}")
    [document] = added["documents"]
    assert "goats.md, version 1" in (await run("knowledge", "show", document["id"])).stdout
    fetched = await asked(run, "knowledge", "fetch", document["id"], "--out", "copy.md")
    assert fetched == {"file": "copy.md", "size": (tmp_path / "goats.md").stat().st_size}
    assert (tmp_path / "copy.md").read_bytes() == (tmp_path / "goats.md").read_bytes()
    assert (await run("knowledge", "fetch", new_id(), "--out", "none.md")).returncode == 3


async def test_assistants_have_versions(driven: Driven, run: Run) -> None:  # noqa: F811
    made = await asked(run, "assistants", "create", driven.workflow, "--name", "press", "--config", '{"tags": ["a"]}')
    changed = await asked(run, "assistants", "change", made["id"], "--description", "for the press")
    assert (changed["version"], changed["description"]) == (made["version"] + 1, "for the press")
    versions = (await asked(run, "assistants", "versions", made["id"]))["assistants"]
    assert [row["version"] for row in versions] == [2, 1]
    assert (await asked(run, "assistants", "use", made["id"], 1))["version"] == 1
    listed = await asked(run, "assistants", "list", "--workflow", driven.workflow, "--name", "press")
    assert [row["id"] for row in listed["assistants"]] == [made["id"]]
    assert (await run("assistants", "delete", made["id"])).returncode == 0
    assert (await run("assistants", "show", made["id"])).returncode == 3


async def test_a_schedule_is_changed_and_keeps_the_rest(driven: Driven, run: Run) -> None:  # noqa: F811
    name = f"s-{secrets.token_hex(4)}"
    made = await asked(
        run, "schedules", "add", name, driven.workflow, "--cron", "0 6 * * *", "-i", "n=4", "--budget-model-calls", 3
    )
    assert (made["input"], made["options"]["budget"]["model_calls"]) == ({"n": 4}, 3)
    changed = await asked(run, "schedules", "change", made["id"], "--cron", "0 7 * * *")
    assert (changed["cron"], changed["input"], changed["options"]) == ("0 7 * * *", {"n": 4}, made["options"])
    assert (await run("schedules", "delete", made["id"])).returncode == 0


async def test_the_dashboard_is_opened_by_a_link_that_is_good_once(driven: Driven, run: Run) -> None:  # noqa: F811
    link = await asked(run, "open")
    assert link["url"] == f"{driven.servers.url}/ui/sign-in#{link['token']}"
    printed = await run("open", "--no-open")
    assert printed.stdout.startswith(f"{driven.servers.url}/ui/sign-in#")
    who = await asked(run, "whoami")
    assert who["scopes"] == ["read", "submit", "approve", "admin"]
    assert who["subject"] in (await run("whoami")).stdout
    with Client(driven.servers.url, driven.servers.key) as client:
        assert client.begin_session(link=link["token"]).subject == who["subject"]
        client.end_session()
        assert client.session().subject == who["subject"]


async def test_changes_are_followed_by_both_clients(driven: Driven) -> None:
    url, key = driven.servers.url, driven.servers.key
    async with AsyncClient(url, key) as client:
        changes = client.changes()
        assert (await anext(changes)).kind == "hello"
        assert (await anext(changes)).kind == "approvals"
        job = await driven.submit()
        async with asyncio.timeout(20):
            async for change in changes:
                if str(job) in [row["id"] for row in change.data.get("jobs", ())]:
                    break
        await changes.aclose()  # type: ignore[attr-defined] # it is a generator
    with Client(url, key) as blocking:
        assert next(blocking.changes()).kind == "hello"
