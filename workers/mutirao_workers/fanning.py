"""Children as a running step starts them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from mutirao.catalogue import Catalogue, WorkflowEntry, check_input
from mutirao.db import Database
from mutirao.errors import Conflict, InputRejected, InvalidInput, TooLarge
from mutirao.jobs.children import ChildStore, EndedChild, Group
from mutirao.jobs.records import Claim, Submission
from mutirao.settings import WorkerSettings
from mutirao_agents.context import ChildResult, Gathered
from mutirao_agents.effects import encoded
from mutirao_agents.steps import place

from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.steady import steadily


class JobChildren:
    """`Children` of one attempt. A database that does not answer is waited for."""

    def __init__(self, claim: Claim, home: HomeLoop, settings: WorkerSettings) -> None:
        self._claim = claim
        self._home = home
        self._settings = settings

    async def gather(
        self,
        key: str,
        workflow: str,
        inputs: Sequence[dict[str, Any]],
        *,
        queue: str | None,
        priority: int | None,
        fail_fast: bool,
    ) -> Gathered:
        """See `mutirao_agents.context.Children`."""
        if not place():
            raise Conflict("fan_out was called outside of a step of the graph")

        async def gathered(db: Database) -> Gathered:
            group = await ChildStore(db).group(self._claim, key)
            if group is None:
                submissions = await self._submissions(db, workflow, inputs, queue)
                group = await ChildStore(db).start(
                    self._claim, key, submissions, priority=priority, fail_fast=fail_fast
                )
            elif group.total != len(inputs):
                raise Conflict(
                    f"fan_out of {workflow!r} had {group.total} inputs before and has {len(inputs)} now: a step that runs "
                    "again must fan out to the same children, in the same order"
                )
            return await self._ended(db, group)

        # A group that was committed unseen is found by its key.
        return await self._home.do(lambda db: steadily(lambda: gathered(db)))

    async def _submissions(
        self, db: Database, workflow: str, inputs: Sequence[dict[str, Any]], queue: str | None
    ) -> list[Submission]:
        most = self._settings.max_children
        if len(inputs) > most:
            raise TooLarge(f"{len(inputs)} children at once; MUTIRAO_MAX_CHILDREN={most} allows no more")
        entry = await Catalogue(db).get(workflow)
        checked = await asyncio.to_thread(
            _checked, entry, inputs
        )  # many inputs take long, and so does the first import
        return [
            Submission(
                project_id=self._claim.project_id,
                workflow=workflow,
                version=entry.version,
                queue=queue or entry.queue,
                kind=entry.kind,
                input=value,
                max_attempts=self._settings.attempts,
            )
            for value in checked
        ]

    async def _ended(self, db: Database, group: Group) -> Gathered:
        children = ChildStore(db)
        if await children.open(group.id):
            if group.fail_fast:
                await children.cut_short(group.id)
            if await children.open(group.id):
                return Gathered(group=group.id, results=None)
        return Gathered(group=group.id, results=[_result(child) for child in await children.ended(group.id)])


def _checked(entry: WorkflowEntry, inputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The inputs as the database keeps them. Raises InputRejected."""
    checked = []
    for ordinal, value in enumerate(inputs):
        try:
            plain = orjson.loads(encoded(value, "it"))
            check_input(entry, plain)
        except InvalidInput as error:
            raise InputRejected(f"input {ordinal}: {error}", **error.details | {"ordinal": ordinal}) from None
        checked.append(plain)
    return checked


def _result(child: EndedChild) -> ChildResult:
    return ChildResult(
        ordinal=child.ordinal,
        job_id=child.job_id,
        state=child.state,
        output=child.output,
        error=child.error.model_dump() if child.error else None,
    )
