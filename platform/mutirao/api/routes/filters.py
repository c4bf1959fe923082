"""The filters of lists of jobs, as query parameters."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends, Query
from pydantic import AwareDatetime

from mutirao.db.jsonb import unkeepable
from mutirao.errors import InvalidInput
from mutirao.jobs.lists import JobFilter
from mutirao.jobs.states import JobState


async def _filters(
    workflow: Annotated[str | None, Query(max_length=64, description="Only this workflow.")] = None,
    state: Annotated[list[JobState] | None, Query(description="Only these states.")] = None,
    thread_id: Annotated[UUID | None, Query(description="Only of this thread.")] = None,
    parent_id: Annotated[UUID | None, Query(description="Only what this job fanned out to.")] = None,
    schedule_id: Annotated[UUID | None, Query(description="Only what this schedule started.")] = None,
    assistant_id: Annotated[UUID | None, Query(description="Only of this assistant.")] = None,
    created_by: Annotated[str | None, Query(max_length=200, description="Only by this key or subject.")] = None,
    created_after: Annotated[AwareDatetime | None, Query(description="Only later ones.")] = None,
    created_before: Annotated[AwareDatetime | None, Query(description="Only earlier ones.")] = None,
    metadata: Annotated[
        str | None,
        Query(max_length=4_000, description='Only those whose metadata contains this JSON, `{"team": "a"}`.'),
    ] = None,
) -> JobFilter:
    return JobFilter(
        workflow=workflow,
        states=state,
        thread_id=thread_id,
        parent_id=parent_id,
        schedule_id=schedule_id,
        assistant_id=assistant_id,
        created_by=created_by,
        created_after=created_after,
        created_before=created_before,
        metadata=_object(metadata) if metadata is not None else None,
    )


def _object(given: str) -> dict[str, Any]:
    try:
        value = orjson.loads(given)
    except ValueError:
        value = None
    if not isinstance(value, dict) or unkeepable(value):
        raise InvalidInput(f'metadata {given[:80]!r} is no JSON object; send one, as metadata={{"team":"a"}}')
    return value


Filtered = Annotated[JobFilter, Depends(_filters)]
