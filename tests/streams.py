"""Jobs as LangGraph's clients submit them, run in the test's own process: what they bring, and what is read of them."""

import operator
from typing import Annotated, Any
from uuid import UUID

from langgraph.config import get_stream_writer
from langgraph.types import interrupt
from mutirao.jobs.records import Claim
from typing_extensions import TypedDict

from tests.runs import Runs

LATER = """UPDATE jobs SET state = 'succeeded', waiting_for = NULL, finished_at = now()
WHERE thread_id = :thread AND state = 'paused'"""


class Said(TypedDict, total=False):
    """The state of the graphs here."""

    said: Annotated[list[Any], operator.add]
    word: str


async def hello(state: Said) -> Any:
    """Writes to the stream, and says so."""
    get_stream_writer()({"progress": 1})
    return {"said": ["hello"]}


async def ask(state: Said) -> Any:
    """Asks, and repeats the answer."""
    return {"said": [interrupt({"question": "who?"})]}


async def bye(state: Said) -> Any:
    """The last step."""
    return {"said": ["bye"], "word": "done"}


async def run_of(world: Runs, thread: UUID | None = None, *modes: str, **fields: Any) -> Claim:
    """The claim of a new job with `run`; what of the fields belongs there goes there. A job that the thread waits with
    for a decision gives way."""
    stream = {
        "modes": list(modes),
        "subgraphs": fields.pop("subgraphs", False),
        "protocol": fields.pop("protocol", False),
    }
    of_job = {name: fields.pop(name) for name in ("input", "assistant_id", "retry", "metadata") if name in fields}
    run = {**fields, "stream": stream}
    if thread is not None:
        await world.store.run(LATER, thread=thread)
    return await world.store.claimed(thread_id=thread, run=run, **of_job)


async def rows(world: Runs, claim: Claim) -> list[tuple[str, Any]]:
    """The rows of a job's stream: `mode` or `mode|namespace`, without the tasks' ids, and the payload."""
    found = []
    for event in await world.events(claim.job_id, "stream."):
        names = [place.partition(":")[0] for place in event.data["ns"]]
        found.append(("|".join([event.type.removeprefix("stream."), *names]), event.data["data"]))
    return found


async def thread_row(world: Runs, thread: UUID) -> Any:
    """The row of a thread."""
    [row] = await world.store.run("SELECT * FROM threads WHERE id = :id", id=thread)
    return row
