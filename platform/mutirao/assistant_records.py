"""Assistants as records, and how their configuration is combined with that of a job."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mutirao.callers import nobodys, without_caller
from mutirao.errors import BadRequest
from mutirao.jobs.records import Record

SortBy = Literal["id", "workflow", "name", "created_at", "updated_at"]
IfExists = Literal["raise", "do_nothing"]


class Assistant(Record):
    """A workflow plus saved configuration."""

    id: UUID
    workflow: str
    name: str
    description: str | None = None
    config: dict[str, Any] = Field(description='`{"tags", "recursion_limit", "configurable"}`')
    context: dict[str, Any] = Field(description="Static context of its jobs.")
    metadata: dict[str, Any]
    version: int = Field(description="The version that counts.")
    system: bool = Field(False, description="That of the workflow itself.")
    created_at: datetime
    updated_at: datetime | None = None

    def merged(
        self, config: Mapping[str, Any] | None, context: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Config and context of a job: its own over the assistant's. `configurable` and the context are merged by key,
        tags of both are kept."""
        given, own, own_context = dict(config or {}), without_caller(self.config), nobodys(self.context)
        merged = {**own, **given}
        if tags := [*own.get("tags", []), *(given.get("tags") or [])]:
            merged["tags"] = list(dict.fromkeys(tags))
        if configurable := {**(own.get("configurable") or {}), **(given.get("configurable") or {})}:
            merged["configurable"] = configurable
        return merged, {**own_context, **(context or {})}


def in_step(
    config: Mapping[str, Any] | None, context: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config and context such that `configurable` and the context say the same: clients send either. Neither says who is
    calling.

    Raises:
        BadRequest: both are given.
    """
    kept, given = without_caller(config or {}), nobodys(context or {})
    if kept.get("configurable") and given:
        raise BadRequest(
            "send either config.configurable or context, not both; context is the one to use", path="/context"
        )
    if given:
        kept["configurable"] = given
    return kept, given or dict(kept.get("configurable") or {})


def select(rows: Sequence[dict[str, Any]], fields: Sequence[str] | None) -> list[dict[str, Any]]:
    """The rows with these fields only; all where None."""
    return [{name: row[name] for name in fields} for row in rows] if fields else list(rows)
