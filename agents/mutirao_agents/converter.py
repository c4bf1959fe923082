"""The code converter: one Python 2 file to Python 3, by deterministic rules, compiled but not executed.

This version asks no model; what the rules cannot decide is listed with its lines for a person.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NotRequired, cast

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from mutirao_agents.context import job_context
from mutirao_agents.modernize.pool import ConverterFailed, ConverterPool

Content = Callable[[str], bytes]
"""Gives the content of a file of the sources by its path; called in a thread."""


class ConvertInput(TypedDict):
    """A file to convert. `siblings` are the modules beside it, when it is in a package."""

    path: str
    siblings: list[str]


class ConvertOutput(TypedDict):
    """The result, without the content: that is the blob `after`. `reason` says why a file was kept as it is."""

    path: str
    before: str
    after: str
    grammar: str
    reason: str
    fixers: dict[str, int]
    notes: list[str]
    findings: list[dict[str, Any]]
    compiles: bool
    error: str
    error_line: int | None


class ConvertState(ConvertInput):
    """The converter at work."""

    result: NotRequired[ConvertOutput]


async def converted(pool: ConverterPool, path: str, siblings: list[str], data: bytes) -> tuple[ConvertOutput, bytes]:
    """Convert one file. A file that is too much for the rules is kept as it is, with the reason."""
    seconds = job_context().settings.modernize.convert_seconds
    header = {"op": "convert", "path": path, "siblings": siblings, "skip_fixers": []}
    result = ConvertOutput(
        path=path, before=_sha256(data), after=_sha256(data), grammar="broken", reason="", fixers={}, notes=[],
        findings=[], compiles=False, error="", error_line=None,
    )  # fmt: skip
    try:
        answer = await pool.ask(header, lambda: data, seconds=seconds)
    except ConverterFailed as failure:
        result["reason"] = f"kept as it is: {failure}"
        result["error"] = "it was not compiled"
        return result, data
    said, new = answer.header, answer.body
    compiled = {"compiles": said["compiled"]["ok"], "error": said["compiled"]["message"]}
    compiled |= {"error_line": said["compiled"]["line"], "after": _sha256(new)}
    taken = {name: said[name] for name in ("grammar", "reason", "fixers", "notes", "findings")}
    return cast(ConvertOutput, {**result, **taken, **compiled}), new


def converter(content: Content, pool: ConverterPool | None = None) -> StateGraph[Any, Any, Any, Any]:
    """The converter as a graph of one step, `convert`: the new content becomes an artifact `converted/<path>`."""
    workers = pool or ConverterPool()

    async def convert(state: ConvertInput) -> dict[str, Any]:
        result, new = await converted(workers, state["path"], state["siblings"], content(state["path"]))
        await job_context().files.put(f"converted/{state['path']}", new, "text/x-python")
        return {"result": result}

    graph = StateGraph(ConvertState, input_schema=ConvertInput)
    graph.add_node("convert", convert)
    graph.add_edge(START, "convert")
    graph.add_edge("convert", END)
    return graph


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
