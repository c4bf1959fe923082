"""The command as a whole, without a server: help, usage, errors, `init`."""

import json
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mutirao.cli import app
from mutirao.cli.failures import exit_code_of, problem_of
from mutirao.client.problems import error_of
from mutirao.errors import Conflict, InputRejected, MutiraoError, NotFound, PartFailed, StepFailed, Unauthorized
from typer.testing import CliRunner

HELP_SECONDS = 0.5
COMMANDS = [
    ["run"], ["jobs", "list"], ["jobs", "show"], ["jobs", "follow"], ["jobs", "cancel"], ["knowledge", "add"],
    ["knowledge", "search"], ["knowledge", "list"], ["knowledge", "delete"], ["workflows"], ["workers"], ["db", "upgrade"],
    ["init"], ["demo"], ["up"], ["down"], ["status"], ["doctor"], ["models", "pull"], ["workflows", "show"],
    ["workflows", "versions"], ["workflows", "check"], ["project", "show"], ["project", "set"],
    *(["jobs", verb] for verb in ("pause", "resume", "retry", "fork", "children", "checkpoints", "usage", "approvals")),
    *(["jobs", verb] for verb in ("batch", "counts", "journal")),
    *(["approvals", verb] for verb in ("list", "show", "decide", "assign")),
    *(["schedules", verb] for verb in ("list", "add", "show", "change", "pause", "resume", "delete", "trigger")),
    *(["threads", verb] for verb in ("list", "show", "create", "change", "delete", "copy", "state", "write")),
    *(["threads", verb] for verb in ("history", "storage")),
    *(["assistants", verb] for verb in ("list", "show", "create", "change", "delete", "versions", "use")),
    *(["webhooks", verb] for verb in ("list", "add", "show", "change", "delete", "test", "rotate")),
    *(["deliveries", verb] for verb in ("list", "show", "replay")),
    *(["keys", verb] for verb in ("list", "create", "show", "revoke", "rotate")),
    ["open"], ["whoami"], ["jobs", "watch"], ["queues"], ["knowledge", "chunks"],
    ["projects", "list"], ["projects", "create"], ["audit"], ["knowledge", "show"], ["knowledge", "fetch"],
]  # fmt: skip


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A runner in an empty folder, with settings that name nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("MUTIRAO_API_URL", "MUTIRAO_API_KEY", "MUTIRAO_DATABASE_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("MUTIRAO_HOME", str(tmp_path / "home"))
    return CliRunner()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(cli: CliRunner, command: list[str]) -> None:
    shown = cli.invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert f"Usage: mutirao {' '.join(command)}" in shown.stdout


def test_help_documents_the_exit_codes_and_answers_at_once(cli: CliRunner) -> None:
    shown = " ".join(cli.invoke(app, ["--help"]).stdout.split())
    for code in ("0 done", "1 the job failed", "2 wrong usage", "3 not found", "4 unavailable", "5 refused"):
        assert code in shown
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([Path(sys.executable).with_name("mutirao"), "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < HELP_SECONDS


def test_no_command_at_all_shows_the_help(cli: CliRunner) -> None:
    assert "Commands:" in cli.invoke(app, []).output


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["jobs", "show", "not-a-uuid"], ["jobs", "list", "--state", "odd"], ["jobs", "list", "--limit", "0"],
     ["run"], ["run", "w", "--file", "/no/such/file"], ["run", "w", "--detach", "--out", "x"], ["knowledge", "search", "x"],
     ["knowledge", "add", "/no/such/file", "-c", "notes"], ["run", "w", "--delay", "-1"], ["project", "set"],
     ["project", "set", "--max-running", "1", "--no-max-running"], ["schedules", "add", "name", "w"],
     ["approvals", "decide", "00000000-0000-0000-0000-000000000000"],
     ["approvals", "decide", "00000000-0000-0000-0000-000000000000", "--approve", "--reject"],
     ["approvals", "decide", "00000000-0000-0000-0000-000000000000", "--approve", "--message", "why"],
     ["approvals", "assign", "00000000-0000-0000-0000-000000000000"],
     ["jobs", "cancel"], ["jobs", "cancel", "--all-matching"], ["jobs", "cancel", "--state", "queued"],
     ["jobs", "cancel", "00000000-0000-0000-0000-000000000000", "--all-matching", "--workflow", "w"],
     ["jobs", "retry", "--all-matching", "--workflow", "w", "--current-version"], ["threads", "change", "x"],
     ["threads", "change", "00000000-0000-0000-0000-000000000000"], ["keys", "create", "n", "--scope", "everything"],
     ["webhooks", "change", "00000000-0000-0000-0000-000000000000"], ["jobs", "list", "--after", "yesterday"],
     ["schedules", "change", "00000000-0000-0000-0000-000000000000"],
     ["approvals", "decide", "not-a-uuid", "--approve"], ["jobs", "children", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_code_2(cli: CliRunner, arguments: list[str]) -> None:
    assert cli.invoke(app, arguments).exit_code == 2


def test_without_a_stack_the_remedy_is_named(cli: CliRunner, tmp_path: Path) -> None:
    failed = cli.invoke(app, ["workers"])
    assert (failed.exit_code, failed.stdout) == (4, "")
    assert failed.stderr.startswith("not_running: no stack is running on ")
    assert "`mutirao up`" in failed.stderr
    assert str(tmp_path / "home") in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_errors_are_problems_for_programs(cli: CliRunner) -> None:
    failed = cli.invoke(app, ["jobs", "list", "--json"])
    assert (failed.exit_code, failed.stdout) == (4, "")
    problem = json.loads(failed.stderr)
    assert (problem["code"], problem["status"]) == ("not_running", 503)
    assert problem["type"] == "urn:mutirao:problem:not_running"


def test_the_key_of_the_local_stack_is_sent_nowhere_else(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "api.key").write_text("mk_12345678.localsecret")
    failed = cli.invoke(app, ["--url", "http://127.0.0.1:9", "workers"])
    assert failed.exit_code == 5
    assert failed.stderr.startswith("unauthorized: no key for http://127.0.0.1:9")
    assert "localsecret" not in failed.output


def test_a_setting_that_is_none_is_named(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTIRAO_API_PROT", "1")
    failed = cli.invoke(app, ["workers"])
    assert failed.exit_code == 5
    assert failed.stderr.startswith(
        "settings_invalid: unknown setting 'MUTIRAO_API_PROT'; did you mean MUTIRAO_API_PORT?"
    )


def test_a_file_that_cannot_be_written_is_an_error_and_no_traceback(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed = cli.invoke(app, ["init", str(tmp_path / "file" / "project")])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("file_failed: ")
    assert str(tmp_path / "file") in failed.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFound("x"), 3), (error_of(404, {"code": "comet_unknown"}), 3), (PartFailed("x"), 4), (InputRejected("x"), 5),
     (Unauthorized("x"), 5), (Conflict("x"), 5), (StepFailed("x"), 1), (MutiraoError("x"), 1)],
)  # fmt: skip
def test_exit_codes_are_stable(error: MutiraoError, code: int) -> None:
    assert exit_code_of(error) == code
    assert json.loads(json.dumps(problem_of(error)))["code"] == error.code


def test_the_database_needs_a_url_that_is_one(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = cli.invoke(app, ["db", "upgrade"])
    assert (unset.exit_code, "MUTIRAO_DATABASE_URL is not set" in unset.stderr) == (5, True)
    monkeypatch.setenv("MUTIRAO_DATABASE_URL", "no url: secret")
    odd = cli.invoke(app, ["db", "upgrade"])
    assert (odd.exit_code, "secret" in odd.stderr) == (5, False)
    monkeypatch.setenv("MUTIRAO_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/d")
    away = cli.invoke(app, ["db", "upgrade", "--json"])
    assert (away.exit_code, json.loads(away.stderr)["code"], "hidden" in away.stderr) == (4, "unavailable", False)


def test_init_writes_a_project_and_nothing_over_another(cli: CliRunner, tmp_path: Path) -> None:
    made = cli.invoke(app, ["init", "my-project", "--json"])
    assert made.exit_code == 0
    project = tmp_path / "my-project"
    files = json.loads(made.stdout)["files"]
    assert {*files} == {path.name for path in project.iterdir()}
    assert {*files} == {".gitignore", "README.md", "flows.py", "mutirao.toml", "test_flows.py"}
    assert "my-project" in (project / "README.md").read_text(encoding="utf-8")
    assert tomllib.loads((project / "mutirao.toml").read_text())["workflows"] == ["./flows.py"]
    assert not any("$" in path.read_text(encoding="utf-8") for path in project.iterdir())
    (project / "flows.py").write_text("mine")
    again = cli.invoke(app, ["init", "my-project"])
    assert (again.exit_code, (project / "flows.py").read_text()) == (5, "mine")
    (tmp_path / "empty").mkdir()
    assert cli.invoke(app, ["init", "empty"]).exit_code == 0


@pytest.mark.parametrize("name", ["3d", "a b", "ação", "-x/-y", "a" * 65, "x.y"])
def test_init_refuses_a_name_that_is_none(cli: CliRunner, name: str, tmp_path: Path) -> None:
    refused = cli.invoke(app, ["init", "--", name])
    assert refused.exit_code == 5
    assert list(tmp_path.iterdir()) == []
