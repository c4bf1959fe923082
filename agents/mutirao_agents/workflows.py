"""Workflows: a LangGraph graph with a name, a version and typed input and output.

A user writes a function that builds a `StateGraph` and decorates it::

    @workflow(name="greet", description="Says hello.")
    def greet() -> StateGraph:
        graph = StateGraph(State, input_schema=Input, output_schema=Output)
        ...
        return graph
"""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

from langgraph.graph.state import CompiledStateGraph, StateGraph
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

Builder = Callable[[], "StateGraph[Any, Any, Any, Any] | CompiledStateGraph[Any, Any, Any, Any]"]
DEFAULT_QUEUE = "default"


class Kind(StrEnum):
    """How a worker runs a workflow's attempts."""

    SHARED = "shared"  # every node is a coroutine: many jobs share one asyncio loop
    EXCLUSIVE = "exclusive"  # some node is synchronous or heavy: a killable process of its own


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A named, versioned graph of agents. Made by `workflow` or `from_graph`, never by hand."""

    name: str
    version: str
    description: str
    queue: str
    builder: Builder = field(repr=False)
    asked_kind: Kind | None = None

    @cached_property
    def graph(self) -> "CompiledStateGraph[Any, Any, Any, Any]":
        """The compiled graph, without a checkpointer; the runner puts in its own copy's."""
        built = self.builder()
        return built.compile(name=self.name) if isinstance(built, StateGraph) else built

    @cached_property
    def kind(self) -> Kind:
        """The kind asked for, else `exclusive` when any node is synchronous."""
        return self.asked_kind or (Kind.EXCLUSIVE if synchronous_nodes(self.graph) else Kind.SHARED)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the input; unknown keys are refused unless the model says otherwise."""
        schema = json_schema(self.graph.builder.input_schema, self.graph.get_input_jsonschema)
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        return schema

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the output."""
        return json_schema(self.graph.builder.output_schema, self.graph.get_output_jsonschema)

    @cached_property
    def shape(self) -> dict[str, Any]:
        """For drawing: `{"nodes": [{"id", "type"}], "edges": [{"source", "target", "conditional"}]}`."""
        drawn = self.graph.get_graph(xray=False).to_json()
        nodes = [{"id": node["id"], "type": _node_type(node)} for node in drawn["nodes"]]
        edges = [
            {"source": e["source"], "target": e["target"], "conditional": bool(e.get("conditional"))}
            for e in drawn["edges"]
        ]
        return {"nodes": nodes, "edges": edges}


def workflow(
    *,
    name: str,
    description: str = "",
    version: str | None = None,
    queue: str = DEFAULT_QUEUE,
    kind: Kind | str | None = None,
) -> Callable[[Builder], Workflow]:
    """Turn a function that builds a `StateGraph` into a `Workflow`.

    Args:
        name: what jobs call it, `[a-z0-9][a-z0-9_.-]*`, at most 64 characters.
        version: default is a hash of the file it stands in, so that an edit is a new version.
        queue: the Celery queue whose workers run it.
        kind: `shared` or `exclusive`; default is read off the nodes.
    """

    def decorate(builder: Builder) -> Workflow:
        return Workflow(
            name=checked_name(name),
            description=description or inspect.getdoc(builder) or "",
            version=version or source_version(inspect.getsourcefile(builder)),
            queue=queue,
            builder=builder,
            asked_kind=Kind(kind) if kind else None,
        )

    return decorate


def from_graph(name: str, graph: Any, *, version: str) -> Workflow:
    """Make a workflow of an existing `StateGraph`, compiled graph, or function without arguments that returns one."""
    builder: Builder = graph if callable(graph) and not isinstance(graph, StateGraph) else lambda: graph
    return Workflow(name=checked_name(name), description="", version=version, queue=DEFAULT_QUEUE, builder=builder)


def checked_name(name: str) -> str:
    """`name` itself, when it may name a workflow."""
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and name == name.lower() and len(name) <= 64):
        raise ValueError(
            f"workflow name {name!r}: use at most 64 of a-z, 0-9, '_', '-', '.', starting with one of a-z0-9"
        )
    return name


def source_version(path: str | None) -> str:
    """First 12 hex digits of the SHA-256 of a source file; `0` when there is none (an interactive session)."""
    if path is None or not Path(path).is_file():
        return "0"
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def synchronous_nodes(graph: "CompiledStateGraph[Any, Any, Any, Any]") -> list[str]:
    """Names of the nodes that would block a shared loop: functions that are not coroutines. Looks into subgraphs."""
    found = []
    for name, node in graph.nodes.items():
        bound = node.bound
        if name.startswith("__") or isinstance(bound, CompiledStateGraph):
            continue
        if _runs_in_thread(bound):
            found.append(name)
    for _, sub in graph.get_subgraphs():
        if isinstance(sub, CompiledStateGraph):
            found += synchronous_nodes(sub)
    return found


def _runs_in_thread(bound: Any) -> bool:
    """LangGraph wraps a plain function so that its coroutine form is `run_in_executor`."""
    coroutine = getattr(bound, "afunc", None)
    if getattr(bound, "func", None) is None:
        return False
    return coroutine is None or getattr(getattr(coroutine, "func", None), "__name__", "") == "run_in_executor"


def json_schema(kind: Any, generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `generate` says; where pydantic refuses (a `typing.TypedDict` on Python 3.11), field by field."""
    try:
        return generate()
    except PydanticUserError:
        hints = get_type_hints(kind, include_extras=False)
        required = sorted(set(hints) & set(getattr(kind, "__required_keys__", hints)))
        properties = {name: {**_field_schema(hint), "title": name} for name, hint in hints.items()}
        return {"type": "object", "title": kind.__name__, "properties": properties, "required": required}


def _field_schema(hint: Any) -> dict[str, Any]:
    try:
        return TypeAdapter(hint).json_schema()
    except PydanticUserError:
        return {}


def _node_type(node: dict[str, Any]) -> str:
    if node["id"] in ("__start__", "__end__"):
        return "schema"
    kind = (node.get("data") or {}).get("id") or []
    return "graph" if "CompiledStateGraph" in kind else "step"
