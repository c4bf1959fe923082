"""Answers about threads and graphs; see `mutirao.queries` for the kinds."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from langgraph.errors import InvalidUpdateError
from langgraph.pregel import Pregel
from langgraph.types import Command, Send, StateUpdate
from mutirao.db import Database
from mutirao.errors import Conflict, Forbidden, InvalidInput, NotFound, WorkflowUnavailable
from mutirao.jobs.records import Record
from mutirao.jobs.run_order import asks_in
from mutirao_agents.discovery import Found
from mutirao_agents.factories import DESCRIBE, READ, UPDATE
from mutirao_agents.schemas import graph_schemas
from mutirao_agents.workflows import Graph
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao_workers.project_store import ProjectStores
from mutirao_workers.saver import MaintenanceSaver, Pool
from mutirao_workers.steps import as_json
from mutirao_workers.thread_states import place, thread_row, thread_state

_MOST_HISTORY = 1000

_OWNED = text("SELECT id FROM threads WHERE project_id = :project AND id = ANY(CAST(:threads AS uuid[]))")

# Nobody submits a job to the thread until the change is over.
_LOCK = text("SELECT id FROM threads WHERE project_id = :project AND id = :thread FOR UPDATE")
_BUSY = text("""
SELECT id FROM jobs WHERE thread_id = :thread AND (state IN ('queued', 'running', 'waiting', 'stranded')
    OR (state = 'paused' AND waiting_for = 'request')) LIMIT 1""")
# Nor is one of the thread's jobs retried, or let go on by a decision.
_HOLD = text("""
SELECT id FROM jobs WHERE thread_id = :thread AND state NOT IN ('succeeded', 'cancelled') ORDER BY id FOR SHARE""")
# Whose question the thread waits to have answered: what is changed by hand is a part of that job.
_ASKING = text("""
SELECT id FROM jobs WHERE thread_id = :thread AND state = 'paused' AND waiting_for = 'approval'
ORDER BY created_at DESC LIMIT 1""")
_KEEP = text("""
UPDATE threads SET values = :values, interrupts = :interrupts, next = :next, error = NULL, state_updated_at = now(),
    updated_at = now(), workflow = coalesce(workflow, :workflow)
WHERE id = :thread""").bindparams(bindparam("values", type_=JSONB), bindparam("interrupts", type_=JSONB))
# What the row does not say yet: its last job was ended by others than its attempt. Not while another one goes on, which will
# leave what it finds and more.
_STALE = text("""
SELECT l.finished_at, l.error FROM threads t CROSS JOIN LATERAL (
    SELECT j.run, j.epoch, j.finished_at, j.state, j.error FROM jobs j
    WHERE j.thread_id = t.id AND NOT (j.rolled_back AND j.finished_at IS NOT NULL) ORDER BY j.id DESC LIMIT 1) l
WHERE t.id = :thread AND l.run IS NOT NULL AND l.epoch > 0 AND l.state <> 'succeeded'
  AND (t.state_updated_at IS NULL OR t.state_updated_at < l.finished_at)
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.thread_id = t.id AND j.finished_at IS NULL)""")
_FILL = text("""
UPDATE threads SET values = :values, interrupts = :interrupts, next = :next, error = :error, state_updated_at = :at,
    updated_at = now(), workflow = coalesce(workflow, :workflow)
WHERE id = :thread""").bindparams(
    bindparam("values", type_=JSONB),
    bindparam("interrupts", type_=JSONB),
    bindparam("error", type_=JSONB(none_as_null=True)),
)


class Query(Record):
    """A question, as its row has it."""

    id: UUID
    project_id: UUID
    workflow: str | None
    kind: str
    request: dict[str, Any]


class Questions:
    """Answers by kind. Nothing of a graph runs here but its reducers, and the factory that makes it."""

    def __init__(self, found: Found, db: Database, pool: Pool, stores: ProjectStores) -> None:
        self._found = found
        self._db = db
        self._saver = MaintenanceSaver(pool)
        self._stores = stores
        self.kinds: dict[str, Callable[[Query], Awaitable[Any]]] = {
            "state": self.state,
            "history": self.history,
            "update": self.update,
            "graph": self.graph,
            "subgraphs": self.subgraphs,
            "schemas": self.schemas,
            "copy": self.copy,
            "delete_runs": self.delete_runs,
            "prune": self.prune,
            "refresh": self.refresh,
        }

    async def state(self, query: Query) -> dict[str, Any]:
        """The newest state of a thread, or that of a checkpoint."""
        asked = query.request
        await self._owned(query, asked["thread_id"])
        if not (asked.get("checkpoint_id") or asked.get("checkpoint")):
            await self.refresh(query)
        async with self._opened(query, READ) as graph:
            return thread_state(await graph.aget_state(_config(asked), subgraphs=bool(asked.get("subgraphs"))))

    async def refresh(self, query: Query) -> None:
        """The row of a thread says what its checkpoints hold, where it may not."""
        thread = {"thread": query.request["thread_id"]}
        async with self._db.autocommit() as connection:
            if (await connection.execute(_STALE, thread)).first() is None:
                return
        async with self._db.begin() as connection:
            if (await connection.execute(_LOCK, {"project": query.project_id, **thread})).first() is None:
                return
            if (ended := (await connection.execute(_STALE, thread)).first()) is None:
                return
            async with self._opened(query, READ) as graph:
                now = await graph.aget_state(_config(query.request))
            if now.created_at is not None:
                known = {**thread, "workflow": query.workflow, "at": ended.finished_at, "error": _error(ended.error)}
                await connection.execute(_FILL, {**known, **thread_row(now)})

    async def history(self, query: Query) -> list[dict[str, Any]]:
        """States of a thread, newest first."""
        asked = query.request
        await self._owned(query, asked["thread_id"])
        before = asked.get("before")
        if isinstance(before, str):
            before = {"checkpoint_id": before}
        options: dict[str, Any] = {
            "limit": min(int(asked.get("limit") or 10), _MOST_HISTORY),
            "filter": asked.get("metadata") or None,
            "before": {"configurable": {"checkpoint_ns": "", **before}} if before else None,
        }
        async with self._opened(query, READ) as graph:
            return [thread_state(state) async for state in graph.aget_state_history(_config(asked), **options)]

    async def update(self, query: Query) -> dict[str, Any]:
        """Change a thread's state by hand, as if a step had returned `values`."""
        thread = query.request["thread_id"]
        async with self._db.begin() as connection:
            if (await connection.execute(_LOCK, {"project": query.project_id, "thread": thread})).first() is None:
                raise NotFound(f"no thread {str(thread)!r}")
            await connection.execute(_HOLD, {"thread": thread})
            if busy := await connection.scalar(_BUSY, {"thread": thread}):
                raise Conflict(f"thread {str(thread)!r} is busy with job {str(busy)!r}; wait for its end, or cancel it")
            if not query.request.get("may_approve", True) and await asks_in(connection, UUID(str(thread))):
                raise Forbidden(f"thread {str(thread)!r} waits for a decision: changing it needs the scope 'approve'")
            asking = await connection.scalar(_ASKING, {"thread": thread})
            return await self._updated(query, connection, asking)

    async def _updated(self, query: Query, connection: AsyncConnection, asking: UUID | None) -> dict[str, Any]:
        asked, config = query.request, _config(query.request)
        config["metadata"] = {"workflow": query.workflow, **(asked.get("metadata") or {})}
        if asking is not None:
            config["metadata"]["job_id"] = str(asking)
        async with self._opened(query, UPDATE) as graph:
            try:
                made = await _change(graph, config, asked)
            except (InvalidUpdateError, ValueError, TypeError) as error:
                raise InvalidInput(f"the state cannot be changed so: {error}") from error
            now = await graph.aget_state({"configurable": {"thread_id": str(asked["thread_id"])}})
        values = {"thread": asked["thread_id"], "workflow": query.workflow, **thread_row(now)}
        await connection.execute(_KEEP, values)
        return {"checkpoint": place(made)}

    async def graph(self, query: Query) -> Any:
        """Nodes and edges; sub-graphs drawn out to the depth `xray`."""
        async with self._opened(query, DESCRIBE) as graph:
            drawn = await graph.aget_graph(xray=query.request.get("xray") or False)
            return as_json(drawn.to_json())

    async def schemas(self, query: Query) -> dict[str, Any]:
        """JSON Schemas of a graph as it is made of a config."""
        async with self._opened(query, DESCRIBE) as graph:
            return {"graph_id": query.workflow, **graph_schemas(graph)}

    async def subgraphs(self, query: Query) -> dict[str, Any]:
        """JSON Schemas of sub-graphs by namespace."""
        asked = query.request
        options: dict[str, Any] = {"namespace": asked.get("namespace"), "recurse": bool(asked.get("recurse"))}
        async with self._opened(query, DESCRIBE) as graph:
            return {
                path: {"graph_id": query.workflow, **graph_schemas(sub)}
                async for path, sub in graph.aget_subgraphs(**options)
                if isinstance(sub, Pregel)
            }

    async def copy(self, query: Query) -> None:
        """All checkpoints of a thread into another of the same project."""
        source, target = str(query.request["thread_id"]), str(query.request["to"])
        await self._owned(query, source, target)
        await self._saver.acopy_thread(source, target)

    async def delete_runs(self, query: Query) -> None:
        """The checkpoints that some jobs of a thread have left."""
        await self._owned(query, query.request["thread_id"])
        await self._saver.delete_of_jobs(str(query.request["thread_id"]), query.request["job_ids"])

    async def prune(self, query: Query) -> dict[str, int]:
        """All checkpoints of some threads, or all but the newest; those of others are left, and not counted."""
        threads = [str(thread) for thread in query.request["thread_ids"]]
        async with self._db.autocommit() as connection:
            owned = (await connection.scalars(_OWNED, {"project": query.project_id, "threads": threads})).all()
        mine = [str(thread) for thread in owned]
        if mine:
            await self._saver.aprune(mine, strategy=query.request.get("strategy") or "delete")
        return {"pruned_count": len(mine)}

    async def _owned(self, query: Query, *threads: Any) -> None:
        """Raises NotFound unless the threads are the project's."""
        wanted = {str(thread) for thread in threads}
        async with self._db.autocommit() as connection:
            rows = await connection.scalars(_OWNED, {"project": query.project_id, "threads": sorted(wanted)})
            missing = wanted - {str(found) for found in rows}
        if missing:
            raise NotFound(f"no thread {min(missing)!r}")

    @asynccontextmanager
    async def _opened(self, query: Query, access: str) -> AsyncIterator[Graph]:
        """The workflow's graph on stored checkpoints and the project's store."""
        workflow = self._found.workflows.get(query.workflow or "")
        if workflow is None:
            raise WorkflowUnavailable(f"this worker does not serve workflow {query.workflow!r}")
        store = self._stores.of(query.project_id)
        config = {"configurable": {}, **(query.request.get("config") or {})}
        async with workflow.built(config, access=access, store=store) as graph:
            saver = self._saver.with_allowlist(graph._serde_allowlist or ())
            yield graph.copy(update={"checkpointer": saver, "store": store})


def _error(problem: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Why a job has failed, as a thread's row has it."""
    return None if problem is None else {"error": problem.get("kind") or problem["code"], "message": problem["message"]}


async def _change(graph: Graph, config: Any, asked: Mapping[str, Any]) -> Any:
    if supersteps := asked.get("supersteps"):
        steps = [[_update(part) for part in _parts(step)] for step in supersteps]
        return await graph.abulk_update_state(config, steps)
    values, as_node = asked.get("values"), asked.get("as_node")
    if command := asked.get("command"):
        values = _command(command)
    # What a step of a graph with named channels returns is never a list: these are the returns of one after another.
    if isinstance(values, list) and "__root__" not in graph.channels:
        return await graph.abulk_update_state(config, [[StateUpdate(value, as_node)] for value in values])
    return await graph.aupdate_state(config, values, as_node)


def _parts(superstep: Any) -> list[dict[str, Any]]:
    return list(superstep["updates"] if isinstance(superstep, Mapping) else superstep)


def _update(part: Mapping[str, Any]) -> StateUpdate:
    values: Any = _command(part["command"]) if part.get("command") else part.get("values")
    return StateUpdate(values, part.get("as_node"))


def _command(command: Mapping[str, Any]) -> Command[Any]:
    goto = command.get("goto") or ()
    places = [goto] if isinstance(goto, (str, Mapping)) else goto
    sends = [Send(place["node"], place.get("input")) if isinstance(place, Mapping) else place for place in places]
    return Command(update=command.get("update"), resume=command.get("resume"), goto=sends)


def _config(asked: Mapping[str, Any]) -> Any:
    """Where in the thread the question is about."""
    at = {name: value for name, value in (asked.get("checkpoint") or {}).items() if value is not None}
    for name in ("checkpoint_id", "checkpoint_ns"):
        if asked.get(name) is not None:
            at[name] = asked[name]
    return {"configurable": {"checkpoint_ns": "", **at, "thread_id": str(asked["thread_id"])}}
