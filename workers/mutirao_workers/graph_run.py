"""One run of a graph: each part of its stream goes to who makes events of the steps, and to who reads the stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from langgraph.runtime import RunControl
from mutirao.jobs.records import Claim, NewEvent

from mutirao_workers.endings import Ending
from mutirao_workers.options import Graph, arguments_of
from mutirao_workers.protocol import Protocol
from mutirao_workers.steps import MODES, StepEvents
from mutirao_workers.streamed import Streamed

_TURN = 32  # parts between which others have their turn
_CONTENT_BLOCKS = "__pregel_stream_messages_v2"


class GraphRun:
    """The run of one attempt. `emit` writes into its journal; `most_bytes`: largest payload of a stream's row."""

    def __init__(
        self, claim: Claim, graph: Graph, steps: StepEvents, emit: Callable[[NewEvent], None], most_bytes: int
    ) -> None:
        self._claim = claim
        self._graph = graph
        self._steps = steps
        self._streamed: Streamed | None = None
        self._protocol: Protocol | None = None
        stream = claim.run.stream if claim.run is not None else None
        # Somebody waits for the parts: many that come at once must not keep the journal from writing the first of them.
        self._live = stream is not None and stream.live
        if stream is not None and stream.modes:
            self._streamed = Streamed(emit, stream, most_bytes)
        if stream is not None and stream.protocol:
            chunks = self._streamed is not None and self._streamed.message_chunks
            self._protocol = Protocol(emit, claim, graph, content_blocks=not chunks, most_bytes=most_bytes)

    async def run(self, given: Any, config: Any, control: RunControl) -> None:
        """Stream the graph to where it stops."""
        if self._protocol is not None:
            await self._protocol.began(given)
            if self._protocol.content_blocks:
                config = {**config, "configurable": {**config["configurable"], _CONTENT_BLOCKS: True}}
        async with aclosing(self._parts(given, config, control)) as parts:
            taken = 0
            async for part in parts:
                if self._streamed is not None:
                    self._streamed.take(part)
                if self._protocol is not None:
                    await self._protocol.take(part)
                await self._steps.take(part)
                taken += 1
                if self._live and taken % _TURN == 1:
                    await asyncio.sleep(0)

    async def ended(self, ending: Ending) -> bool:
        """The attempt is about to end; false when something of the graph may run all the same."""
        return self._protocol is None or await self._protocol.ended(ending)

    def cut_off(self) -> None:
        """The attempt is to end at once."""
        if self._protocol is not None:
            self._protocol.cut_off()

    def _parts(self, given: Any, config: Any, control: RunControl) -> Any:
        further = [*(self._streamed.modes if self._streamed else ()), *(self._protocol.modes if self._protocol else ())]
        arguments: dict[str, Any] = {
            "stream_mode": list(dict.fromkeys([*MODES, *further])),
            "subgraphs": True,
            "control": control,
            **arguments_of(self._claim.run, self._graph),
        }
        if self._streamed is not None and self._streamed.events:
            return self._among_events(self._streamed, given, config, arguments)
        return self._graph.astream(given, config, version="v2", **arguments)

    async def _among_events(
        self, streamed: Streamed, given: Any, config: Any, arguments: dict[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """The parts, found among the events of everything that runs inside of the graph."""
        own = str(self._claim.job_id)
        events: Any = self._graph.astream_events(given, config, version="v2", **arguments)
        async with aclosing(events):
            async for event in events:
                if event["event"] == "on_chain_stream" and event["run_id"] == own:
                    yield _part(*event["data"]["chunk"])
                else:
                    streamed.event(event)


def _part(place: tuple[str, ...], mode: str, payload: Any) -> dict[str, Any]:
    """A part as `version="v2"` has it."""
    part = {"type": mode, "ns": place, "data": payload}
    if mode == "values":
        part["interrupts"] = ()
        if isinstance(payload, dict) and "__interrupt__" in payload:
            part["interrupts"] = payload["__interrupt__"]
            part["data"] = {key: value for key, value in payload.items() if key != "__interrupt__"}
    return part
