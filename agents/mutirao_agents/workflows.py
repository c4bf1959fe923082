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
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from langgraph.graph.state import CompiledStateGraph, StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from mutirao_agents.factories import Factory, compiled
from mutirao_agents.nodes import synchronous_nodes
from mutirao_agents.schemas import graph_schemas, input_schema, output_schema

Builder = Callable[[], "StateGraph[Any, Any, Any, Any] | CompiledStateGraph[Any, Any, Any, Any]"]
Graph = CompiledStateGraph[Any, Any, Any, Any]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
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
    factory: Factory | None = field(default=None, repr=False)
    # Of a LangGraph project: its graphs take whatever they are given, as they always have.
    lenient: bool = False

    @cached_property
    def graph(self) -> Graph:
        """The compiled graph, without a checkpointer; the runner puts in its own copy's. Of a factory: one to look at,
        never to run. An `@entrypoint` is a graph without a builder."""
        # What an entrypoint lacks of a `CompiledStateGraph` is asked for with care.
        return self.factory.describe(self.name) if self.factory else compiled(self.builder(), self.name)  # type: ignore[return-value] # a `Pregel`

    @asynccontextmanager
    async def built(
        self, config: Mapping[str, Any], *, access: str, store: BaseStore | None = None, context: Any = None
    ) -> AsyncIterator[Graph]:
        """The graph for one use: of a factory, one that it makes now of the run's config, and lets go at the end.

        Args:
            access: one of `factories.RUN`, `UPDATE`, `READ`, `DESCRIBE`.
        """
        if self.factory is None:
            yield self.graph
        else:
            async with self.factory.open(self.name, config, access, store or InMemoryStore(), context) as graph:
                yield graph  # type: ignore[misc] # as above

    @cached_property
    def kind(self) -> Kind:
        """The kind asked for, else `exclusive` when any node is synchronous."""
        return self.asked_kind or (Kind.EXCLUSIVE if synchronous_nodes(self.graph) else Kind.SHARED)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the input; unknown keys are refused unless the model says otherwise."""
        schema = input_schema(self.graph)
        if schema.get("type") == "object" and "properties" in schema and not self.lenient:
            schema.setdefault("additionalProperties", False)
        return schema

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the output."""
        return output_schema(self.graph)

    @cached_property
    def schemas(self) -> dict[str, Any]:
        """What LangGraph's clients ask for: `graph_id`, `input_schema`, `output_schema`, `state_schema`,
        `config_schema`, `context_schema`; null where there is none."""
        return {"graph_id": self.name, **graph_schemas(self.graph)}

    @cached_property
    def subgraphs(self) -> dict[str, dict[str, Any]]:
        """The same of each sub-graph, however deep: {"outer|inner": schemas}."""
        found = self.graph.get_subgraphs(recurse=True)
        return {path: {"graph_id": self.name, **graph_schemas(sub)} for path, sub in found if isinstance(sub, Pregel)}

    @cached_property
    def shape(self) -> dict[str, Any]:
        """For drawing: `{"nodes": [{"id", "type"}], "edges": [{"source", "target", "conditional", "label"}]}`; labels
        only where there are some. With sub-graphs also `"subgraphs": {"outer/inner": the same}`, however deep."""
        inner = self.graph.get_subgraphs(recurse=True)
        shapes = {path.replace("|", "/"): _shape_inside(sub) for path, sub in inner if isinstance(sub, Pregel)}
        known = {path: shape for path, shape in shapes.items() if shape is not None}
        return _shape(self.graph) | ({"subgraphs": known} if known else {})


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
        name: what jobs call it, `[A-Za-z0-9][A-Za-z0-9_.-]*`, at most 64 characters.
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


def from_graph(name: str, graph: Any, *, version: str, description: str = "") -> Workflow:
    """Make a workflow of an existing `StateGraph`, compiled graph, `@entrypoint`, or factory of graphs."""
    common: dict[str, Any] = {"name": checked_name(name), "version": version, "queue": DEFAULT_QUEUE, "lenient": True}
    common["description"] = description
    if callable(graph) and not isinstance(graph, (StateGraph, Pregel)):
        return Workflow(**common, builder=graph, factory=Factory(graph))
    return Workflow(**common, builder=lambda: graph)


def checked_name(name: str) -> str:
    """`name` itself, when it may name a workflow."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"workflow name {name!r}: use at most 64 of letters, digits, '_', '-', '.', starting with a letter or a digit"
        )
    return name


def source_version(path: str | None) -> str:
    """First 12 hex digits of the SHA-256 of a source file; `0` when there is none (an interactive session)."""
    if path is None or not Path(path).is_file():
        return "0"
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def _shape(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any]:
    drawn = graph.get_graph(xray=False).to_json()
    nodes = [{"id": node["id"], "type": _node_type(node)} for node in drawn["nodes"]]
    edges = [
        {"source": edge["source"], "target": edge["target"], "conditional": bool(edge.get("conditional"))}
        | ({"label": str(edge["data"])} if edge.get("data") else {})
        for edge in drawn["edges"]
    ]
    return {"nodes": nodes, "edges": edges}


def _shape_inside(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any] | None:
    try:
        return _shape(graph)
    except Exception:  # noqa: BLE001 (a sub-graph that cannot be drawn is no reason not to run the graph)
        return None


def _node_type(node: dict[str, Any]) -> str:
    if node["id"] in ("__start__", "__end__"):
        return "schema"
    kind = (node.get("data") or {}).get("id") or []
    return "graph" if "CompiledStateGraph" in kind else "step"
