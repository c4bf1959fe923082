"""A job on the screen: what its events say, and nothing that its events could do to a terminal."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.cli.job_view import JobView, StepState
from mutirao.cli.output import one_line, printable, seconds, size, table
from mutirao.cli.screens import LineScreen, LiveScreen, screen_for
from mutirao.jobs.records import Event

START = datetime(2026, 1, 1, tzinfo=UTC)


def events(*entries: tuple[float, str, str | None, dict[str, Any]]) -> list[Event]:
    return [
        Event(seq=seq, attempt=1, type=kind, step=step, data=data, at=START + timedelta(seconds=at))
        for seq, (at, kind, step, data) in enumerate(entries, start=1)
    ]


REPORT = events(
    (0.0, "job.queued", None, {}),
    (0.1, "job.started", None, {"worker": "w1"}),
    (0.1, "step.started", "researcher", {"id": "1"}),
    (0.2, "step.started", "researcher/plan", {"id": "2"}),
    (0.9, "model.tokens", "researcher/plan", {"text": "bees and\nhives"}),
    (1.0, "model.call", "plan", {"model": "m", "input_tokens": 120, "output_tokens": 45}),
    (1.2, "step.finished", "researcher/plan", {"id": "2", "milliseconds": 1000.0}),
    (1.3, "progress", "researcher", {"done": 1, "total": 1, "what": "queries"}),
    (1.4, "step.finished", "researcher", {"id": "1", "milliseconds": 1300.0}),
    (1.5, "artifact", "render", {"name": "report.md", "size": 4890}),
    (1.6, "warning", "render", {"code": "odd", "message": "look out"}),
    (2.0, "job.succeeded", None, {}),
)


def lines_of(found: list[Event]) -> list[str]:
    stream = io.StringIO()
    with LineScreen(stream) as screen:
        for event in found:
            screen.show(event)
    return stream.getvalue().splitlines()


def test_lines_say_what_happened_and_when() -> None:
    assert [line.split(" s  ", 1)[1] for line in lines_of(REPORT)] == [
        "queued",
        "started by worker w1",
        "researcher/plan done: 1.0 s, 120 → 45 tokens",
        "researcher: 1/1 queries",
        "researcher done: 1.3 s",
        "artifact report.md (4.89 kB)",
        "warning: odd: look out",
        "succeeded",
    ]
    assert lines_of(REPORT)[-1].strip().startswith("2.0 s")


def test_the_view_sums_what_was_seen() -> None:
    view = JobView()
    for event in REPORT:
        view.take(event)
    assert (view.state, view.ended, view.seconds) == ("succeeded", True, 2.0)
    assert (view.calls, view.input_tokens, view.output_tokens, view.tail) == (1, 120, 45, "")
    assert view.artifacts == {"report.md": 4890}
    plan = view.steps["researcher/plan"]
    assert (plan.state, plan.input_tokens, view.seconds_of(plan)) == (StepState.DONE, 120, 1.0)


def test_a_step_mapped_over_many_items_is_one_line_with_a_count() -> None:
    view = JobView()
    many = [(0.0, "step.started", "convert", {"id": str(n)}) for n in range(40)]
    ended = [(1.0, "step.finished" if n else "step.failed", "convert", {"id": str(n)}) for n in range(12)]
    for event in events(*many, *ended):
        view.take(event)
    step = view.steps["convert"]
    assert (step.tasks, step.done, step.failed, step.running, step.state) == (40, 11, 1, 28, StepState.RUNNING)


def test_a_lost_attempt_ends_its_steps_and_the_next_takes_them_up_again() -> None:
    view = JobView()
    found = events(
        (0.0, "job.started", None, {}),
        (0.1, "step.started", "a", {"id": "1"}),
        (5.0, "attempt.lost", None, {}),
        (6.0, "step.started", "a", {"id": "1"}),
        (7.0, "step.finished", "a", {"id": "1"}),
    )
    for event in found[:3]:
        view.take(event)
    assert (view.state, view.steps["a"].state) == ("queued", StepState.LOST)
    for event in found[3:]:
        view.take(event)
    assert view.steps["a"].state is StepState.DONE


def test_a_failure_says_what_was_wrong() -> None:
    assert (
        "a failed: ValueError: no good"
        in lines_of(
            events((0.0, "step.failed", "a", {"error": "ValueError:\n no  good"}), (0.0, "job.failed", None, {}))
        )[0]
    )


HELD = events(
    (0.0, "job.started", None, {"worker": "w1"}),
    (0.1, "step.started", "ask", {"id": "1"}),
    (0.2, "step.interrupted", "ask", {"id": "1"}),
    (0.3, "job.paused", None, {"waiting_for": "approval"}),
    (9.0, "approval.decided", "ask", {"decision": True}),
    (9.0, "job.resumed", None, {"after": "approval"}),
    (9.1, "job.started", None, {"worker": "w1"}),
    (9.2, "step.started", "ask", {"id": "1"}),
    (9.3, "attempt.failed", None, {"error": {"code": "step_failed", "message": "no good"}}),
    (9.4, "job.failed", None, {}),
    (9.5, "job.retried", None, {}),
)


def test_a_job_that_stands_still_has_not_ended() -> None:
    view, seen = JobView(), []
    for event in HELD:
        view.take(event)
        seen.append((view.state, view.ended, view.steps["ask"].state if view.steps else None))
    assert seen == [
        ("running", False, None),
        ("running", False, StepState.RUNNING),
        ("running", False, StepState.HELD),
        ("paused", False, StepState.HELD),
        ("paused", False, StepState.HELD),
        ("queued", False, StepState.HELD),
        ("running", False, StepState.HELD),
        ("running", False, StepState.RUNNING),
        ("queued", False, StepState.LOST),
        ("failed", True, StepState.LOST),
        ("queued", False, StepState.LOST),
    ]
    assert [line.split(" s  ", 1)[1] for line in lines_of(HELD)] == [
        "started by worker w1",
        "ask waits",
        "paused, waits for approval",
        'approval.decided {"decision": true}',
        "resumed",
        "started by worker w1",
        "attempt 1 failed: no good",
        "failed",
        "retried",
    ]


@pytest.mark.parametrize("kind", [LineScreen, LiveScreen])
def test_a_note_is_a_line_that_stays_and_harms_no_terminal(kind: type[LineScreen] | type[LiveScreen]) -> None:
    stream = io.StringIO()
    with kind(stream) as screen:
        screen.show(HELD[0])
        screen.note("[bold]decide\x1b[2J now")
    assert "[bold]decide�[2J now" in stream.getvalue()


def test_progress_that_counts_thousands_does_not_fill_the_screen() -> None:
    counted = [(n / 1000, "progress", "a", {"done": n, "total": 2000, "what": "files"}) for n in range(1, 2001)]
    found = lines_of(events(*counted))
    assert len(found) < 20
    assert found[-1].endswith("a: 2000/2000 files")


HOSTILE = st.dictionaries(
    st.sampled_from(
        ["text", "name", "size", "done", "total", "what", "error", "milliseconds", "input_tokens", "worker"]
    ),
    st.none() | st.integers() | st.floats() | st.just(float("inf")) | st.text() | st.lists(st.integers()),
)
KINDS = st.sampled_from(
    ["model.tokens", "model.call", "step.started", "step.finished", "step.failed", "progress", "artifact", "custom",
     "job.started", "job.failed", "attempt.lost", "warning", "", "x\x1b[2J", "job.", "step."]
)  # fmt: skip


@given(st.lists(st.tuples(st.just(0.0), KINDS, st.none() | st.text(), HOSTILE), max_size=12))
def test_whatever_a_job_writes_into_its_events_is_shown_without_harm(
    entries: list[tuple[float, str, str | None, dict[str, Any]]],
) -> None:
    found = events(*entries)
    for line in lines_of(found):
        assert line == printable(line, keep="")
    stream = io.StringIO()
    screen = LiveScreen(stream)
    for event in found:
        screen.show(event)
    # One picture: the next may show another figure of the spinner.
    picture = screen._picture().plain
    assert printable(picture) == picture


def test_a_stream_that_is_no_terminal_gets_lines_and_no_colour() -> None:
    assert isinstance(screen_for(io.StringIO()), LineScreen)
    assert "\x1b" not in "".join(lines_of(REPORT))


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a\x1b[31mb", "a�[31mb"), ("x\x9by", "x�y"), ("a\u202eb", "a�b"), ("1\xa0kg ção 日本", "1\xa0kg ção 日本")],
)
def test_only_signs_that_are_shown_are_printed(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_numbers_for_people() -> None:
    assert [seconds(value) for value in (0, 59.94, 61, 3700)] == ["0.0 s", "59.9 s", "1 min 1 s", "1 h 1 min"]
    assert [size(value) for value in (0, 999, 1500, 32_000_000)] == ["0 B", "999 B", "1.5 kB", "32 MB"]
    assert one_line("a  b\nc", 4) == "a b…"
    assert table(("a", "b"), [("xx", "y\nz")]) == "a   b\nxx  y�z"
