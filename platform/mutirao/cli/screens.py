"""A job shown while it runs: a picture that changes on a terminal, one line for each thing that happens elsewhere."""

import shutil
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

import typer

from mutirao.cli import output
from mutirao.cli.job_view import JobView, StepState, StepView, is_count

if TYPE_CHECKING:
    from mutirao.jobs.records import Event

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SIGNS = {StepState.DONE: "✓", StepState.FAILED: "✗", StepState.LOST: "–", StepState.HELD: "?"}
_STYLES = {
    StepState.DONE: "green",
    StepState.FAILED: "red",
    StepState.LOST: "yellow",
    StepState.RUNNING: "cyan",
    StepState.HELD: "yellow",
}
_PROGRESS_SECONDS = 1.0
_FRAMES_A_SECOND = 8
_ROWS_AROUND = 5
_DATA_CHARS = 160


class Screen(Protocol):
    """Shows a job; used as a context round its events."""

    view: JobView

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: "Event") -> None:
        """One more event."""

    def note(self, text: str) -> None:
        """A line that stays."""


def screen_for(stream: TextIO) -> Screen:
    """The screen that fits a stream: live on a terminal, lines elsewhere."""
    dumb = not stream.isatty() or "utf" not in (stream.encoding or "").lower()
    return LineScreen(stream) if dumb else LiveScreen(stream)


def call_text(read: int, written: int) -> str:
    """Tokens of model calls: `120 → 45 tokens`."""
    return f"{read:,} → {written:,} tokens" if read or written else ""


def step_text(step: StepView, took: float) -> str:
    """What there is to say of a step beside its name and state."""
    tasks = f"{step.done + step.failed}/{step.tasks}" if step.tasks > 1 else ""
    facts = (output.seconds(took), tasks, step.progress, call_text(step.input_tokens, step.output_tokens))
    return ", ".join(output.one_line(fact, 60) for fact in facts if fact)


class LineScreen:
    """One line for each thing that happens."""

    def __init__(self, stream: TextIO) -> None:
        self.view = JobView()
        self._stream = stream
        self._progress_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def show(self, event: "Event") -> None:
        self.view.take(event)
        text = self._text(event)
        if text:
            typer.echo(f"{self.view.seconds:7.1f} s  {output.printable(text, keep='')}", file=self._stream)
            self._stream.flush()

    def note(self, text: str) -> None:
        typer.echo(f"{'':11}{output.printable(text, keep='')}", file=self._stream)
        self._stream.flush()

    def _text(self, event: "Event") -> str:
        match event.type:
            case "model.tokens" | "model.call" | "step.started":
                return ""
            case "step.finished":
                return self._finished(event)
            case "step.failed":
                return f"{event.step} failed: {output.one_line(str(event.data.get('error', '')), _DATA_CHARS)}"
            case "progress":
                return self._progress(event)
            case "artifact":
                name = str(event.data.get("name"))
                return f"artifact {name} ({output.size(self.view.artifacts[name])})"
            case "warning":
                return f"warning: {event.data.get('code', '')}: {event.data.get('message', '')}"
            case "job.started":
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                return f"started by worker {event.data.get('worker', '?')}{again}"
            case "attempt.failed":
                return _attempt_failed(event)
            case "step.interrupted":
                return f"{event.step} waits"
        return _other(event)

    def _finished(self, event: "Event") -> str:
        took: Any = event.data.get("milliseconds")
        step = self.view.steps[event.step or "?"]
        seconds = took / 1000 if is_count(took) else self.view.seconds_of(step)
        return f"{event.step} done: {step_text(step, seconds)}"

    def _progress(self, event: "Event") -> str:
        """Not every one: a step may count thousands."""
        key, now = event.step or "", time.monotonic()
        done, total = event.data.get("done"), event.data.get("total")
        if done != total and now - self._progress_at.get(key, 0.0) < _PROGRESS_SECONDS:
            return ""
        self._progress_at[key] = now
        return f"{event.step or 'progress'}: {done}/{total} {event.data.get('what') or ''}".rstrip()


def _attempt_failed(event: "Event") -> str:
    error = event.data.get("error")
    why = error.get("message") if isinstance(error, dict) else error
    return f"attempt {event.attempt} failed: {output.one_line(str(why), _DATA_CHARS)}"


def _other(event: "Event") -> str:
    if event.type.startswith("job."):
        waits = event.data.get("waiting_for")
        return event.type.removeprefix("job.") + (f", waits for {waits}" if waits else "")
    data = output.one_line(output.as_text(event.data), _DATA_CHARS) if event.data else ""
    return f"{event.type} {data}".rstrip()


class LiveScreen:
    """Steps, sums and what the model is writing, drawn again several times a second; the steps stay when it ends."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self.view = JobView()
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._live = Live(
            console=self._console, get_renderable=self._picture, refresh_per_second=_FRAMES_A_SECOND, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)
        if self.view.steps:
            self._console.print(self._steps([*self.view.steps.values()]))

    def show(self, event: "Event") -> None:
        self.view.take(event)

    def note(self, text: str) -> None:
        self._console.print(output.printable(text, keep=""))

    def _picture(self) -> Any:
        columns, rows = shutil.get_terminal_size()
        fitting = max(1, rows - _ROWS_AROUND)
        steps = [*self.view.steps.values()]
        text = self._steps(steps[-fitting:])
        hidden = len(steps) - fitting
        if hidden > 0:
            text.append(f"  … and {hidden} earlier steps\n", style="dim")
        text.append(f"{self._frame()} {self.view.state}  {output.seconds(self.view.seconds)}", style="bold")
        text.append(f"  {call_text(self.view.input_tokens, self.view.output_tokens)}\n")
        if self.view.tail:
            text.append("  " + output.one_line(self.view.tail[-(columns - 4) :], columns - 4), style="dim italic")
        return text

    def _steps(self, steps: list[StepView]) -> Any:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        for step in steps:
            depth = step.path.count("/")
            name = output.one_line(step.path.rpartition("/")[2], 40)
            sign = _SIGNS.get(step.state) or self._frame()
            text.append(f"{'  ' * depth}{sign} ", style=_STYLES[step.state])
            text.append(f"{name:<{max(1, 32 - 2 * depth)}} ")
            text.append(step_text(step, self.view.seconds_of(step)) + "\n", style="dim")
        return text

    def _frame(self) -> str:
        return _FRAMES[int(time.monotonic() * _FRAMES_A_SECOND) % len(_FRAMES)]
