"""A graph's stream as events of the journal: what began, what ended and how long it took, what was said meanwhile."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import orjson
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import Interrupt
from mutirao.db.jsonb import dumps
from mutirao.jobs.records import NewEvent

from mutirao_workers.journal import TOKENS

Mode = Literal["tasks", "messages", "custom", "values", "updates"]
# Of the updates only one thing is read: which steps were answered from a cache, as those have no end among the tasks.
MODES: tuple[Mode, ...] = ("tasks", "messages", "custom", "values", "updates")
_MOST_BYTES = 8_192  # of one step's input or output that an event carries; the checkpoint has the whole


class StepHook(Protocol):
    """What goes with every step of an attempt. Both are awaited before the stream goes on; raising ends the attempt."""

    async def step_began(self, task_id: str, step: str) -> None:
        """A step of the outermost graph is about to run; one inside of another may be running already."""

    async def step_ended(self, task_id: str, step: str) -> None:
        """A step has ended, has failed or has interrupted itself."""


class StepEvents:
    """Turns the parts of `astream(stream_mode=MODES, subgraphs=True, version="v2")` into events.

    `output` is the newest value of the outermost graph: its output once the stream has ended. `interrupts` are what it
    waits for then. `current` is the step that began last, `failed` the innermost that failed first. `paths` has the step
    of every task, `running` the tasks that have begun and not ended.

    Tasks in `kept` ran in an earlier attempt, whose journal has their events.
    """

    def __init__(self, emit: Callable[[NewEvent], None], hooks: Sequence[StepHook] = ()) -> None:
        self._emit = emit
        self._hooks = hooks
        self.running: dict[str, float] = {}
        self.paths: dict[str, str | None] = {}
        self.kept: set[str] = set()
        self.output: Any = None
        self.interrupts: dict[str, Interrupt] = {}
        self.current: str | None = None
        self.failed: str | None = None

    async def take(self, part: Mapping[str, Any]) -> None:
        """One part of the stream."""
        kind, data, place = part["type"], part["data"], tuple(part["ns"])
        if kind == "tasks":
            await self._task(place, data)
        elif kind == "updates":
            await self._cached(place, data)
        elif kind == "values":
            if not place:
                self.output = data
                self.interrupts |= {interrupt.id: interrupt for interrupt in part.get("interrupts") or ()}
        elif kind == "messages":
            self._tokens(place, *data)
        else:
            shown = preview(data)
            data = shown if isinstance(shown, dict) else {"value": shown}
            self._emit(NewEvent(type="custom", step=step_path(place), data=data))

    async def _task(self, place: tuple[str, ...], task: Mapping[str, Any]) -> None:
        task_id, step = task["id"], step_path(place, task["name"])
        self.paths[task_id] = step
        if "triggers" not in task:
            await self._ended(task, step or "")
        elif task_id not in self.kept:
            self.running[task_id] = time.monotonic()
            self.current = step
            self._emit(NewEvent(type="step.started", step=step, data={"id": task_id, "input": preview(task["input"])}))
            for hook in self._hooks:
                await hook.step_began(task_id, step or "")

    async def _ended(self, task: Mapping[str, Any], step: str) -> None:
        began = self.running.pop(task["id"], None)
        data: dict[str, Any] = {"id": task["id"], "output": preview(task["result"])}
        if began is not None:
            data["milliseconds"] = round((time.monotonic() - began) * 1000, 1)
        if task["error"]:
            self.failed = self.failed or step
            self._emit(NewEvent(type="step.failed", step=step, data=data | {"error": str(task["error"])[:_MOST_BYTES]}))
        elif task["interrupts"]:
            self._emit(NewEvent(type="step.interrupted", step=step, data=data))
        else:
            self._emit(NewEvent(type="step.finished", step=step, data=data))
        for hook in self._hooks:
            await hook.step_ended(task["id"], step)

    async def _cached(self, place: tuple[str, ...], update: Mapping[str, Any]) -> None:
        if not (update.get("__metadata__") or {}).get("cached"):
            return
        for name in update:
            step = step_path(place, name)
            for task_id in [task_id for task_id in self.running if self.paths[task_id] == step]:
                del self.running[task_id]
                data = {"id": task_id, "output": preview(update[name]), "cached": True}
                self._emit(NewEvent(type="step.finished", step=step, data=data))
                for hook in self._hooks:
                    await hook.step_ended(task_id, step or "")

    def _tokens(self, place: tuple[str, ...], message: Any, metadata: Mapping[str, Any]) -> None:
        if isinstance(message, dict):
            self._block(place, message, metadata)
        elif message.text and message.type == "AIMessageChunk":
            step = step_path(place, metadata.get("langgraph_node"))
            self._emit(NewEvent(type=TOKENS, step=step, data={"message": message.id, "text": message.text}))

    def _block(self, place: tuple[str, ...], event: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Text of a content-block event, which stands in for chunks where the thread protocol is spoken."""
        text = (event.get("delta") or {}).get("text") if event.get("event") == "content-block-delta" else None
        if text:
            step = step_path(place, metadata.get("langgraph_node"))
            data = {"message": str(metadata.get("run_id") or ""), "text": text}
            self._emit(NewEvent(type=TOKENS, step=step, data=data))


def step_path(place: tuple[str, ...], name: str | None = None) -> str | None:
    """`("researcher:1a2b",), "plan"` → `researcher/plan`."""
    names = [part.partition(":")[0] for part in place] + ([name] if name else [])
    return "/".join(names) or None


def running_step() -> str | None:
    """The step that the caller runs in; None outside of a graph."""
    config = var_child_runnable_config.get() or {}
    namespace = config.get("configurable", {}).get("checkpoint_ns") or ""
    return step_path(tuple(namespace.split("|"))) if namespace else None


def preview(value: Any) -> Any:
    """`value` as JSON, cut where it is large: `{"preview": text, "bytes": n}`."""
    encoded = dumps(value, _plain)
    if len(encoded) <= _MOST_BYTES:
        return orjson.loads(encoded)
    return {"preview": encoded[: _MOST_BYTES // 4].decode(errors="ignore"), "bytes": len(encoded)}


def as_json(value: Any) -> Any:
    """The whole of `value` as plain JSON."""
    return orjson.loads(dumps(value, _plain))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return repr(value)
