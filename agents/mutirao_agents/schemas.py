"""JSON Schemas of a graph's input, output, state and context."""

from collections.abc import Callable
from typing import Any, get_type_hints

from langgraph.pregel import Pregel
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

_MESSAGE = ("Message", "MessageChunk")
AnyGraph = Pregel[Any, Any, Any, Any]


def input_schema(graph: AnyGraph) -> dict[str, Any]:
    """Of the input. Messages may be sent in every form that LangGraph's `add_messages` takes."""
    schema = json_schema(_of_builder(graph, "input_schema"), graph.get_input_jsonschema)
    properties = {name: _messages_as_sent(of) for name, of in schema.get("properties", {}).items()}
    return {**schema, "properties": properties} if properties else schema


def output_schema(graph: AnyGraph) -> dict[str, Any]:
    """Of the output."""
    return json_schema(_of_builder(graph, "output_schema"), graph.get_output_jsonschema)


def graph_schemas(graph: AnyGraph) -> dict[str, Any]:
    """All of them; None where a graph has none, or it cannot be told."""
    state = _of_builder(graph, "state_schema")
    context = _or_none(lambda: json_schema(graph.context_schema, graph.get_context_jsonschema))
    return {
        "input_schema": _or_none(lambda: input_schema(graph)),
        "output_schema": _or_none(lambda: output_schema(graph)),
        "state_schema": _or_none(
            lambda: json_schema(state, lambda: TypeAdapter(state).json_schema()) if state else None
        ),
        "config_schema": context,
        "context_schema": context,
    }


def json_schema(kind: Any, generate: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """What `generate` says; where pydantic refuses (a `typing.TypedDict` on Python 3.11), field by field."""
    try:
        return generate() or {}
    except PydanticUserError:
        if not isinstance(kind, type):
            return {}
        hints = get_type_hints(kind, include_extras=False)
        required = sorted(set(hints) & set(getattr(kind, "__required_keys__", hints)))
        properties = {name: {**_field_schema(hint), "title": name} for name, hint in hints.items()}
        return {"type": "object", "title": kind.__name__, "properties": properties, "required": required}


def _messages_as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """A list of LangChain messages, of which `{"role", "content"}`, `[role, content]` and a plain text are some, too."""
    items = schema.get("items")
    kinds = items.get("oneOf", ()) if isinstance(items, dict) else ()
    if not kinds or not all(str(kind.get("$ref", "")).endswith(_MESSAGE) for kind in kinds):
        return schema
    role = {"type": "object", "required": ["role", "content"]}
    pair = {"type": "array", "prefixItems": [{"type": "string"}, {}], "minItems": 2, "maxItems": 2}
    return {**schema, "items": {"anyOf": [*kinds, role, pair, {"type": "string"}]}}


def _of_builder(graph: AnyGraph, name: str) -> Any:
    return getattr(getattr(graph, "builder", None), name, None)


def _field_schema(hint: Any) -> dict[str, Any]:
    try:
        return TypeAdapter(hint).json_schema()
    except PydanticUserError:
        return {}


def _or_none(generate: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return generate() or None
    except Exception:  # noqa: BLE001 (a state that has no JSON Schema is no reason not to run the graph)
        return None
