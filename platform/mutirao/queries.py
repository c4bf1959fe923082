"""Questions to a graph: what only a process that has loaded it can answer.

The API asks with a row of `queries` and a notice; a worker that serves the workflow takes the row, answers it, and says so
with another notice. The table is unlogged, so that neither side waits for a disk; a lost row is asked again by the client.

Kinds, their request, and their answer (a thread belongs to the asking project, or the answer is NotFound):

    state         {thread_id, checkpoint_id?, checkpoint_ns?, checkpoint?, subgraphs?}    a thread state
    history       {thread_id, limit?, before?, metadata?, checkpoint?}                    [thread state, …]
    update        {thread_id, values?, as_node?, checkpoint?, checkpoint_id?, supersteps?, metadata?}
                                                                                          {checkpoint}
    graph         {xray?: bool | int, config?}                                            {nodes, edges}
    subgraphs     {namespace?, recurse?, config?}                                         {namespace: schemas}
    schemas       {config?}                            {graph_id, input_schema, output_schema, state_schema, …}
    copy          {thread_id, to}                      null; checkpoints only, rows of `threads` are the caller's
    delete_runs   {thread_id, job_ids}                 null
    refresh       {thread_id}                          null; the database asks, when a job has ended without its attempt
    prune         {thread_ids, strategy?}              {pruned_count}; strategy: delete | keep_latest
    embed         {texts}                              [[float, …], …]
    authenticate  {method, path, headers, path_params?, query_params?, body?}             the user: {identity, …}
    authorize     {resource, action, value, user, permissions?}    {"filters": null | {…}, "value": {…}}

A thread state is the LangGraph server's: {values, next, tasks: [{id, name, path, error, interrupts, checkpoint, state,
result}], checkpoint: {thread_id, checkpoint_ns, checkpoint_id}, parent_checkpoint, metadata, created_at, interrupts,
checkpoint_id, parent_checkpoint_id}.

`update` is refused with Conflict while a job of the thread runs or waits for its turn; it keeps `threads.values`,
`interrupts`, `next`, `state_updated_at` and `updated_at` in step.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.db.notices import Notices, wait_for
from mutirao.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MutiraoError,
    NotFound,
    NoWorker,
    Unauthorized,
    Unavailable,
)
from mutirao.ids import new_id

QUERIES_CHANNEL = "mutirao_queries"
"""Payload: id of a query that waits for a worker."""

ANSWERS_CHANNEL = "mutirao_answers"
"""Payload: id of a query that has been answered."""

OF_THREADS = frozenset({"state", "history", "update"})
OF_GRAPHS = OF_THREADS | {"graph", "subgraphs", "schemas"}
BROUGHT = {"embed": "store_index", "authenticate": "auth", "authorize": "auth"}
"""Kinds that only a worker answers whose project brings something; the key of `workers.brings`."""

_GONE = "the worker that was asked is gone; a change may have been made"
_TAKE_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_OLD_SECONDS = 600

# Nothing is written when no live worker could answer. A version that no worker serves any more is answered by another.
_ASK = text("""
WITH able AS (
    SELECT s.version FROM workers w LEFT JOIN worker_workflows s ON s.worker_id = w.id AND s.workflow = :workflow
    WHERE w.lease_expires_at > now() AND w.stopped_at IS NULL
      AND (CAST(:workflow AS text) IS NULL OR s.workflow IS NOT NULL)
      AND (CAST(:brought AS text) IS NULL OR w.brings ->> :brought = 'true')
), asked AS (
    INSERT INTO queries (id, project_id, workflow, version, kind, request)
    SELECT :id, :project, CAST(:workflow AS text), (SELECT a.version FROM able a WHERE a.version = :version LIMIT 1),
        :kind, :request
    WHERE EXISTS (SELECT 1 FROM able)
    RETURNING id
)
SELECT pg_notify('mutirao_queries', id::text) FROM asked""").bindparams(bindparam("request", type_=JSONB))

_ANSWER = text("""
DELETE FROM queries WHERE id = :id AND (answer IS NOT NULL OR error IS NOT NULL) RETURNING answer, error""")

# Nobody will answer it: it has not been taken for too long, or the worker that has is gone.
_HOPELESS = text("""
DELETE FROM queries q WHERE id = :id AND answer IS NULL AND error IS NULL AND CASE WHEN taken_at IS NULL THEN :late
    ELSE NOT EXISTS (
        SELECT 1 FROM workers w WHERE w.id = q.worker_id AND w.lease_expires_at > now() AND w.stopped_at IS NULL) END
RETURNING taken_at""")
_DROP = text("DELETE FROM queries WHERE id = :id")
_SWEEP = text("DELETE FROM queries WHERE created_at < now() - make_interval(secs => :seconds)")

# The workflow whose graph reads a thread's checkpoints.
_WORKFLOW = text("""
SELECT coalesce(t.workflow,
    (SELECT j.workflow FROM jobs j WHERE j.thread_id = t.id ORDER BY j.created_at DESC, j.id DESC LIMIT 1),
    t.metadata ->> 'graph_id') AS workflow
FROM threads t WHERE t.id = :thread AND t.project_id = :project""")

_ERRORS: dict[int, type[MutiraoError]] = {
    401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 422: InvalidInput, 503: Unavailable,
}  # fmt: skip


class Queries:
    """Asks workers. One per process: `start` listens for answers, `stop` ends that."""

    def __init__(self, db: Database, *, beside: Notices | None = None) -> None:
        self.db = db
        self._answers = Notices(db.url, ANSWERS_CHANNEL, beside=beside)

    async def start(self) -> None:
        await self._answers.start()

    async def stop(self) -> None:
        await self._answers.stop()

    async def ask(
        self,
        project_id: UUID,
        kind: str,
        request: Mapping[str, Any],
        *,
        workflow: str | None = None,
        version: str | None = None,
        seconds: float = 30.0,
    ) -> Any:
        """The answer, as the module says. Kinds of threads need no `workflow`: it is the thread's own.

        Raises:
            NoWorker: nobody serves the workflow, or nobody takes the query.
            NotFound: the thread is not the project's.
            Unavailable: no answer within `seconds`; for reads, the same call may work later.
            MutiraoError: what the worker says, with its code, status and message.
        """
        if kind in OF_THREADS and workflow is None:
            workflow = await self.workflow_of(project_id, request["thread_id"])
            if workflow is None:
                return _of_no_graph(kind, request["thread_id"])
        query_id = new_id()
        values = {
            "id": query_id,
            "project": project_id,
            "workflow": workflow,
            "version": version,
            "kind": kind,
            "request": dict(request),
            "brought": BROUGHT.get(kind),
        }
        async with self._answers.waiting(str(query_id)) as answered:
            try:
                async with self.db.autocommit() as connection:
                    asked = (await connection.execute(_ASK, values)).first()
                if asked is None:
                    raise _nobody(kind, workflow)
                found = await self._answer(query_id, answered, kind, workflow, seconds)
            except asyncio.CancelledError:
                await self._drop(query_id)
                raise
        if found.error is not None:
            raise as_error(found.error)
        return found.answer

    async def workflow_of(self, project_id: UUID, thread_id: UUID | str) -> str | None:
        """The workflow whose graph reads the thread; None: none has run in it. Raises NotFound."""
        async with self.db.autocommit() as connection:
            values = {"thread": str(thread_id), "project": project_id}
            row = (await connection.execute(_WORKFLOW, values)).first()
        if row is None:
            raise NotFound(f"no thread {str(thread_id)!r}")
        return None if row.workflow is None else str(row.workflow)

    async def _answer(
        self, query_id: UUID, answered: asyncio.Event, kind: str, workflow: str | None, seconds: float
    ) -> Any:
        now = asyncio.get_running_loop().time
        began = now()
        while (left := began + seconds - now()) > 0:
            if await wait_for(answered, min(left, _LOOK_SECONDS)):
                answered.clear()
            async with self.db.autocommit() as connection:
                if found := (await connection.execute(_ANSWER, {"id": query_id})).first():
                    return found
                late = {"id": query_id, "late": now() - began > min(_TAKE_SECONDS, seconds)}
                if lost := (await connection.execute(_HOPELESS, late)).first():
                    raise _nobody(kind, workflow) if lost.taken_at is None else Unavailable(_GONE, kind=kind)
        await self._drop(query_id)
        raise Unavailable(f"no answer to {kind!r} of workflow {workflow!r} within {seconds:g} s", kind=kind)

    async def _drop(self, query_id: UUID) -> None:
        async with self.db.autocommit() as connection:
            await connection.execute(_DROP, {"id": query_id})


async def sweep(db: Database) -> None:
    """Delete what nobody waits for any more."""
    async with db.autocommit() as connection:
        await connection.execute(_SWEEP, {"seconds": _OLD_SECONDS})


def as_error(said: Mapping[str, Any]) -> MutiraoError:
    """What a worker said: `{"code", "status", "message", "details"?}` as an error of the class its status suggests."""
    status = int(said["status"])
    error = _ERRORS.get(status, MutiraoError)(str(said["message"]), **(said.get("details") or {}))
    error.code, error.status = said["code"], status  # type: ignore[misc] # the worker's
    return error


def _nobody(kind: str, workflow: str | None) -> NoWorker:
    if brought := BROUGHT.get(kind):
        return NoWorker(f"no live worker whose project brings {brought!r} answers {kind!r}", kind=kind)
    if workflow is None:
        return NoWorker(f"no live worker answers {kind!r}: is one running?", kind=kind)
    return NoWorker(f"no live worker that serves workflow {workflow!r} answers {kind!r}", workflow=workflow, kind=kind)


def _of_no_graph(kind: str, thread_id: UUID | str) -> Any:
    """What is known of a thread in which nothing has ever run."""
    if kind == "update":
        raise InvalidInput(f"thread {str(thread_id)!r} has no workflow yet; run a job in it, or create it for a graph")
    if kind == "history":
        return []
    return {
        "values": {}, "next": [], "tasks": [], "metadata": {}, "created_at": None, "checkpoint": None,
        "parent_checkpoint": None, "interrupts": [], "checkpoint_id": None, "parent_checkpoint_id": None,
    }  # fmt: skip
