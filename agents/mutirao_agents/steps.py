"""Which step runs here, and numbers for what it does in one run of it."""

import threading
from collections import Counter
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import Runtime

_RUNTIME = "__pregel_runtime"


def place() -> str:
    """Where in the graph the caller runs: LangGraph's checkpoint namespace, `step:task|step:task`; "" outside a graph.

    It is the same when the step is run again after a crash or a pause, and another when a loop comes back to it. A
    subgraph that is compiled with `checkpointer=False` has no lasting place.
    """
    return str(_configurable().get("checkpoint_ns") or "")


def step_name(where: str) -> str | None:
    """`outer:1a2b|inner:3c4d` → `outer/inner`."""
    return "/".join(part.partition(":")[0] for part in where.split("|")) or None


class StepCalls:
    """Numbers the calls of each step from 0. A step that runs again begins at 0, in the same attempt or another."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._runs: dict[str, tuple[Any, Counter[str]]] = {}

    def next(self, what: str) -> tuple[str, int]:
        """The place of the running step, and the number of this call of `what` in its run."""
        where, run = place(), _run()
        with self._guard:
            known = self._runs.get(where)
            if known is None or known[0] is not run:
                known = self._runs[where] = (run, Counter())
            number = known[1][what]
            known[1][what] += 1
        return where, number


def _run() -> Any:
    """LangGraph makes a runtime for every run of a step, also when a retry policy runs it again."""
    found = _configurable().get(_RUNTIME)
    return found if isinstance(found, Runtime) else None


def _configurable() -> Any:
    return (var_child_runnable_config.get() or {}).get("configurable") or {}
