"""The command line where jobs stand still, ask, are begun anew or by the clock; the test itself is the worker."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mutirao.ids import new_id
from mutirao.jobs.records import NewEvent, Problem
from mutirao.jobs.states import JobState

from tests.command_line import invoked
from tests.driven import Driven, takes_a_number
from tests.integration.test_api_control import checkpoints_of
from tests.integration.test_cli_jobs import MUTIRAO
from tests.servers import Program, eventually
from tests.stores import submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def env(driven: Driven, tmp_path: Path) -> dict[str, str]:
    names = {name: value for name, value in driven.servers.env.items() if not name.startswith("MUTIRAO_")}
    address = {"MUTIRAO_API_URL": driven.servers.url, "MUTIRAO_API_KEY": driven.servers.key}
    return {**names, **address, "MUTIRAO_HOME": str(tmp_path / "home")}


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of `mutirao` to its end in this process, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(asyncio.to_thread, invoked, env)


async def asked(run: Run, *arguments: Any) -> Any:
    """The JSON document of a command that succeeds."""
    ran = await run(*arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


async def test_a_job_is_submitted_with_all_that_may_be_asked_for_it(driven: Driven, run: Run) -> None:
    job = await asked(
        run, "run", driven.workflow, "--detach", "--priority", 5, "--delay", 50, "--deadline", 100, "--max-attempts", 2,
        "--retry-failures", 4, "--step-seconds", 7, "--budget-tokens", 900, "--budget-cost", 0.5,
    )  # fmt: skip
    assert (job["priority"], job["max_attempts"], job["retry"]["failures"]) == (5, 2, 4)
    assert (job["limits"]["step_seconds"], job["budget"]["tokens"], job["budget"]["cost"]) == (7, 900, 0.5)
    assert job["available_at"] < job["deadline_at"]
    refused = await run("run", driven.workflow, "--detach", "--delay", 100, "--deadline", 50)
    assert (refused.returncode, "after its deadline" in refused.stderr) == (5, True)
    assert (await run("run", driven.workflow, "--detach", "--priority", 1000)).returncode == 5


async def test_a_paused_job_says_what_it_waits_for_while_it_is_followed(
    driven: Driven, env: dict[str, str], run: Run, tmp_path: Path
) -> None:
    claim, [approval] = await driven.asks({"send": "the letter"})
    following = Program("follow", [MUTIRAO, "jobs", "follow", str(claim.job_id)], env, tmp_path, tmp_path / "log")
    decide = f"`mutirao approvals decide {approval.id} --approve`"
    try:
        await asyncio.to_thread(eventually, lambda: decide in following.text(), "how to decide", logs=following.text)
        assert 'step ask asks: {"send": "the letter"}' in following.text()
        assert "paused, waits for approval" in following.text()
        assert following.exit_code is None
        decided = await asked(run, "approvals", "decide", approval.id, "--approve", "--comment", "go")
        assert (decided["decision"], decided["comment"]) == (True, "go")
        await driven.stores.claims.finish(await driven.claim(claim.job_id), JobState.SUCCEEDED, output={"sent": 1})
        assert await asyncio.to_thread(following.wait) == 0
        assert 'output: {"sent": 1}' in following.text()
    finally:
        following.kill()
    again = await run("approvals", "decide", approval.id, "--reject", "--json")
    assert (again.returncode, json.loads(again.stderr)["code"]) == (5, "already_decided")
    ended = await run("jobs", "follow", claim.job_id)
    assert (ended.returncode, "decide with" in ended.stdout) == (0, False)


async def test_approvals_are_listed_shown_and_decided_with_any_json(driven: Driven, run: Run) -> None:
    claim, [first, second] = await driven.asks("may I?", {"n": 1})
    listed = await asked(run, "approvals", "list", "--limit", 2)
    assert [row["id"] for row in listed["approvals"]] == [str(second.id), str(first.id)]
    shown = (await run("approvals", "show", first.id)).stdout
    assert '"may I?"' in shown
    assert f"mutirao approvals decide {first.id}" in shown
    decided = await asked(run, "approvals", "decide", first.id, "--decision", '{"edit": [1, null]}')
    assert decided["decision"] == {"edit": [1, None]}
    refused = await run("approvals", "decide", second.id, "--decision", "yes")
    assert (refused.returncode, "needs quotes" in refused.stderr) == (5, True)
    assert (await asked(run, "approvals", "decide", second.id, "--reject"))["decision"] is False
    of_job = await asked(run, "jobs", "approvals", claim.job_id)
    assert [row["state"] for row in of_job["approvals"]] == ["decided", "decided"]
    assert "decided" in (await run("jobs", "approvals", claim.job_id)).stdout
    assert (await run("approvals", "show", new_id())).returncode == 3


async def test_a_job_is_paused_resumed_and_shown_as_such(driven: Driven, run: Run) -> None:
    job = await driven.submit()
    assert f"`mutirao jobs resume {job}`" in (await run("jobs", "pause", job)).stdout
    listed = await asked(run, "jobs", "list", "--state", "paused", "--workflow", driven.workflow)
    assert [found["id"] for found in listed["jobs"]] == [str(job)]
    assert "paused (request)" in (await run("jobs", "show", job)).stdout
    assert (await asked(run, "jobs", "resume", job))["state"] == "queued"
    assert (await run("jobs", "resume", job)).returncode == 5
    await driven.claim(job)
    assert "is asked to pause and is running" in (await run("jobs", "pause", job)).stdout
    assert "running (pause asked for)" in (await run("jobs", "show", job)).stdout
    driven.http.post(f"/jobs/{job}/cancel", params={"wait": 0})
    assert "running (cancel asked for by key:" in (await run("jobs", "show", job)).stdout


async def test_a_job_is_retried_and_forked_from_a_checkpoint(driven: Driven, run: Run) -> None:
    claim = await driven.failed()
    await checkpoints_of(driven, claim.job_id, claim.thread_id)
    found = (await asked(run, "jobs", "checkpoints", claim.job_id))["checkpoints"]
    assert [row["step"] for row in found] == [2, 1, 0, -1]
    assert found[0]["id"] in (await run("jobs", "checkpoints", claim.job_id)).stdout
    given = ("--checkpoint", found[1]["id"], "--values", '{"n": 3}', "--as-node", "one")
    forked = await asked(run, "jobs", "fork", claim.job_id, *given)
    assert forked["id"] != str(claim.job_id)
    unknown = await run("jobs", "fork", claim.job_id, "--checkpoint", "none")
    assert (unknown.returncode, unknown.stderr.startswith("checkpoint_unknown: ")) == (3, True)
    odd = await run("jobs", "fork", claim.job_id, "--values", "[1]")
    assert (odd.returncode, "--values" in odd.stderr) == (5, True)
    retried = await asked(run, "jobs", "retry", claim.job_id, "--checkpoint", found[2]["id"], "--budget-tokens", 70)
    assert (retried["state"], retried["budget"]["tokens"]) == ("queued", 70)
    assert (await run("jobs", "retry", claim.job_id)).returncode == 5
    assert "0 tokens" in (await run("jobs", "usage", claim.job_id)).stdout


async def test_a_retried_job_is_followed_to_its_last_end(driven: Driven, env: dict[str, str], tmp_path: Path) -> None:
    claim = await driven.failed()
    argv = [MUTIRAO, "jobs", "retry", str(claim.job_id), "--follow"]
    following = Program("retry", argv, env, tmp_path, tmp_path / "log")
    try:
        await asyncio.to_thread(eventually, lambda: "retried" in following.text(), "the retry", logs=following.text)
        again = await driven.claim(claim.job_id)
        problem = Problem(code="budget_exhausted", message="2 of 1 tokens")
        await driven.stores.claims.finish(again, JobState.BUDGET_EXHAUSTED, error=problem)
        assert await asyncio.to_thread(following.wait) == 1
        assert "budget_exhausted: 2 of 1 tokens" in following.text()
    finally:
        following.kill()


async def test_children_are_listed_in_order(driven: Driven, run: Run) -> None:
    parent = await driven.running()
    wanted = [submission(driven.stores.project, workflow=driven.workflow) for _ in range(3)]
    made = await driven.stores.jobs.accept_many(wanted, parent=parent, group_id=new_id())
    found = (await asked(run, "jobs", "children", parent.job_id))["jobs"]
    assert [job["id"] for job in found] == [str(child) for child in made]
    assert len((await asked(run, "jobs", "children", parent.job_id, "--limit", 2))["jobs"]) == 2
    assert str(made[0]) in (await run("jobs", "children", parent.job_id)).stdout


async def test_schedules_are_added_stopped_and_started(driven: Driven, run: Run) -> None:
    name = f"s-{new_id()}"
    cron = ("--cron", "30 7 * * MON", "--timezone", "America/Sao_Paulo")
    added = await asked(run, "schedules", "add", name, driven.workflow, *cron, "-i", "n=3", "--priority", 2)
    schedule = added["id"]
    assert (added["input"], added["options"]["priority"], len(added["next_times"])) == ({"n": 3}, 2, 5)
    assert name in (await run("schedules", "list")).stdout
    shown = (await run("schedules", "show", schedule)).stdout
    assert shown.count("next ") == 5
    assert 'options   {"priority": 2}' in shown
    assert (await asked(run, "schedules", "pause", schedule))["next_at"] is None
    assert "off" in (await run("schedules", "list")).stdout
    assert (await asked(run, "schedules", "resume", schedule))["next_at"] == added["next_at"]
    job = await asked(run, "schedules", "trigger", schedule)
    assert (job["schedule_id"], job["input"]) == (schedule, {"n": 3})
    twice = await run("schedules", "add", name, driven.workflow, *cron)
    assert (twice.returncode, name in twice.stderr) == (5, True)
    odd = await run("schedules", "add", "x", driven.workflow, "--cron", "every day")
    assert (odd.returncode, "it needs five" in odd.stderr) == (5, True)
    assert (await run("schedules", "delete", schedule)).returncode == 0
    assert (await run("schedules", "show", schedule)).returncode == 3


async def test_limits_of_the_project_are_set_one_by_one(driven: Driven, run: Run) -> None:
    try:
        await asked(run, "project", "set", "--max-running", 9, "--budget-tokens", 5000)
        changed = await asked(run, "project", "set", "--budget-cost", 2.5)
        assert (changed["max_running"], changed["budget"]["tokens"], changed["budget"]["cost"]) == (9, 5000, 2.5)
        shown = (await run("project", "show")).stdout
        assert "of at most 9 running" in shown
        assert "of 5,000 in 20" in shown
    finally:
        changed = await asked(run, "project", "set", "--no-max-running", "--no-budget")
    assert (changed["max_running"], changed["budget"]) == (None, None)


FLOWS = """
from typing import TypedDict
from langgraph.graph import StateGraph
from mutirao_agents import workflow

class State(TypedDict, total=False):
    n: int

async def step(state):
    return {{}}

@workflow(name={name!r}, version={version!r})
def flow():
    graph = StateGraph(State)
    graph.add_sequence([(name, step) for name in {steps!r}])
    graph.set_entry_point({steps!r}[0])
    return graph
"""


def flows(folder: Path, name: str, version: str, *steps: str) -> None:
    (folder / "mutirao.toml").write_text('workflows = ["./flows.py"]\nbuiltin = false\n')
    (folder / "flows.py").write_text(FLOWS.format(name=name, version=version, steps=[*steps]))


async def test_a_check_names_what_a_new_version_would_leave_behind_or_break(
    driven: Driven, run: Run, tmp_path: Path
) -> None:
    paused, _ = await driven.asks("?", steps=["plan", "plan/look"])
    begun = await driven.running()
    done = NewEvent(type="step.started", step="plan", data={"id": "t"})
    await driven.stores.claims.hand_back(begun, [done, done.model_copy(update={"type": "step.finished"})])
    await driven.submit()  # has not begun: it takes whatever version there is
    await driven.failed()
    flows(tmp_path, driven.workflow, "1", "plan", "write")
    same = await asked(run, "workflows", "check")
    assert (same["jobs"], same["breaks"]) == ([], 0)
    flows(tmp_path, driven.workflow, "2", "plan", "write")
    found = await asked(run, "workflows", "check")
    assert {job["id"]: (job["state"], job["next_steps"], job["missing_steps"]) for job in found["jobs"]} == {
        str(paused.job_id): ("paused", ["plan", "plan/look"], []),
        str(begun.job_id): ("queued", [], []),
    }
    assert {(job["version"], job["new_version"]) for job in found["jobs"]} == {("1", "2")}
    flows(tmp_path, driven.workflow, "2", "sketch", "write")
    broken = await run("workflows", "check")
    assert (broken.returncode, "breaks: no step 'plan', 'plan/look' any more" in broken.stdout) == (1, True)
    assert f"`mutirao jobs retry {begun.job_id} --current-version`" in broken.stdout
    flows(tmp_path, driven.workflow, "1", "sketch")
    listed = await run("workflows", "check", "--json")
    assert (listed.returncode, json.loads(listed.stdout)["breaks"]) == (1, 1)
    (tmp_path / "flows.py").write_text("import os\nos._exit(7)\n")
    failed = await run("workflows", "check")
    assert (failed.returncode, failed.stderr.startswith("workflows_invalid: ")) == (5, True)


async def test_versions_of_a_workflow_are_shown_with_who_needs_them(driven: Driven, run: Run) -> None:
    await driven.running()
    await driven.stores.catalogue.publish(driven.worker, [takes_a_number(driven.workflow, "2")])
    found = (await asked(run, "workflows", "versions", driven.workflow))["versions"]
    assert [(row["version"], row["unfinished"]) for row in found] == [("2", {}), ("1", {"running": 1})]
    assert "1 running" in (await run("workflows", "versions", driven.workflow)).stdout
    for arguments in (("--json", driven.workflow), (driven.workflow, "--json"), ("show", driven.workflow, "--json")):
        assert json.loads((await run("workflows", *arguments)).stdout)["name"] == driven.workflow
    assert (await run("workflows", "nope")).returncode == 3
