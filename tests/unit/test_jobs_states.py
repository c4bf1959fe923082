"""The moves between states, and that the README of `platform/` tells them as they are."""

import re
from pathlib import Path

from mutirao.jobs.states import TERMINAL, TRANSITIONS, Actor, JobState

README = Path(__file__).parents[2] / "platform" / "README.md"
_ROW = re.compile(r"^\| `(\w+)` → `(\w+)` \| ([\w, ]+) \|", re.MULTILINE)
_ARROW = re.compile(r"^ +(\w+) --> (\w+)", re.MULTILINE)


def test_every_move_of_the_table_in_the_readme_is_listed_and_the_other_way_round() -> None:
    told = {
        (JobState(old), JobState(new)): tuple(Actor(actor) for actor in actors.split(", "))
        for old, new, actors in _ROW.findall(README.read_text(encoding="utf-8"))
    }
    assert told == TRANSITIONS


def test_the_diagram_in_the_readme_has_the_same_moves() -> None:
    drawn = {(JobState(old), JobState(new)) for old, new in _ARROW.findall(README.read_text(encoding="utf-8"))}
    assert drawn == set(TRANSITIONS)


def test_only_a_client_moves_a_job_out_of_a_terminal_state_and_only_into_the_queue() -> None:
    moves = {(old, new, actors) for (old, new), actors in TRANSITIONS.items() if old.terminal}
    retried = {JobState.FAILED, JobState.DEAD, JobState.BUDGET_EXHAUSTED}
    assert moves == {(old, JobState.QUEUED, (Actor.CLIENT,)) for old in retried}


def test_every_job_can_come_to_an_end_from_wherever_it_is() -> None:
    ends = set(TERMINAL)
    while more := {old for old, new in TRANSITIONS if new in ends} - ends:
        ends |= more
    assert ends == set(JobState)


def test_every_state_is_reached_from_the_queue() -> None:
    reached = {JobState.QUEUED}
    while more := {new for old, new in TRANSITIONS if old in reached} - reached:
        reached |= more
    assert reached == set(JobState)


def test_only_a_claim_begins_an_attempt() -> None:
    assert {(old, actors) for (old, new), actors in TRANSITIONS.items() if new is JobState.RUNNING} == {
        (JobState.QUEUED, (Actor.CLAIM,))
    }
