"""`mutirao workflows check`: where a job goes on, and whether a graph still has that place."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from langgraph.graph import START, StateGraph
from mutirao.cli.check_command import exists, open_steps
from mutirao.jobs.records import Event
from mutirao_agents.check import steps_of
from typing_extensions import TypedDict


class Nothing(TypedDict, total=False):
    n: int


def journal(*lines: str) -> list[Event]:
    """Events of lines as `2 started plan t1`: attempt, what, step, task."""
    found = []
    for seq, line in enumerate(lines, 1):
        attempt, what, step, task = line.split()
        now = datetime.now(UTC)
        found.append(Event(seq=seq, attempt=int(attempt), type=f"step.{what}", step=step, data={"id": task}, at=now))
    return found


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        ([], []),
        (["1 started a t1", "1 finished a t1"], []),
        (["1 started a t1", "1 finished a t1", "1 started b t2"], ["b"]),
        (["1 started a t1", "1 interrupted a t1"], ["a"]),
        (["1 started a t1", "1 failed a t1"], ["a"]),
        # Mapped over three items, one is left.
        (["1 started m t1", "1 started m t2", "1 started m t3", "1 finished m t1", "1 finished m t3"], ["m"]),
        (["1 started inner t1", "1 started inner/deep t2", "1 finished inner/deep t2"], ["inner"]),
        # An attempt that was lost began the step under another id.
        (["1 started a t1", "2 started a t9", "2 finished a t9", "2 started b t3"], ["b"]),
    ],
)
def test_a_job_goes_on_where_a_step_has_begun_and_not_finished(lines: list[str], steps: list[str]) -> None:
    assert open_steps(journal(*lines)) == steps


def test_steps_are_those_of_the_graph_and_of_the_graphs_in_it() -> None:
    deep = StateGraph(Nothing).add_sequence([("plan", lambda state: {}), ("write", lambda state: {})])
    deep.add_edge(START, "plan")
    outer = StateGraph(Nothing).add_sequence([("first", lambda state: {}), ("inner", deep.compile())])
    steps = steps_of(outer.add_edge(START, "first").compile())
    assert sorted(steps) == ["first", "inner", "inner/plan", "inner/write"]
    for step, there in (
        ("first", True), ("inner", True), ("inner/plan", True), ("inner/gone", False), ("gone", False), ("gone/plan", False),
        # A step that calls a graph by itself does not show it.
        ("first/hidden", True), ("first/hidden/deeper", True),
    ):  # fmt: skip
        assert exists(step, steps) is there, step


def test_the_document_is_all_of_stdout_whatever_user_code_prints(tmp_path: Path) -> None:
    (tmp_path / "mutirao.toml").write_text('workflows = ["./flows.py", "./broken.py"]\nbuiltin = false\n')
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "flows.py").write_text(
        "import os\nfrom typing import TypedDict\nfrom langgraph.graph import StateGraph\n"
        "from mutirao_agents import workflow\nprint('hello')\nos.write(1, b'from below')\n"
        "class S(TypedDict):\n    n: int\nasync def a(state): return {}\n"
        "@workflow(name='w', version='7')\ndef w(): return StateGraph(S).add_sequence([a]).set_entry_point('a')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "mutirao_agents.check"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    document = json.loads(ran.stdout)
    assert [(found["name"], found["version"], found["steps"]) for found in document["workflows"]] == [("w", "7", ["a"])]
    assert "ZeroDivisionError" in document["errors"][0]["message"]
    assert "hello" in ran.stderr
