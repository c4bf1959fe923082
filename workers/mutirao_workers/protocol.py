"""What LangGraph streams, as typed events of the thread protocol (v3).

Each is a row `stream.protocol` of the job's journal: `{"method", "namespace", "data"}` and, where one node is meant,
`"node"`. How a run begins, what it asks people and how it ends are not among them: `mutirao.jobs.thread_journal` reads
that off the events that every job has, so they are there however it has ended.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from langchain_core.language_models._compat_bridge import message_to_events
from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.pregel import Pregel
from langgraph.stream._mux import StreamMux
from langgraph.stream.transformers import LifecycleTransformer
from mutirao.jobs.records import Claim, NewEvent
from mutirao.logs import logger
from orjson import Fragment

from mutirao_workers.endings import Ending
from mutirao_workers.steps import step_path
from mutirao_workers.streamed import OMITTED
from mutirao_workers.wire import encoded

_log = logger("protocol")
PROTOCOL = "stream.protocol"
_SAME = ("values", "tools", "custom")
_CLOSING_SECONDS = 2.0
_INTERNAL = ("__interrupt__", "__metadata__")


class Protocol:
    """Turns what happens in one attempt into events `stream.protocol`.

    `modes` are stream modes of LangGraph that it needs beside those that every attempt has (tasks, messages, custom,
    values, updates). Parts come with those of all sub-graphs, as LangGraph gives them with `version="v2"`. The data of
    `messages` are `(content-block event, metadata)`; where `content_blocks` is false they are chunks, which are not told.

    The transformers that `graph` was compiled with see every part first, as they do under `astream_events(version="v3")`;
    one that raises is left out from then on, and the run goes on. Of an event of more than `most_bytes` the data are left
    out, and it says so: `{"__omitted__": {"bytes", "max_bytes"}}`.
    """

    modes: ClassVar[tuple[str, ...]] = ("checkpoints", "tools")

    def __init__(
        self,
        emit: Callable[[NewEvent], None],
        claim: Claim,
        graph: "Pregel[Any, Any, Any, Any]",
        *,
        content_blocks: bool = True,
        most_bytes: int = 4 << 20,
    ) -> None:
        self._emit = emit
        self._most_bytes = most_bytes
        self._claim = claim
        self.content_blocks = content_blocks
        self._messages = _Messages(self._put)
        self._cut = asyncio.Event()
        self._mux = self._multiplexer(list(graph.stream_transformers or ()))

    async def began(self, given: Any) -> None:
        """The graph is about to be streamed with this: an input, a `Command`, or None where it goes on."""

    async def take(self, part: Mapping[str, Any]) -> None:
        """One part of the stream."""
        namespace = list(part["ns"])
        if part["type"] == "tasks":
            self._put("tasks", namespace, part["data"], part["data"].get("name"))
        event: Any = {
            "type": "event",
            "method": part["type"],
            "params": {"namespace": namespace, "timestamp": 0, "data": part["data"]},
        }
        if "interrupts" in part:
            event["params"]["interrupts"] = part["interrupts"]
        if self._mux is None:
            self._forward(event)
            return
        try:
            await self._mux.apush(event)
        except Exception as error:  # noqa: BLE001 (a transformer is user code)
            self._give_up(error)
            self._forward(event)

    async def ended(self, ending: Ending) -> bool:
        """The attempt is about to end like this: what the transformers still have to say goes with it, but for those of the
        graph when the attempt was cut off. Takes seconds at most; false when they have not come to their end by then."""
        mux, self._mux = self._mux, None
        if mux is None:
            return True
        if self._cut.is_set():
            mux._transformers = [each for each in mux._transformers if isinstance(each, LifecycleTransformer)]
        closing = asyncio.ensure_future(self._close(mux, ending))
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            waits = {closing} if self._cut.is_set() else {closing, cut}
            await asyncio.wait(waits, timeout=_CLOSING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return closing.done()
        finally:
            closing.cancel()
            cut.cancel()

    def cut_off(self) -> None:
        """Nothing of the graph may run any more."""
        self._cut.set()

    async def _close(self, mux: StreamMux, ending: Ending) -> None:
        try:
            if ending.error is None:
                await mux.aclose()
            else:
                await mux.afail(RuntimeError(ending.error.message))
        except Exception as failure:  # noqa: BLE001 (a transformer is user code)
            self._give_up(failure)

    def _multiplexer(self, compiled: list[Callable[[tuple[str, ...]], Any]]) -> StreamMux | None:
        try:
            mux = StreamMux(factories=[LifecycleTransformer, *compiled], is_async=True)
        except Exception as error:  # noqa: BLE001 (a transformer is user code)
            self._give_up(error)
            if not compiled:
                return None
            return self._multiplexer([])
        mux._events._wire(self._forward)
        return mux

    def _give_up(self, error: BaseException) -> None:
        _log.warning("protocol.transformer_failed", job=str(self._claim.job_id), error=repr(error))
        self._mux = None

    def _forward(self, event: Any) -> None:
        """One event that the transformers have let through, or have made."""
        method, params = event["method"], event["params"]
        namespace, data = params["namespace"], params["data"]
        if method == "messages":
            self._messages.take(namespace, *data)
        elif method == "updates":
            for node, update in data.items():
                if node not in _INTERNAL:
                    self._put("updates", namespace, {node: update}, node)
        elif method == "checkpoints":
            self._put("checkpoints", namespace, _checkpoint(data))
        elif method == "lifecycle":
            self._put("lifecycle", data["namespace"], _lifecycle(data))
        elif method in _SAME:
            self._put(method, namespace, _shown(data))
        elif method != "tasks":
            self._put("custom", namespace, {"name": method.removeprefix("custom:"), "payload": data})

    def _put(self, method: str, namespace: list[str], data: Any, node: str | None = None) -> None:
        # Encoded now: a step may change what it has returned.
        payload = encoded(data)
        if len(payload) > self._most_bytes:
            payload = encoded({OMITTED: {"bytes": len(payload), "max_bytes": self._most_bytes}})
        event = {"method": method, "namespace": list(namespace), "data": Fragment(payload)}
        if node is not None:
            event["node"] = node
        self._emit(NewEvent(type=PROTOCOL, step=step_path(tuple(namespace), node), data=event))


class _Messages:
    """Messages of chat models as content blocks.

    Every event says which message it belongs to, so two models that talk at once can be told apart. A model that was
    asked for a whole answer is told as if it had streamed it; what nodes write into the state is in the values.
    """

    def __init__(self, put: Callable[[str, list[str], Any, str | None], None]) -> None:
        self._put = put
        self._open: dict[str, str] = {}

    def take(self, namespace: list[str], message: Any, metadata: Mapping[str, Any]) -> None:
        run = str(metadata.get("run_id") or "")
        if isinstance(message, dict) and "event" in message:
            self._event(namespace, message, run, metadata)
        elif isinstance(message, AIMessage) and not isinstance(message, AIMessageChunk) and "ls_model_type" in metadata:
            for event in message_to_events(message, message_id=message.id):
                self._event(namespace, dict(event), run or str(message.id), metadata)

    def _event(self, namespace: list[str], event: dict[str, Any], run: str, metadata: Mapping[str, Any]) -> None:
        node = metadata.get("langgraph_node")
        if event["event"] == "message-start":
            if event.get("role") == "tool":
                return
            self._open[run] = str(event.get("id") or event.get("message_id") or f"run-{run}")
            known = {"langgraph_node": node, "run_id": run or None}
            about = {**(event.get("metadata") or {}), **{key: value for key, value in known.items() if value}}
            event = {**event, "id": self._open[run], "metadata": about}
        elif run in self._open:
            event = {**event, "message_id": self._open[run]}
        else:
            return  # of a message that is not told
        self._put("messages", namespace, event, node)
        if event["event"] in ("message-finish", "error"):
            self._open.pop(run, None)


def _checkpoint(data: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint without its values, which have a channel of their own."""
    metadata = data.get("metadata") or {}
    return {
        "id": _checkpoint_id(data.get("config")),
        "parent_id": _checkpoint_id(data.get("parent_config")),
        "step": metadata.get("step"),
        "source": metadata.get("source"),
        "next": data.get("next"),
        "metadata": metadata,
    }


def _checkpoint_id(config: Any) -> str | None:
    found: str | None = ((config or {}).get("configurable") or {}).get("checkpoint_id")
    return found


def _lifecycle(data: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in data.items() if key != "namespace"}
    if shown["event"] == "drained":
        shown["event"] = "interrupted"
    return shown


def _shown(data: Any) -> Any:
    if isinstance(data, dict) and "__interrupt__" in data:
        return {key: value for key, value in data.items() if key != "__interrupt__"}
    return data
