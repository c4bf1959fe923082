"""A graph's stream as events of the journal: what began, what ended and how long it took, what was said meanwhile."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson
from langchain_core.runnables.config import var_child_runnable_config
from mutirao.db.jsonb import dumps
from mutirao.jobs.records import NewEvent

from mutirao_workers.journal import TOKENS

MODES: tuple[Literal["tasks", "messages", "custom", "values"], ...] = ("tasks", "messages", "custom", "values")
_MOST_BYTES = 8_192  # of one step's input or output that an event carries; the checkpoint has the whole


class StepEvents:
    """Turns the parts of `astream(stream_mode=MODES, subgraphs=True, version="v2")` into events.

    `output` is the newest value of the outermost graph: its output once the stream has ended. `current` is the step
    that began last, `failed` the innermost that failed first.
    """

    def __init__(self, emit: Callable[[NewEvent], None]) -> None:
        self._emit = emit
        self._began: dict[str, float] = {}
        self.output: Any = None
        self.interrupted = False
        self.current: str | None = None
        self.failed: str | None = None

    def take(self, part: Mapping[str, Any]) -> None:
        """One part of the stream."""
        kind, data, place = part["type"], part["data"], tuple(part["ns"])
        if kind == "values":
            if not place:
                self.output = data
                self.interrupted = bool(part.get("interrupts"))
        elif kind == "tasks":
            self._task(place, data)
        elif kind == "messages":
            self._tokens(place, *data)
        else:
            shown = preview(data)
            self._emit(
                NewEvent(
                    type="custom", step=step_path(place), data=shown if isinstance(shown, dict) else {"value": shown}
                )
            )

    def _task(self, place: tuple[str, ...], task: Mapping[str, Any]) -> None:
        step = step_path(place, task["name"])
        if "triggers" in task:
            self._began[task["id"]] = time.monotonic()
            self.current = step
            self._emit(
                NewEvent(type="step.started", step=step, data={"id": task["id"], "input": preview(task["input"])})
            )
            return
        began = self._began.pop(task["id"], None)
        data: dict[str, Any] = {"id": task["id"], "output": preview(task["result"])}
        if began is not None:
            data["milliseconds"] = round((time.monotonic() - began) * 1000, 1)
        if task["error"]:
            self.failed = self.failed or step
            self._emit(NewEvent(type="step.failed", step=step, data=data | {"error": str(task["error"])[:_MOST_BYTES]}))
        else:
            self._emit(NewEvent(type="step.finished", step=step, data=data))

    def _tokens(self, place: tuple[str, ...], message: Any, metadata: Mapping[str, Any]) -> None:
        if message.text and message.type == "AIMessageChunk":
            step = step_path(place, metadata.get("langgraph_node"))
            self._emit(NewEvent(type=TOKENS, step=step, data={"message": message.id, "text": message.text}))


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
