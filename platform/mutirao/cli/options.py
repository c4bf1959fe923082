"""Options that several commands share, and what they become in a request."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any
from uuid import UUID

import typer

from mutirao.cli.completion import workflow_names
from mutirao.cli.inputs import read_object
from mutirao.jobs.states import JobState

Command = Callable[..., None]

BudgetTokens = Annotated[int | None, typer.Option(help="Most tokens it may spend.")]
BudgetCost = Annotated[float | None, typer.Option(help="Most money it may spend.")]
BudgetCalls = Annotated[int | None, typer.Option("--budget-model-calls", help="Most calls of models it may make.")]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="ID", help="Default: the last one; see `mutirao jobs checkpoints`."),
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]
Fields = Annotated[
    str | None, typer.Option("--fields", metavar="A,B", help="Only these fields of each, as the API names them.")
]
WorkflowName = Annotated[str, typer.Argument(help="Its name, see `mutirao workflows`.", autocompletion=workflow_names)]
WorkflowFilter = Annotated[
    str | None, typer.Option("--workflow", help="Only this workflow.", autocompletion=workflow_names)
]
After = Annotated[datetime | None, typer.Option("--after", help="Only later ones, in local time.")]
Before = Annotated[datetime | None, typer.Option("--before", help="Only earlier ones, in local time.")]


def given(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def local(moment: datetime | None) -> datetime | None:
    """A time that was typed, with the time zone of this machine."""
    return moment.astimezone() if moment else None


def shared(**parts: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options of each part: it gets what the part makes of them, as the argument of that name."""

    def of(command: Command) -> Command:
        theirs = {name: _options(part) for name, part in parts.items()}

        @wraps(command)
        def run(**values: Any) -> None:
            made = {
                name: parts[name](**{option.name: values.pop(option.name) for option in options})
                for name, options in theirs.items()
            }
            command(**values, **made)

        options = [found for own in _options(command) for found in theirs.get(own.name, [own])]
        run.__dict__["__signature__"] = Signature([one.replace(kind=Parameter.KEYWORD_ONLY) for one in options])
        run.__annotations__ = {one.name: one.annotation for one in options}
        return run

    return of


def _options(function: Callable[..., Any]) -> list[Parameter]:
    return [*signature(function, eval_str=True).parameters.values()]


def job_options(
    priority: Annotated[int | None, typer.Option(help="Higher goes first, -100 to 100.")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, help="Workers it may lose before it is dead.")] = None,
    retry_failures: Annotated[
        int | None, typer.Option(min=0, help="Times it is tried again after a step has raised.")
    ] = None,
    step_seconds: Annotated[float | None, typer.Option(help="Longest time of one step.")] = None,
    job_seconds: Annotated[float | None, typer.Option(help="Longest time from its first attempt to its end.")] = None,
    budget_tokens: BudgetTokens = None,
    budget_cost: BudgetCost = None,
    budget_model_calls: BudgetCalls = None,
) -> dict[str, Any]:
    """The options of a job, as the API takes them; what was not given is left to it."""
    return given(
        priority=priority,
        max_attempts=max_attempts,
        retry=given(failures=retry_failures) or None,
        limits=given(step_seconds=step_seconds, job_seconds=job_seconds) or None,
        budget=job_budget(budget_tokens, budget_cost, budget_model_calls) or None,
    )


def job_budget(
    budget_tokens: BudgetTokens = None, budget_cost: BudgetCost = None, budget_model_calls: BudgetCalls = None
) -> dict[str, Any]:
    """A budget, as the API takes it."""
    return given(tokens=budget_tokens, cost=budget_cost, model_calls=budget_model_calls)


def job_filters(
    state: Annotated[list[JobState] | None, typer.Option(help="Only this state; may be repeated.")] = None,
    workflow: WorkflowFilter = None,
    thread: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this thread.")] = None,
    schedule: Annotated[UUID | None, typer.Option(metavar="ID", help="Only what this schedule started.")] = None,
    parent: Annotated[UUID | None, typer.Option(metavar="ID", help="Only what this job fanned out to.")] = None,
    assistant: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this assistant.")] = None,
    created_by: Annotated[str | None, typer.Option(metavar="WHO", help="Only by this key or subject.")] = None,
    after: After = None,
    before: Before = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="Only those whose metadata contains this object.")
    ] = None,
) -> dict[str, Any]:
    """The filters of jobs, as the client takes them."""
    return given(
        states=state or None, workflow=workflow, thread_id=thread, schedule_id=schedule, parent_id=parent,
        assistant_id=assistant, created_by=created_by, created_after=local(after), created_before=local(before),
        metadata=json_object(metadata, "--metadata"),
    )  # fmt: skip


def chosen_jobs(
    all_matching: Annotated[
        bool, typer.Option("--all-matching", help="All jobs that fit the filters, instead of ids; at most 1,000.")
    ] = False,
    state: Annotated[list[JobState] | None, typer.Option(help="Only this state; may be repeated.")] = None,
    workflow: WorkflowFilter = None,
    thread: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this thread.")] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="Only those whose metadata contains this object.")
    ] = None,
) -> dict[str, Any] | None:
    """The filters of a bulk command, as the client takes them; None: it names its jobs by their ids."""
    filters = given(
        states=state or None, workflow=workflow, thread_id=thread, metadata=json_object(metadata, "--metadata")
    )
    if all_matching and not filters:
        raise typer.BadParameter("--all-matching needs --state, --workflow, --thread or --metadata")
    if filters and not all_matching:
        raise typer.BadParameter("filters choose jobs only with --all-matching")
    return filters if all_matching else None


def json_object(text: str | None, option: str) -> dict[str, Any] | None:
    """A JSON object: text, @FILE, or - for stdin. Raises InvalidInput, which names the option."""
    return None if text is None else read_object(text, option)
