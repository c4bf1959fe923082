"""The rows of a job's journal that its readers see as the stream of a LangGraph server: one for each part of the modes
that were asked for, `stream.<event>`, with `{"ns": [...], "data": payload}`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message
from langgraph.types import Interrupt
from mutirao.jobs.records import NewEvent, StreamOptions
from orjson import Fragment

from mutirao_workers.answers import waits_for_children
from mutirao_workers.wire import encoded

EVENTS = "events"
OMITTED = "__omitted__"
_MESSAGE_MODES = frozenset({"messages", "messages-tuple"})
# Those that no attempt has anyway.
_FURTHER = ("checkpoints", "debug", "tools")
_HIDDEN = "langsmith:hidden"
_PLACE = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


class Streamed:
    """Writes the rows of one attempt. A payload of more than `most_bytes` is left out, and its row says so:
    `{"__omitted__": {"bytes", "max_bytes"}}`."""

    def __init__(self, emit: Callable[[NewEvent], None], stream: StreamOptions, most_bytes: int) -> None:
        self._emit = emit
        self._asked = frozenset(stream.modes)
        self._subgraphs = stream.subgraphs
        self._most_bytes = most_bytes
        self._messages = Messages(self._write)
        self.modes = tuple(mode for mode in _FURTHER if mode in self._asked)

    @property
    def events(self) -> bool:
        """Whether somebody wants the events of everything that runs inside of the graph."""
        return EVENTS in self._asked

    @property
    def message_chunks(self) -> bool:
        """Whether messages must come as chunks of LangChain's."""
        return self.events or not self._asked.isdisjoint(_MESSAGE_MODES)

    def take(self, part: Mapping[str, Any]) -> None:
        """One part of the stream, as LangGraph gives it with `version="v2"`."""
        kind, place = part["type"], part["ns"]
        if place and not self._subgraphs:
            return
        if kind == "messages":
            if "messages-tuple" in self._asked:
                self._write("messages", part["data"], place)
            elif "messages" in self._asked:
                self._messages.take(part["data"], place)
        elif kind in self._asked and not _of_children(part):
            self._write(kind, _payload(part), place)

    def event(self, event: Mapping[str, Any]) -> None:
        """One event of what runs inside of the graph."""
        if _HIDDEN not in (event.get("tags") or ()):
            self._write(EVENTS, event)

    def _write(self, name: str, payload: Any, place: tuple[str, ...] = ()) -> None:
        # Encoded now: a step may change what it has returned.
        data = encoded(payload)
        if len(data) > self._most_bytes:
            data = encoded({OMITTED: {"bytes": len(data), "max_bytes": self._most_bytes}})
        self._emit(NewEvent(type=f"stream.{name}", data={"ns": list(place), "data": Fragment(data)}))


class Messages:
    """Messages as they grow: what is known of one, then the whole of it after each chunk."""

    def __init__(self, write: Callable[[str, Any, tuple[str, ...]], None]) -> None:
        self._write = write
        self._grown: dict[str, BaseMessageChunk] = {}
        self._told: set[str] = set()

    def take(self, data: tuple[BaseMessage, Mapping[str, Any]], place: tuple[str, ...]) -> None:
        """A message, or the next chunk of one, and its metadata."""
        message, metadata = data
        key = message.id or ""
        if key not in self._told:
            self._told.add(key)
            self._write("messages/metadata", {key: {"metadata": metadata}}, place)
        if not isinstance(message, BaseMessageChunk):
            self._write("messages/complete", [message], place)
            return
        self._grown[key] = grown = _longer(self._grown.get(key), message)
        self._write("messages/partial", [message_chunk_to_message(grown)], place)


def _longer(before: BaseMessageChunk | None, chunk: BaseMessageChunk) -> BaseMessageChunk:
    if before is None:
        return chunk
    try:
        grown = before + chunk
    except (TypeError, ValueError):  # pieces that do not fit together
        return chunk
    return grown if isinstance(grown, BaseMessageChunk) else chunk


def _of_children(part: Mapping[str, Any]) -> bool:
    """Whether all that it says is that a step waits for jobs it has started: nobody is asked anything."""
    asked: Sequence[Interrupt] | None = None
    if part["type"] == "values":
        asked = part.get("interrupts")
    elif part["type"] == "updates" and isinstance(part["data"], Mapping):
        asked = part["data"].get("__interrupt__")
    return bool(asked) and all(waits_for_children(interrupt) for interrupt in asked or ())


def _payload(part: Mapping[str, Any]) -> Any:
    data = part["data"]
    if part["type"] == "values" and part.get("interrupts"):
        return {**(data or {}), "__interrupt__": part["interrupts"]}
    if part["type"] == "debug" and data["type"] == "checkpoint":
        return {**data, "payload": _checkpoint(data["payload"])}
    return data


def _checkpoint(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint of mode `debug`: with its place and its parent's spelled out, as with those of its tasks' graphs."""
    places = {name: _place(payload[config]) for name, config in _PLACES}
    return {**payload, **places, "tasks": [_task(task) for task in payload["tasks"]]}


_PLACES = (("checkpoint", "config"), ("parent_checkpoint", "parent_config"))


def _task(task: Mapping[str, Any]) -> Mapping[str, Any]:
    place = _place(task.get("state"))
    if place is None:
        return task
    return {**{key: value for key, value in task.items() if key != "state"}, "checkpoint": place}


def _place(config: Any) -> dict[str, Any] | None:
    if not isinstance(config, Mapping) or "configurable" not in config:
        return None
    return {key: config["configurable"][key] for key in _PLACE if key in config["configurable"]}
