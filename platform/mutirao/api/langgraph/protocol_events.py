"""The thread protocol's events as clients get them, and which of them one has asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mutirao.errors import InvalidInput
from mutirao.jobs.states import TERMINAL, JobState
from mutirao.jobs.thread_journal import ThreadEvent

CHANNELS = ("values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom")
_INPUT = "input.requested"
_NAMED = "custom:"
_BREAKPOINT = "breakpoint:"
_ENDS = {f"job.{state.value}": state for state in TERMINAL}
_MOST_CHANNELS = 100


@dataclass(frozen=True)
class Filter:
    """Which events somebody wants: of some channels, and in some namespaces down to a depth below them."""

    channels: frozenset[str]
    namespaces: tuple[tuple[str, ...], ...] = ()
    depth: int | None = None

    @classmethod
    def of(cls, channels: Sequence[str], namespaces: Sequence[Sequence[str]] | None, depth: int | None) -> "Filter":
        """Raises InvalidInput when there are no channels, or one that is unknown."""
        if not channels or len(channels) > _MOST_CHANNELS:
            raise InvalidInput(f"`channels` names 1 to {_MOST_CHANNELS} of {', '.join(CHANNELS)} or {_NAMED}NAME")
        for channel in channels:
            if channel not in CHANNELS and not (channel.startswith(_NAMED) and channel != _NAMED):
                raise InvalidInput(f"channel {channel[:80]!r} is none of {', '.join(CHANNELS)} or {_NAMED}NAME")
        return cls(frozenset(channels), tuple(map(tuple, namespaces or ())), depth)

    def wants(self, event: dict[str, Any]) -> bool:
        """Whether this event is among them."""
        channel = channel_of(event)
        if channel not in self.channels and not (channel.startswith(_NAMED) and "custom" in self.channels):
            return False
        if not self.namespaces:
            return True
        place = event["params"]["namespace"]
        return any(
            _begins(place, prefix) and (self.depth is None or len(place) - len(prefix) <= self.depth)
            for prefix in self.namespaces
        )


def channel_of(event: dict[str, Any]) -> str:
    """The channel of an event; that of a custom one with a name is its own."""
    method: str = event["method"]
    if method == _INPUT:
        return "input"
    data = event["params"]["data"]
    name = data.get("name") if method == "custom" and isinstance(data, dict) else None
    return f"{_NAMED}{name}" if name and isinstance(name, str) else method


def _begins(place: Sequence[str], prefix: Sequence[str]) -> bool:
    """Whether a namespace is below `prefix`, whose parts may be a node's name without the id of its task."""
    return len(prefix) <= len(place) and all(
        part == wanted or (":" not in wanted and part.partition(":")[0] == wanted)
        for part, wanted in zip(place, prefix, strict=False)
    )


def told(event: ThreadEvent) -> dict[str, Any]:
    """An event of a journal as the protocol has it."""
    method, namespace, data, node = _content(event)
    milliseconds = int(event.at.timestamp() * 1000)
    params = {"namespace": namespace, "timestamp": milliseconds, "data": data}
    if node is not None:
        params["node"] = node
    return {
        "type": "event",
        "event_id": f"{milliseconds}-{event.seq}",
        "seq": event.seq,
        "method": method,
        "params": params,
    }


def asks(event: dict[str, Any]) -> bool:
    """Whether this event asks somebody something."""
    return bool(event["method"] == _INPUT)


def frame(event: dict[str, Any]) -> bytes:
    """An event as a server-sent one."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event["event_id"].encode(), event["method"].encode(), dump(event))


def dump(message: dict[str, Any]) -> bytes:
    """A message of the protocol as JSON."""
    return orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS)


def _content(event: ThreadEvent) -> tuple[str, list[str], Any, str | None]:
    """Method, namespace, data and node."""
    data = event.data
    if event.type == "stream.protocol":
        return data["method"], data["namespace"], data["data"], data.get("node")
    if event.type == "approval.requested":
        asked = {"interrupt_id": event.interrupt_id or data["id"], "payload": data["request"], "value": data["request"]}
        return _INPUT, [], asked, None
    lifecycle: dict[str, Any] = {"event": _status(event), "graph_name": event.workflow, "run_id": str(event.job)}
    if lifecycle["event"] == "failed":
        lifecycle["error"] = _why(event)
    return "lifecycle", [], lifecycle, None


def _status(event: ThreadEvent) -> str:
    """What has become of the run. A client stops to read at `completed` and `failed` only: a run that was cancelled has
    failed, for it."""
    if event.type == "job.started":
        return "running"
    if event.type == "job.paused":
        return "interrupted" if event.data.get("waiting_for") == "approval" else "running"
    return "completed" if _ENDS[event.type] is JobState.SUCCEEDED else "failed"


def _why(event: ThreadEvent) -> str:
    state = _ENDS[event.type]
    error = event.data.get("error") or {}
    kind, message = error.get("kind"), error.get("message") or f"the run is {state.value}"
    return f"{kind}: {message}" if kind and not message.startswith(kind) else str(message)


def is_breakpoint(interrupt_id: str) -> bool:
    """Whether this interrupt is a step to stop before or after, which any answer lets pass."""
    return interrupt_id.startswith(_BREAKPOINT)


class Agents:
    """The agents of a run, and how they are, from its events one after another."""

    MOST = 10_000
    _MOST_CHARS = 1 << 20  # of all namespaces

    def __init__(self, graph_name: str) -> None:
        self._graph_name = graph_name
        self._nodes: dict[tuple[str, ...], dict[str, Any]] = {(): _agent((), graph_name, "started")}
        self._chars = 0

    def add(self, event: ThreadEvent) -> bool:
        """Take an event into account; says whether there is still room."""
        method, namespace, data, _ = _content(event)
        if method != "lifecycle":
            return True
        place = tuple(namespace)
        if place not in self._nodes:
            self._chars += sum(map(len, place))
            name = data.get("graph_name") or (place[-1].partition(":")[0] if place else self._graph_name)
            self._nodes[place] = _agent(place, name, "started")
        self._nodes[place]["status"] = data["event"]
        return len(self._nodes) <= self.MOST and self._chars <= self._MOST_CHARS

    def root(self) -> dict[str, Any]:
        """The outermost one, with those below it."""
        nodes = self._nodes
        for place, node in sorted(nodes.items()):
            if place:
                above = (place[:length] for length in range(len(place) - 1, -1, -1))
                parent = next(nodes[prefix] for prefix in above if prefix in nodes)
                parent.setdefault("children", []).append(node)
        return nodes[()]


def agents(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Namespace and status of every agent of a tree."""
    yield {"namespace": root["namespace"], "status": root["status"]}
    for child in root.get("children", ()):
        yield from agents(child)


def _agent(place: tuple[str, ...], graph_name: str, status: str) -> dict[str, Any]:
    return {"namespace": list(place), "status": status, "graph_name": graph_name}
