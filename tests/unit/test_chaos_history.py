"""The history checker finds each kind of broken promise, and nothing in a history that breaks none."""

from dataclasses import replace
from uuid import UUID

import pytest

from tests.chaos.history import (
    Accepted,
    AttemptRow,
    CheckpointRow,
    EffectRow,
    EventRow,
    History,
    JobRow,
    Line,
    Promise,
    check,
    counts,
)

DONE, STOPPED, OTHER = (UUID(int=number) for number in (1, 2, 3))


def line(job: UUID, epoch: int, what: str, at: float, kind: str = "step") -> Line:
    return Line(kind=kind, job=job, epoch=epoch, what=what, at=at)


def journal(job: UUID, *events: tuple[int, str]) -> tuple[EventRow, ...]:
    return tuple(EventRow(job=job, seq=seq, epoch=epoch, type=kind) for seq, (epoch, kind) in enumerate(events, 1))


# One job whose first worker died in its second step, with an effect there; one that was cancelled in its first.
GOOD = History(
    accepted=(
        Accepted(id=DONE, effects=1),
        Accepted(id=STOPPED, ends=frozenset({"succeeded", "cancelled"}), cancelled=True),
    ),
    jobs=(
        JobRow(id=DONE, state="succeeded", epoch=2, last_seq=5, finished=20.0),
        JobRow(id=STOPPED, state="cancelled", epoch=1, last_seq=3, finished=12.0),
    ),
    attempts=(
        AttemptRow(job=DONE, epoch=1, outcome="lost"),
        AttemptRow(job=DONE, epoch=2, outcome="succeeded"),
        AttemptRow(job=STOPPED, epoch=1, outcome="cancelled"),
    ),
    events=(
        *journal(
            DONE, (0, "job.queued"), (1, "job.started"), (1, "attempt.lost"), (2, "job.started"), (2, "job.succeeded")
        ),
        *journal(STOPPED, (0, "job.queued"), (1, "job.started"), (1, "job.cancelled")),
    ),
    checkpoints=(CheckpointRow(job=DONE, epoch=1, steps=1), CheckpointRow(job=DONE, epoch=2, steps=3)),
    effects=(EffectRow(job=DONE, key="act", state="done", done=16.0),),
    lines=(
        line(DONE, 1, "1", 10.0),
        line(DONE, 1, "2", 11.0),
        line(DONE, 1, "act", 11.5, "effect"),  # done, and not recorded before the worker died
        line(DONE, 2, "2", 15.0),
        line(DONE, 2, "act", 15.5, "effect"),
        line(DONE, 2, "3", 17.0),
        line(STOPPED, 1, "1", 11.0),
    ),
)


def test_a_good_history_breaks_no_promise() -> None:
    assert check(GOOD) == []
    assert check(History()) == []


def changed_job(job: UUID, **fields: object) -> History:
    return replace(GOOD, jobs=tuple(replace(one, **fields) if one.id == job else one for one in GOOD.jobs))  # type: ignore[arg-type]


def without_event(seq: int) -> History:
    return replace(GOOD, events=tuple(event for event in GOOD.events if (event.job, event.seq) != (DONE, seq)))


def with_event(seq: int, **fields: object) -> History:
    events = [replace(one, **fields) if (one.job, one.seq) == (DONE, seq) else one for one in GOOD.events]  # type: ignore[arg-type]
    return replace(GOOD, events=tuple(events))


def with_lines(*lines: Line) -> History:
    return replace(GOOD, lines=(*GOOD.lines, *lines))


BROKEN: dict[str, tuple[History, set[Promise]]] = {
    "an accepted job is not there": (
        replace(GOOD, accepted=(*GOOD.accepted, Accepted(id=OTHER))),
        {Promise.LOST},
    ),
    "a job nobody was told of never ends": (
        replace(
            GOOD,
            jobs=(*GOOD.jobs, JobRow(id=OTHER, state="queued", epoch=0, last_seq=1)),
            events=(*GOOD.events, *journal(OTHER, (0, "job.queued"))),
        ),
        {Promise.NOT_ENDED},
    ),
    "a job runs, and nothing runs it": (
        replace(
            GOOD,
            jobs=(*GOOD.jobs, JobRow(id=OTHER, state="running", epoch=2, last_seq=2)),
            events=(*GOOD.events, *journal(OTHER, (0, "job.queued"), (1, "job.started"))),
            attempts=(
                *GOOD.attempts,
                AttemptRow(job=OTHER, epoch=1, outcome=None),
                AttemptRow(job=OTHER, epoch=2, outcome=None),
            ),
        ),
        {Promise.NOT_ENDED, Promise.LIVE_ATTEMPTS},
    ),
    "an attempt outlives its job": (
        replace(GOOD, attempts=(*GOOD.attempts[:-1], AttemptRow(job=STOPPED, epoch=1, outcome=None))),
        {Promise.LIVE_ATTEMPTS},
    ),
    "a good job ends badly": (
        replace(
            changed_job(DONE, state="dead"),
            events=tuple(
                replace(event, type="job.dead") if event.type == "job.succeeded" else event for event in GOOD.events
            ),
        ),
        {Promise.WRONG_END},
    ),
    "an attempt is missing": (replace(GOOD, attempts=GOOD.attempts[1:]), {Promise.EPOCHS}),
    "the journal has a gap": (without_event(3), {Promise.SEQ}),
    "last_seq is ahead of the journal": (changed_job(DONE, last_seq=6), {Promise.SEQ}),
    "an event of a stale attempt": (with_event(3, epoch=0), {Promise.STALE_EVENT}),
    "a second end": (with_event(3, type="job.failed"), {Promise.ENDS}),
    "another end than the state": (with_event(5, type="job.failed"), {Promise.ENDS}),
    "an event after the end": (
        replace(
            changed_job(DONE, last_seq=6),
            events=(*GOOD.events, EventRow(job=DONE, seq=6, epoch=2, type="step.finished")),
        ),
        {Promise.ENDS},
    ),
    "a step runs again though a later one had begun": (with_lines(line(DONE, 2, "1", 15.0)), {Promise.RERUN}),
    "a step runs again though its checkpoint was there": (
        replace(GOOD, checkpoints=(CheckpointRow(job=DONE, epoch=1, steps=2),)),
        {Promise.RERUN},
    ),
    "a step runs twice in an attempt": (with_lines(line(DONE, 2, "3", 18.0)), {Promise.RERUN}),
    "an effect is recorded twice": (replace(GOOD, effects=GOOD.effects * 2), {Promise.DUPLICATED_EFFECT}),
    "an effect is done after it was recorded": (
        with_lines(line(DONE, 3, "act", 18.0, "effect")),
        {Promise.DUPLICATED_EFFECT},
    ),
    "an effect is done twice by an attempt": (
        with_lines(line(DONE, 2, "act", 15.6, "effect")),
        {Promise.DUPLICATED_EFFECT},
    ),
    "an effect stays unknown": (
        replace(GOOD, effects=(EffectRow(job=DONE, key="act", state="intent"),)),
        {Promise.EFFECT_LOST},
    ),
    "a cancelled job succeeds": (
        replace(
            changed_job(STOPPED, state="succeeded"),
            events=tuple(
                replace(event, type="job.succeeded") if event.type == "job.cancelled" else event
                for event in GOOD.events
            ),
        ),
        {Promise.CANCELLED_TURNED},
    ),
    "a cancelled job works on": (with_lines(line(STOPPED, 1, "2", 12.5)), {Promise.AFTER_CANCEL}),
    "a key makes two jobs": (replace(GOOD, two_jobs=((DONE, OTHER),)), {Promise.TWO_JOBS}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_history_is_found(name: str) -> None:
    history, promises = BROKEN[name]
    assert set(counts(check(history))) == promises


def test_every_promise_has_a_history_that_breaks_it() -> None:
    assert set.union(*(promises for _, promises in BROKEN.values())) == set(Promise)
