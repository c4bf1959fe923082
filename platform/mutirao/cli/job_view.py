"""What a job has done so far, read off its events: a record that grows with each."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mutirao.jobs.states import TERMINAL

if TYPE_CHECKING:
    from mutirao.jobs.records import Event

_TAIL_CHARS = 400
_STATES = {"started": "running", "resumed": "queued", "retried": "queued"}
_MOST = 10**15


class StepState(StrEnum):
    """Where a step stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"  # its attempt ended under it
    HELD = "held"  # it has interrupted itself and begins again when that for which it waits is there


@dataclass
class StepView:
    """All tasks of one step: a step that is mapped over many items has a task for each."""

    path: str
    began: datetime
    running: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    held: int = 0
    ended: datetime | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    progress: str = ""

    @property
    def state(self) -> StepState:
        """The state of the whole."""
        if self.running:
            return StepState.RUNNING
        if self.failed:
            return StepState.FAILED
        if self.held:
            return StepState.HELD
        return StepState.LOST if self.lost and not self.done else StepState.DONE

    @property
    def tasks(self) -> int:
        return self.running + self.done + self.failed + self.lost + self.held


@dataclass
class JobView:
    """Steps in the order they began, sums over all model calls, artifacts, and what the model is saying now."""

    steps: dict[str, StepView] = field(default_factory=dict)
    artifacts: dict[str, int] = field(default_factory=dict)
    """Bytes by name."""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    attempt: int = 0
    state: str = "queued"
    began: datetime | None = None
    """When the job was accepted, by the clock of the events."""
    at: datetime | None = None
    """Of the newest event."""
    tail: str = ""
    """The end of the text the model has written in the newest call."""
    _heard: float = 0.0

    def take(self, event: "Event") -> None:
        """One more event."""
        self._heard = time.monotonic()
        self.at = event.at
        self.began = self.began or event.at
        self.attempt = max(self.attempt, event.attempt)
        kind, _, what = event.type.partition(".")
        if kind == "step":
            self._step(event, what)
        elif event.type == "model.tokens":
            self.tail = (self.tail + str(event.data.get("text", "")))[-_TAIL_CHARS:]
        elif event.type == "model.call":
            self._call(event)
        elif event.type == "progress":
            self._progress(event)
        elif event.type == "artifact":
            self.artifacts[str(event.data.get("name"))] = _number(event.data.get("size"))
        elif kind == "job":
            self._job(what)
        elif event.type in ("attempt.lost", "attempt.handed_back", "attempt.failed"):
            self.state = "queued"
            self._end_steps()

    @property
    def seconds(self) -> float:
        """Since the job was accepted; while it runs, up to now."""
        if self.began is None or self.at is None:
            return 0.0
        return (self.at - self.began).total_seconds() + (0.0 if self.ended else self._since_heard)

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    def seconds_of(self, step: StepView) -> float:
        """How long a step took or has been running."""
        if step.ended is not None:
            return (step.ended - step.began).total_seconds()
        assert self.at is not None
        return (self.at - step.began).total_seconds() + self._since_heard

    @property
    def _since_heard(self) -> float:
        return time.monotonic() - self._heard

    def _job(self, what: str) -> None:
        self.state = _STATES.get(what, what)
        if self.state not in ("queued", "running"):
            self.tail = ""
            self._end_steps()

    def _step(self, event: "Event", what: str) -> None:
        path = event.step or "?"
        step = self.steps.setdefault(path, StepView(path, event.at))
        if what == "started":
            if not step.running and step.ended is not None:
                step.ended = None
            step.running += 1
            step.held = max(0, step.held - 1)
            return
        step.running = max(0, step.running - 1)
        if what == "failed":
            step.failed += 1
        elif what == "interrupted":
            step.held += 1
        else:
            step.done += 1
        if not step.running:
            step.ended, step.progress = event.at, ""

    def _end_steps(self) -> None:
        for step in self.steps.values():
            if step.running:
                step.lost, step.running, step.ended = step.lost + step.running, 0, self.at

    def _call(self, event: "Event") -> None:
        read, written = _number(event.data.get("input_tokens")), _number(event.data.get("output_tokens"))
        self.calls += 1
        self.input_tokens += read
        self.output_tokens += written
        self.tail = ""
        if (step := self.step_of(event.step)) is not None:
            step.input_tokens += read
            step.output_tokens += written

    def _progress(self, event: "Event") -> None:
        if (step := self.step_of(event.step)) is not None:
            done, total, what = (event.data.get(name) for name in ("done", "total", "what"))
            step.progress = f"{done}/{total} {what or ''}".rstrip()

    def step_of(self, path: str | None) -> StepView | None:
        """The step an event belongs to; a path that names only the last part of one means the newest such step."""
        if path is None:
            return None
        if path in self.steps:
            return self.steps[path]
        return next((step for step in reversed(self.steps.values()) if step.path.endswith(f"/{path}")), None)


def _number(value: Any) -> int:
    """What user code writes into events is not always what it should be."""
    return int(value) if is_count(value) else 0


def is_count(value: Any) -> bool:
    """Whether a value of an event is a number that can have been counted or measured."""
    return isinstance(value, int | float) and 0 <= value < _MOST
