"""Exceptions that end an attempt: what a person reads of them, and what becomes of the job."""

import traceback
from collections.abc import Iterator

from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError, is_invalid_resume
from mutirao.errors import (
    BudgetExhausted,
    DocumentUnreadable,
    InvalidInput,
    MutiraoError,
    NoEvidence,
    WorkflowUnavailable,
)
from mutirao.jobs.records import Problem
from mutirao.jobs.states import JobState

from mutirao_workers.beginning import StartInvalid
from mutirao_workers.endings import Ending

_MOST_CHARS = 4_000  # of an error's message
# The job would fail in the same way however often it is tried.
_HOPELESS = (
    WorkflowUnavailable,
    StartInvalid,
    InvalidInput,
    NoEvidence,
    DocumentUnreadable,
    GraphRecursionError,
    InvalidUpdateError,
    EmptyInputError,
)


def failure(error: BaseException, step: str | None) -> Ending:
    """How the job ends, or goes on, after this exception of its graph."""
    for cause in chain(error):
        if isinstance(cause, BudgetExhausted):
            return Ending(state=JobState.BUDGET_EXHAUSTED, error=problem_of(cause, step), said=said_by(cause))
    hopeless = isinstance(error, _HOPELESS) or is_invalid_resume(error)
    state = JobState.FAILED if hopeless else JobState.QUEUED
    return Ending(state=state, error=problem_of(error, step), said=said_by(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and everything it was raised from, during or together with."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__context__, current.__cause__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions


def problem_of(error: BaseException, step: str | None) -> Problem:
    """What a person reads of an exception that ended a job."""
    kind, said = type(error).__name__, said_by(error)
    if isinstance(error, MutiraoError):
        return Problem(code=error.code, message=said[:_MOST_CHARS], step=step, kind=kind)
    if isinstance(error, GraphRecursionError):
        return Problem(code="too_many_steps", message=said, step=step, kind=kind)
    if is_invalid_resume(error):
        message = f"the decision is not what the step has asked for: {said[:_MOST_CHARS]}"
        return Problem(code="decision_invalid", message=message, step=step, kind=kind)
    place = traceback.extract_tb(error.__traceback__)
    where = f" ({place[-1].filename.rpartition('/')[2]}:{place[-1].lineno})" if place else ""
    return Problem(code="step_failed", message=f"{kind}: {said[:_MOST_CHARS]}{where}", step=step, kind=kind)


def said_by(error: BaseException) -> str:
    """The message of an exception, as JSON, and so the database and the API, can carry it."""
    try:
        return str(error).encode(errors="replace").decode().replace("\x00", "\ufffd")[:_MOST_CHARS]
    except Exception:  # noqa: BLE001 (an exception of user code may fail even at this)
        return "it cannot say what it is"
