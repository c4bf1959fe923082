"""Every verb of the client is reached by a command, or there is a reason why not."""

import ast
from pathlib import Path

import mutirao.cli
import pytest
import typer
from mutirao.cli import app, bulk_commands, completion
from mutirao.errors import InvalidInput
from typer.testing import CliRunner

from tests.unit.test_client_operations import VERBS

NO_COMMAND = {
    "decide": "`approvals decide` sends the same by `settle`, which takes every kind of decision",
    "begin_session": "a session is a browser's; `mutirao open` signs one in",
    "end_session": "a session is a browser's, and ended there",
    "samples": "`mutirao demo` takes the documents of its own package",
    "sample_text": "`mutirao demo` takes the documents of its own package",
}


def used() -> set[str]:
    """Names of what the commands' modules take of a `client`."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(mutirao.cli.__file__).parent.glob("*.py")]
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client"
    }


def test_every_verb_has_a_command_or_a_reason() -> None:
    assert sorted(VERBS.keys() - used() - NO_COMMAND.keys()) == []
    assert NO_COMMAND.keys() <= VERBS.keys() - used()


def commands(group: typer.core.TyperGroup, path: str = "") -> dict[str, typer.core.TyperCommand]:
    found = {}
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= commands(command, f"{path}{name} ")
        else:
            found[f"{path}{name}"] = command
    return found


def test_every_command_that_asks_the_api_speaks_json() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found = commands(root)
    without = {name for name, command in found.items() if not any("--json" in one.opts for one in command.params)}
    assert without == {"up", "down", "models pull"}, "those of the local stack say what they do while they do it"
    assert len(found) >= 80


def test_a_shell_is_offered_nothing_where_no_api_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTIRAO_HOME", str(tmp_path))
    monkeypatch.setenv("MUTIRAO_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MUTIRAO_API_KEY", "mk_12345678.secret")
    for offered in (completion.job_ids, completion.workflow_names, completion.approval_ids, completion.thread_ids):
        assert offered("") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_a_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = CliRunner().invoke(app, ["--show-completion", shell], prog_name="mutirao")
    assert (shown.exit_code, "_MUTIRAO_COMPLETE" in shown.stdout) == (0, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "has 0 jobs"), ('{"workflow": "w"}\n{"input": {}}', '{"input": {}} in f is no job'), ("{", "f, line 1 is not"),
     ("[1]", "1 in f is no job"), ("\n".join(['{"workflow": "w"}'] * 201), "has 201 jobs; send 1 to 200")],
    ids=["none", "no workflow", "no json", "no object", "too many"],
)  # fmt: skip
def test_a_batch_that_is_none_is_refused_here(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        bulk_commands._jobs(text, "f")
    assert said in refused.value.message


def test_a_batch_is_lines_or_a_list() -> None:
    one = '{"workflow": "w", "input": {"n": 1}}'
    assert bulk_commands._jobs(f"{one}\n\n{one}\n", "f") == bulk_commands._jobs(f"[{one}, {one}]", "f")
