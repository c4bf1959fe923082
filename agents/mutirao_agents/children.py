"""Fanning out: many jobs at once from one step, spread over every worker of their queue."""

from collections.abc import Sequence
from typing import Any

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from mutirao_agents.context import ChildResult, Gathered, JobContext, job_context


async def fan_out(
    workflow: str,
    inputs: Sequence[dict[str, Any]],
    *,
    queue: str | None = None,
    priority: int | None = None,
    fail_fast: bool = False,
) -> list[ChildResult]:
    """Run a job of `workflow` for each input, and return how each has ended, in the order of the inputs.

    The children are committed together, or none of them. Then the step stops and the job gives up its slot; when all
    children have ended the step runs again from its beginning, and this call returns. What the step does before it is
    therefore done twice: keep it short and without effects, or put effects in the ledger.

    A child that has failed is a result, not an exception. When such children are retried, and then this job, only
    they run again. Calls in one step are told apart by their order: it must be the same whenever the step runs.

    Args:
        workflow: one that some worker has published.
        inputs: one for each child; checked against the workflow's schema before anything is written.
        queue: whose workers run them; default is the workflow's.
        priority: default is this job's.
        fail_fast: once a child has failed, those that have not ended are cancelled.

    Raises:
        InputRejected: names the ordinal of the input and the path in it.
        WorkflowUnknown: no worker has ever served it.
        TooLarge: more than `MUTIRAO_MAX_CHILDREN` inputs.
    """
    job = job_context()
    return _results(await _gather(job, _key(job), workflow, inputs, queue, priority, fail_fast)) if inputs else []


def fan_out_sync(
    workflow: str,
    inputs: Sequence[dict[str, Any]],
    *,
    queue: str | None = None,
    priority: int | None = None,
    fail_fast: bool = False,
) -> list[ChildResult]:
    """`fan_out` for a synchronous step."""
    job = job_context()
    return _results(job.wait(_gather(job, _key(job), workflow, inputs, queue, priority, fail_fast))) if inputs else []


async def _gather(
    job: JobContext,
    key: str,
    workflow: str,
    inputs: Sequence[dict[str, Any]],
    queue: str | None,
    priority: int | None,
    fail_fast: bool,
) -> Gathered:
    return await job.children.gather(key, workflow, inputs, queue=queue, priority=priority, fail_fast=fail_fast)


def _key(job: JobContext) -> str:
    where, number = job.calls.next("fan_out")
    return f"{where}#{number}"


def _results(gathered: Gathered) -> list[ChildResult]:
    if gathered.results is not None:
        return gathered.results
    # Not `interrupt()`: that one would take the answer to another question of this step for its own.
    value = {"mutirao": "children", "group": str(gathered.group)}
    raise GraphInterrupt((Interrupt(value=value, id=gathered.group.hex),))
