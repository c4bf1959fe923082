"""Verbs on threads that are more than one statement; the native API and the LangGraph protocol share them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from mutirao.api.routes.jobs import ended
from mutirao.api.services import Services
from mutirao.callers import nobodys
from mutirao.errors import BadRequest, Forbidden, InvalidInput
from mutirao.keys import Scope
from mutirao.projects import Identity

STOP_SECONDS = 10.0
"""How long a delete waits for a running job of a thread to have stopped; it is deleted then, and writes nothing more."""

MOST_UPDATES_SECONDS = 60.0


async def delete_threads(services: Services, caller: Identity, thread_ids: Sequence[UUID]) -> int:
    """Delete threads with all that is theirs, once their jobs have stopped; returns how many there were."""
    project_id = caller.project_id
    for job_id in await services.threads.ask_end(project_id, thread_ids, by=caller.actor):
        await ended(services, project_id, job_id, STOP_SECONDS)
    own = await services.threads.own(project_id, thread_ids)
    deleted = await services.threads.delete(project_id, own)
    services.changes.deleted(project_id)
    for thread_id in own:
        await services.audit.record(caller, "thread.delete", thread_id)
    return deleted


async def prune_threads(services: Services, caller: Identity, thread_ids: Sequence[UUID], strategy: str) -> int:
    """Delete threads, or (`keep_latest`) all of their checkpoints but the last; returns how many threads that were."""
    if strategy == "delete":
        return await delete_threads(services, caller, thread_ids)
    project_id = caller.project_id
    own = await services.threads.own(project_id, thread_ids)
    if not own:
        return 0
    request = {"thread_ids": [str(thread) for thread in own], "strategy": strategy}
    answer = await services.queries.ask(project_id, "prune", request)
    for thread_id in own:
        await services.audit.record(caller, "thread.prune", thread_id, {"strategy": strategy})
    return int(answer["pruned_count"])


async def state(
    services: Services,
    project_id: UUID,
    thread_id: UUID,
    checkpoint: Mapping[str, Any] | None = None,
    *,
    subgraphs: bool = False,
) -> dict[str, Any]:
    """The state of a thread, at a checkpoint or the last one. Raises NotFound."""
    request: dict[str, Any] = {"thread_id": str(thread_id), "subgraphs": subgraphs}
    if checkpoint:
        request |= {name: checkpoint[name] for name in ("checkpoint_id", "checkpoint_ns") if checkpoint.get(name)}
        request["checkpoint"] = dict(checkpoint)
    return _shown(await services.queries.ask(project_id, "state", request))


async def history(
    services: Services, project_id: UUID, thread_id: UUID, request: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """States of a thread, newest first: `limit`, `before`, `metadata`, `checkpoint`. Raises NotFound."""
    asked = {name: value for name, value in request.items() if value is not None}
    answer: list[dict[str, Any]] = await services.queries.ask(
        project_id, "history", {"thread_id": str(thread_id), **asked}
    )
    return [_shown(state) for state in answer]


def _shown(state: dict[str, Any]) -> dict[str, Any]:
    """A state without who has asked for the run that it comes from."""
    metadata = state.get("metadata")
    return {**state, "metadata": nobodys(metadata)} if isinstance(metadata, dict) else state


async def update_state(
    services: Services, caller: Identity, thread_id: UUID, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Change the state of a thread: `values`, `as_node`, `checkpoint`, `checkpoint_id` or `supersteps`.

    Raises:
        NotFound: no such thread in this project.
        BadRequest: the thread has no workflow yet, or its graph cannot be changed so.
        Conflict: a job of the thread runs or waits for its turn.
        Forbidden: the thread waits for a decision, which the caller may not make.
    """
    project_id = caller.project_id
    workflow = await services.queries.workflow_of(project_id, thread_id)
    may_approve = Scope.APPROVE in caller.scopes
    if not may_approve and await services.runs.asks(thread_id):
        raise Forbidden(
            f"thread {str(thread_id)!r} waits for a decision: changing its state needs the scope 'approve'",
            scope=Scope.APPROVE,
        )
    if workflow is None:
        raise BadRequest(
            f"thread {str(thread_id)!r} has no workflow yet: run a job in it, or create it with `graph_id` in its metadata"
        )
    asked = {name: value for name, value in request.items() if value is not None}
    request = {"thread_id": str(thread_id), **asked, "may_approve": may_approve}
    try:
        answer: dict[str, Any] = await services.queries.ask(
            project_id, "update", request, workflow=workflow, seconds=MOST_UPDATES_SECONDS
        )
    except InvalidInput as refused:
        raise BadRequest(refused.message) from None
    await services.audit.record(caller, "thread.change_state", thread_id, {"as_node": asked.get("as_node")})
    return answer


def selected(state: dict[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """The state with these fields only; `values.<key>` is one key of the values."""
    if not fields:
        return state
    shown = {name: state[name] for name in fields if name in state}
    keys = [name.removeprefix("values.") for name in fields if name.startswith("values.")]
    if keys and "values" not in shown:
        values = state["values"] if isinstance(state["values"], dict) else {}
        shown["values"] = {key: values[key] for key in keys if key in values}
    return shown
