"""Snapshots of a graph's state as LangGraph's clients read them."""

from collections.abc import Mapping
from typing import Any

from langgraph.types import StateSnapshot

from mutirao_workers.wire import plain


def thread_state(snapshot: StateSnapshot) -> dict[str, Any]:
    """A state, with those of its sub-graphs where the snapshot has them. Plain JSON."""
    state: dict[str, Any] = plain(_state(snapshot))
    return state


def thread_row(snapshot: StateSnapshot) -> dict[str, Any]:
    """What `threads` keeps of a state: `values`, `next`, and `interrupts` by task."""
    interrupts = {
        task.id: [{"id": interrupt.id, "value": interrupt.value} for interrupt in task.interrupts]
        for task in snapshot.tasks
        if task.interrupts
    }
    return {"values": plain(snapshot.values), "next": list(snapshot.next), "interrupts": plain(interrupts)}


def place(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Where a checkpoint is: thread, namespace, id; None when there is none."""
    at = (config or {}).get("configurable") or {}
    if not at.get("thread_id") or not at.get("checkpoint_id"):
        return None
    found = {"thread_id": at["thread_id"], "checkpoint_ns": at.get("checkpoint_ns") or ""}
    found["checkpoint_id"] = at["checkpoint_id"]
    if at.get("checkpoint_map"):
        found["checkpoint_map"] = at["checkpoint_map"]
    return found


def _state(snapshot: StateSnapshot) -> dict[str, Any]:
    here, parent = place(snapshot.config), place(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "tasks": [_task(task) for task in snapshot.tasks],
        "metadata": dict(snapshot.metadata or {}),
        "created_at": snapshot.created_at,
        "checkpoint": here,
        "parent_checkpoint": parent,
        "interrupts": [{"value": interrupt.value, "id": interrupt.id} for interrupt in snapshot.interrupts],
        "checkpoint_id": here["checkpoint_id"] if here else None,
        "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
    }


def _task(task: Any) -> dict[str, Any]:
    inner = task.state
    nested = isinstance(inner, StateSnapshot)
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": None if task.error is None else repr(task.error),
        "interrupts": [{"value": interrupt.value, "id": interrupt.id} for interrupt in task.interrupts],
        "checkpoint": dict(inner["configurable"]) if inner is not None and not nested else None,
        "state": _state(inner) if nested else None,
        "result": task.result,
    }
