"""What a database, a witness file and a client together say about jobs, and which promises that breaks. Pure: no servers.

A finished step that ran again is proved by lines that steps wrote when they began, and by checkpoints:
an attempt that began step n+1, or committed the checkpoint of step n, did so while it held the job, and every later
attempt was claimed after that. So any line of step n or before in a later attempt is a step that ran again though it
was finished. No clock is compared for this.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

_SLACK_SECONDS = 0.05  # between the clock of the witness lines and the database's
_TERMINAL = frozenset({"succeeded", "failed", "cancelled", "dead", "budget_exhausted"})


class Promise(StrEnum):
    """What a finding says is broken."""

    LOST = "lost"  # answered with 202, and not in the database
    NOT_ENDED = "not ended"
    WRONG_END = "wrong end"  # ended otherwise than a job like this must
    LIVE_ATTEMPTS = "live attempts"  # more than one, or one of a job that has ended
    SEQ = "seq"  # the journal has a gap, or not as many events as the job says
    EPOCHS = "epochs"  # attempts have a gap, or not as many as the job says
    STALE_EVENT = "stale event"  # an event of an older attempt behind one of a newer
    ENDS = "ends"  # not exactly one terminal event at the end of the journal, that of the state
    RERUN = "re-run finished step"
    DUPLICATED_EFFECT = "duplicated effect"
    EFFECT_LOST = "effect lost"  # the job succeeded, its effect is not recorded
    CANCELLED_TURNED = "cancelled turned"  # its cancel was acknowledged, and it ended otherwise
    AFTER_CANCEL = "work after cancel"  # something began after the job was cancelled
    TWO_JOBS = "two jobs of one key"


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A job that the client was answered with 202."""

    id: UUID
    ends: frozenset[str] = frozenset({"succeeded"})
    effects: int = 0
    cancelled: bool = False  # its cancel was answered with 202


@dataclass(frozen=True, kw_only=True)
class JobRow:
    id: UUID
    state: str
    epoch: int
    last_seq: int
    finished: float | None = None  # seconds of the database's clock


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    job: UUID
    epoch: int
    outcome: str | None


@dataclass(frozen=True, kw_only=True)
class EventRow:
    job: UUID
    seq: int
    epoch: int
    type: str


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """The furthest checkpoint that an attempt has committed: that many steps of a chain are finished."""

    job: UUID
    epoch: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class EffectRow:
    job: UUID
    key: str
    state: str
    done: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """Of the witness file. `what`: the number of the step, or the key of the effect."""

    kind: str
    job: UUID
    epoch: int
    what: str
    at: float  # seconds of the database's clock


@dataclass(frozen=True, kw_only=True)
class History:
    accepted: tuple[Accepted, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    checkpoints: tuple[CheckpointRow, ...] = ()
    effects: tuple[EffectRow, ...] = ()
    lines: tuple[Line, ...] = ()
    two_jobs: tuple[tuple[UUID, UUID], ...] = ()  # one idempotency key, two answers
    fenced: int = 0  # refusals of stale attempts that workers have logged


@dataclass(frozen=True)
class Finding:
    promise: Promise
    job: UUID
    message: str


def check(history: History) -> list[Finding]:
    """Every broken promise that the history shows, in no order of importance."""
    return [finding for checker in _CHECKERS for finding in checker(history)]


def counts(findings: Iterable[Finding]) -> Mapping[Promise, int]:
    """How many findings there are of each kind."""
    return Counter(finding.promise for finding in findings)


def _kept(history: History) -> Iterator[Finding]:
    jobs = {job.id: job for job in history.jobs}
    for one in history.accepted:
        job = jobs.get(one.id)
        if job is None:
            yield Finding(Promise.LOST, one.id, "was accepted and is not in the database")
        elif job.state in _TERMINAL and not one.cancelled and job.state not in one.ends:
            yield Finding(Promise.WRONG_END, one.id, f"ended as {job.state}, not as {' or '.join(sorted(one.ends))}")
    for first, second in history.two_jobs:
        yield Finding(Promise.TWO_JOBS, first, f"and {second} were made by the same idempotency key")


def _ended(history: History) -> Iterator[Finding]:
    for job in history.jobs:
        if job.state not in _TERMINAL or job.finished is None:
            yield Finding(Promise.NOT_ENDED, job.id, f"is {job.state}, attempt {job.epoch}")


def _attempts(history: History) -> Iterator[Finding]:
    of_job = _by_job(history.attempts)
    for job in history.jobs:
        attempts = sorted(of_job[job.id], key=lambda attempt: attempt.epoch)
        epochs = [attempt.epoch for attempt in attempts]
        if epochs != list(range(1, job.epoch + 1)):
            yield Finding(Promise.EPOCHS, job.id, f"has attempts {epochs}, and is at {job.epoch}")
        live = [attempt.epoch for attempt in attempts if attempt.outcome is None]
        if len(live) > 1 or (live and (job.state != "running" or live != [job.epoch])):
            yield Finding(Promise.LIVE_ATTEMPTS, job.id, f"is {job.state} at attempt {job.epoch}; live: {live}")


def _journal(history: History) -> Iterator[Finding]:
    of_job = _by_job(history.events)
    for job in history.jobs:
        events = sorted(of_job[job.id], key=lambda event: event.seq)
        if [event.seq for event in events] != list(range(1, job.last_seq + 1)):
            yield Finding(Promise.SEQ, job.id, f"has {len(events)} events, and last_seq {job.last_seq}")
        for before, after in pairwise(events):
            if after.epoch < before.epoch:
                yield Finding(Promise.STALE_EVENT, job.id, f"{after.type} of attempt {after.epoch}, seq {after.seq}")
        ends = [event.type for event in events if event.type.removeprefix("job.") in _TERMINAL]
        last = events[-1].type if events else None
        if job.state in _TERMINAL and (ends != [f"job.{job.state}"] or last != ends[0]):
            yield Finding(Promise.ENDS, job.id, f"is {job.state}, with the ends {ends}, and last {last}")


def _steps(history: History) -> Iterator[Finding]:
    finished: dict[UUID, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    began: Counter[tuple[UUID, int, int]] = Counter()
    for checkpoint in history.checkpoints:
        finished[checkpoint.job][checkpoint.epoch] = checkpoint.steps
    for line in history.lines:
        if line.kind == "step":
            number, of_job = int(line.what), finished[line.job]
            began[line.job, line.epoch, number] += 1
            of_job[line.epoch] = max(of_job[line.epoch], number - 1)
    for (job, epoch, number), times in began.items():
        before = [earlier for earlier, steps in finished[job].items() if earlier < epoch and steps >= number]
        if before:
            yield Finding(
                Promise.RERUN, job, f"step {number} ran in attempt {epoch}; attempt {before[0]} had finished it"
            )
        if times > 1:
            yield Finding(Promise.RERUN, job, f"step {number} ran {times} times in attempt {epoch}")


def _effects(history: History) -> Iterator[Finding]:
    rows = _by_job(history.effects)
    lines = _by_job(line for line in history.lines if line.kind == "effect")
    states = {job.id: job.state for job in history.jobs}
    for job in {*rows, *lines}:
        done = [row for row in rows[job] if row.state == "done"]
        for key, times in Counter(row.key for row in done).items():
            if times > 1:
                yield Finding(Promise.DUPLICATED_EFFECT, job, f"{key!r} is recorded {times} times")
        for (epoch, key), times in Counter((line.epoch, line.what) for line in lines[job]).items():
            if times > 1:
                yield Finding(Promise.DUPLICATED_EFFECT, job, f"{key!r} was done {times} times by attempt {epoch}")
        for row in done:
            late = [
                line for line in lines[job] if line.what == row.key and row.done and line.at > row.done + _SLACK_SECONDS
            ]
            for line in late:
                yield Finding(
                    Promise.DUPLICATED_EFFECT,
                    job,
                    f"{row.key!r} was done by attempt {line.epoch} after it was recorded",
                )
    for one in history.accepted:
        done_keys = {row.key for row in rows[one.id] if row.state == "done"}
        if states.get(one.id) == "succeeded" and len(done_keys) < one.effects:
            yield Finding(Promise.EFFECT_LOST, one.id, f"succeeded with {len(done_keys)} of {one.effects} effects")


def _cancels(history: History) -> Iterator[Finding]:
    jobs = {job.id: job for job in history.jobs}
    for one in history.accepted:
        job = jobs.get(one.id)
        if one.cancelled and job is not None and job.state in _TERMINAL and job.state != "cancelled":
            yield Finding(Promise.CANCELLED_TURNED, one.id, f"its cancel was acknowledged, and it ended as {job.state}")
    for line in history.lines:
        job = jobs.get(line.job)
        if job and job.state == "cancelled" and job.finished and line.at > job.finished + _SLACK_SECONDS:
            yield Finding(
                Promise.AFTER_CANCEL, line.job, f"{line.kind} {line.what} {line.at - job.finished:.2f} s after"
            )


def _by_job(rows: Iterable[object]) -> defaultdict[UUID, list]:  # type: ignore[type-arg]
    found: defaultdict[UUID, list] = defaultdict(list)  # type: ignore[type-arg]
    for row in rows:
        found[row.job].append(row)  # type: ignore[attr-defined]
    return found


_CHECKERS: tuple[Callable[[History], Iterator[Finding]], ...] = (
    _kept, _ended, _attempts, _journal, _steps, _effects, _cancels,
)  # fmt: skip
