"""The floor: the same graph with LangGraph's own Postgres saver, called directly from a bare Celery task.

No API, no events, no lease, no fence: what is left when everything Mutirão adds is taken away. Run as
`celery -A tests.bench.floor worker`; its URLs come from the environment.
"""

import asyncio
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from tests.bench.graphs import three_steps

app = Celery("floor", broker=os.environ["MUTIRAO_REDIS_URL"], backend=os.environ["MUTIRAO_REDIS_URL"])
app.conf.update(task_default_queue="floor", worker_enable_remote_control=False, broker_connection_retry_on_startup=True)
_process: dict[str, Any] = {}


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_process(**_: object) -> None:
    """One loop, pool and compiled graph per process."""
    loop = asyncio.new_event_loop()
    _process["loop"] = loop
    _process["graph"] = loop.run_until_complete(_compile())


async def _compile() -> Any:
    pool: Any = AsyncConnectionPool(
        os.environ["MUTIRAO_DATABASE_URL"],
        min_size=1,
        max_size=4,
        open=False,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    await pool.open()
    saver = AsyncPostgresSaver(pool)
    return three_steps().compile(checkpointer=saver)


@app.task(name="floor.run")  # type: ignore[untyped-decorator]
def run(thread_id: str) -> dict[str, int]:
    """Three no-op steps, checkpointed as Mutirão checkpoints them."""
    config = {"configurable": {"thread_id": thread_id}}
    call = _process["graph"].ainvoke({"n": 0}, config, durability="sync")
    result: dict[str, int] = _process["loop"].run_until_complete(call)
    return result
