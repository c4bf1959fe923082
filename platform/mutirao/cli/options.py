"""Options that several commands share, and what they become in a request."""

from typing import Annotated, Any

import typer

from mutirao.cli.inputs import read_object

Priority = Annotated[int | None, typer.Option(help="Higher goes first, -100 to 100.")]
MaxAttempts = Annotated[int | None, typer.Option(min=1, help="Workers it may lose before it is dead.")]
RetryFailures = Annotated[int | None, typer.Option(min=0, help="Times it is tried again after a step has raised.")]
StepSeconds = Annotated[float | None, typer.Option(help="Longest time of one step.")]
JobSeconds = Annotated[float | None, typer.Option(help="Longest time from its first attempt to its end.")]
BudgetTokens = Annotated[int | None, typer.Option(help="Most tokens it may spend.")]
BudgetCost = Annotated[float | None, typer.Option(help="Most money it may spend.")]
BudgetCalls = Annotated[int | None, typer.Option("--budget-model-calls", help="Most calls of models it may make.")]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="ID", help="Default: the last one; see `mutirao jobs checkpoints`."),
]


def given(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def job_options(
    *,
    priority: int | None,
    max_attempts: int | None,
    retry_failures: int | None,
    step_seconds: float | None,
    job_seconds: float | None,
    budget: dict[str, Any],
) -> dict[str, Any]:
    """The options of a job, as the API takes them; what was not given is left to it."""
    return given(
        priority=priority,
        max_attempts=max_attempts,
        retry=given(failures=retry_failures) or None,
        limits=given(step_seconds=step_seconds, job_seconds=job_seconds) or None,
        budget=budget or None,
    )


def json_object(text: str | None, option: str) -> dict[str, Any] | None:
    """A JSON object: text, @FILE, or - for stdin. Raises InvalidInput, which names the option."""
    return None if text is None else read_object(text, option)
