"""The command line against a running API and worker, as processes of its own."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from mutirao.client import Client
from mutirao.errors import TooLarge
from mutirao.stack.embedded import EmbeddedParts

from tests.command_line import invoked
from tests.servers import Program, Servers, eventually

pytestmark = pytest.mark.integration

MUTIRAO = str(Path(sys.executable).with_name("mutirao"))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def env(servers: Servers, tmp_path: Path) -> dict[str, str]:
    names = {name: value for name, value in servers.env.items() if not name.startswith("MUTIRAO_")}
    return {
        **names, "MUTIRAO_API_URL": servers.url, "MUTIRAO_API_KEY": servers.key, "MUTIRAO_HOME": str(tmp_path / "home"),
    }  # fmt: skip


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    """Runs `mutirao` to its end, in an empty folder."""

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MUTIRAO, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True, input=given, timeout=60
        )

    return run


@pytest.fixture
def here(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same without a process, for what is no matter of processes."""
    monkeypatch.chdir(tmp_path)
    return partial(invoked, env)


def test_a_job_runs_and_its_record_is_one_json_document(run: Run) -> None:
    ran = run("run", "noop", "-i", "n=5", "--json")
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    assert (job["state"], job["input"], job["output"]) == ("succeeded", {"n": 5}, {"n": 8})
    assert (job["artifacts"], job["files"]) == ([], [])
    assert "c done" in ran.stderr


def test_people_see_the_steps_the_end_and_the_output(run: Run) -> None:
    ran = run("run", "noop", "--input", "-", given='{"n": 1}')
    assert ran.returncode == 0
    for text in ("a done", "b done", "c done", "succeeded in", 'output: {"n": 4}'):
        assert text in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_failed_job_is_code_1_with_the_reason(run: Run) -> None:
    ran = run("run", "boom", "-i", "n=1")
    assert ran.returncode == 1
    assert "step_failed: ValueError: no good: 2" in ran.stdout
    assert "mutirao jobs show" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_artifacts_are_written_below_the_folder(run: Run, tmp_path: Path) -> None:
    ran = run("run", "files", "--out", "out", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["files"] == ["out/notes/a b.txt", "out/page.html"]
    assert (tmp_path / "out" / "notes" / "a b.txt").read_bytes() == b"second"
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} == {"a b.txt", "page.html"}


def test_a_detached_job_is_listed_shown_and_followed_later(run: Run) -> None:
    job = json.loads(run("run", "noop", "--detach", "--json").stdout)
    followed = run("jobs", "follow", job["id"])
    assert (followed.returncode, "succeeded in" in followed.stdout) == (0, True)
    listed = json.loads(
        run("jobs", "list", "--workflow", "noop", "--state", "succeeded", "--limit", "1", "--json").stdout
    )
    assert [found["id"] for found in listed["jobs"]] == [job["id"]]
    shown = json.loads(run("jobs", "show", job["id"], "--json").stdout)
    assert (shown["state"], [attempt["worker"] for attempt in shown["attempts_made"]]) == ("succeeded", ["shared"])
    assert job["id"] in run("jobs", "list").stdout
    assert "attempt   1 by worker shared" in run("jobs", "show", job["id"]).stdout


def test_ctrl_c_leaves_the_job_running_and_says_how_to_go_on(
    run: Run, env: dict[str, str], servers: Servers, tmp_path: Path
) -> None:
    command = [MUTIRAO, "run", "three", "-i", f"witness={tmp_path / 'w'}", "-i", f"gate={tmp_path / 'gate'}"]
    program = Program("mutirao run", command, env, tmp_path, tmp_path / "log")
    eventually(lambda: "first done" in program.text(), "the first step is shown", logs=program.text)
    program.send(signal.SIGINT)
    assert program.wait() == 130
    job_id = program.text().partition("job ")[2][:36]
    assert f"job {job_id} goes on" in program.text()
    assert f"`mutirao jobs cancel {job_id}`" in program.text()
    assert "Traceback" not in program.text()
    assert servers.job(UUID(job_id))["state"] == "running"
    cancelled = run("jobs", "cancel", job_id)
    assert (cancelled.returncode, cancelled.stdout.strip()) == (0, f"job {job_id} cancelled")
    again = run("jobs", "cancel", job_id, "--json")
    assert (again.returncode, json.loads(again.stderr)["code"]) == (5, "conflict")
    assert run("jobs", "follow", job_id).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["run", "no_such"], 3, "workflow_unknown"),
        (["run", "no_such", "-i", "a=1"], 3, "workflow_unknown"),
        (["run", "noop", "--input", '{"n": "x"}'], 5, "input_rejected"),
        (["run", "noop", "--input", '{"m": 1}'], 5, "input_rejected"),
        (["run", "noop", "-i", "m=1"], 5, "invalid_input"),
        (["run", "noop", "--input", "{"], 5, "invalid_input"),
        (["run", "noop", "--file", "."], 5, "invalid_input"),
        (["jobs", "show", "00000000-0000-0000-0000-000000000000"], 3, "not_found"),
        (["jobs", "follow", "00000000-0000-0000-0000-000000000000"], 3, "not_found"),
        (["workflows", "no_such"], 3, "workflow_unknown"),
        (["knowledge", "list", "-c", "no_such_collection"], 3, "not_found"),
        (["--key", "mk_00000000.wrong", "workers"], 5, "unauthorized"),
        (["--url", "http://127.0.0.1:1", "workers"], 4, "not_running"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_goes_wrong_has_its_exit_code_and_one_line(
    here: Run, arguments: list[str], exit_code: int, code: str
) -> None:
    failed = here(*arguments)
    assert (failed.returncode, failed.stdout) == (exit_code, "")
    assert failed.stderr.startswith(f"{code}: ")
    assert "Traceback" not in failed.stderr
    problem = json.loads(here(*arguments, "--json").stderr)
    assert (problem["code"], bool(problem["detail"])) == (code, True)


def test_a_reader_who_goes_away_is_no_error(env: dict[str, str], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    for command in (["jobs", "list"], ["workflows", "--json"], ["run", "noop"]):
        ran = subprocess.run(
            [MUTIRAO, *command], env=env, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True
        )
        assert "Traceback" not in ran.stderr
        assert "BrokenPipe" not in ran.stderr
    os.close(write)


def test_workflows_and_workers_are_shown(run: Run) -> None:
    assert "start → a → b → c → end" in run("workflows", "noop").stdout
    assert "Three steps that add one." in run("workflows").stdout
    workers = run("workers")
    assert "shared" in workers.stdout
    assert "could not load no_such_module" in workers.stdout
    entries = json.loads(run("workers", "--json").stdout)["workers"]
    assert [worker["name"] for worker in entries] == ["shared"]


def test_an_empty_database_gets_its_schema(run: Run, env: dict[str, str], embedded: EmbeddedParts) -> None:
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(embedded.database_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            env["MUTIRAO_DATABASE_URL"] = f"{embedded.database_url.rpartition('/')[0]}/{name}"
            first, again = run("db", "upgrade", "--json"), run("db", "upgrade")
            assert (first.returncode, again.returncode) == (0, 0), first.stderr
            assert json.loads(first.stdout)["revision"] in again.stdout
            with psycopg.connect(env["MUTIRAO_DATABASE_URL"]) as connection:
                assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_a_file_is_sent_and_too_large_a_one_refused(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "ação.txt").write_text("hello")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(40 << 20)
    with Client(servers.url, servers.key) as client:
        upload = client.upload(tmp_path / "ação.txt")
        with pytest.raises(TooLarge, match="MUTIRAO_MAX_UPLOAD_BYTES"):
            client.upload(tmp_path / "large")
    assert (upload.name, upload.size) == ("ação.txt", 5)


def test_the_state_of_a_thread_is_shown_changed_and_looked_back_on(here: Run) -> None:
    job = json.loads(here("run", "noop", "-i", "n=1", "--json").stdout)
    thread = job["thread_id"]
    assert json.loads(here("threads", "state", thread, "--json").stdout)["values"]["n"] == 4
    changed = here("threads", "write", thread, '{"n": 9}', "--as-node", "b")
    assert (changed.returncode, changed.stderr) == (0, "")
    assert '{"n": 9}' in here("threads", "state", thread).stdout
    states = json.loads(here("threads", "history", thread, "--json").stdout)["states"]
    assert [states[0]["values"]["n"], states[1]["values"]["n"]] == [9, 4]
    assert states[0]["checkpoint"]["checkpoint_id"] in here("threads", "history", thread, "--limit", "1").stdout
    copied = json.loads(here("threads", "copy", thread, "--json").stdout)
    assert json.loads(here("threads", "state", copied["id"], "--json").stdout)["values"]["n"] == 9
    assert json.loads(here("threads", "storage", thread, "--json").stdout)["checkpoints"]["count"] > 0
