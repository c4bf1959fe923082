"""Verbs on schedules."""

from collections.abc import Mapping
from datetime import datetime
from types import NoneType
from typing import Any, TypedDict, Unpack
from uuid import UUID

from mutirao.client.records import Schedule
from mutirao.client.verbs import Sent, Verbs, listing, verb
from mutirao.jobs.records import Job


class ScheduleChanges(TypedDict, total=False):
    """What may be changed of a schedule."""

    name: str
    cron: str
    timezone: str
    input: Mapping[str, Any]
    metadata: Mapping[str, Any]
    options: Mapping[str, Any]
    enabled: bool
    end_at: datetime | None


class ScheduleVerbs(Verbs):
    """Verbs on what the clock starts."""

    @verb("POST /schedules", Schedule)
    def add_schedule(
        self,
        name: str,
        workflow: str,
        cron: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 (the API's word)
        *,
        timezone: str = "UTC",
        metadata: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        enabled: bool = True,
        end_at: datetime | None = None,
        thread_id: UUID | str | None = None,
    ) -> Sent:
        """Start a workflow by the clock; `options` are those of a job, see `mutirao.jobs.options`.

        Raises:
            NotFound: no such workflow.
            InvalidInput: cron expression or time zone are none, or the input does not fit.
            Conflict: there is a schedule of that name.
        """
        body = {
            "name": name, "workflow": workflow, "cron": cron, "input": dict(input or {}), "timezone": timezone,
            "metadata": dict(metadata or {}), "options": dict(options or {}), "enabled": enabled, "end_at": end_at,
            "thread_id": thread_id,
        }  # fmt: skip
        return Sent(body=body)

    @listing("/schedules", Schedule, "schedules")
    def schedules(self, limit: int | None = None) -> Sent:
        """Schedules of the project, newest first."""
        return Sent(limit=limit)

    @verb("GET /schedules/{schedule_id}", Schedule)
    def schedule(self, schedule_id: UUID | str) -> Sent:
        """One schedule with its next five times. Raises NotFound."""
        return Sent()

    @verb("PATCH /schedules/{schedule_id}", Schedule)
    def change_schedule(
        self, schedule_id: UUID | str, *, revision: int | None = None, **changes: Unpack[ScheduleChanges]
    ) -> Sent:
        """Change what is given: name, input, metadata, options, cron, timezone, enabled, end_at.

        Raises:
            PreconditionFailed: it is not the `revision` any more.
            NotFound, InvalidInput, Conflict: as `add_schedule`.
        """
        return Sent(body={**changes}, revision=revision)

    @verb("DELETE /schedules/{schedule_id}", NoneType)
    def delete_schedule(self, schedule_id: UUID | str) -> Sent:
        """Delete a schedule; its jobs stay. Raises NotFound."""
        return Sent()

    @verb("POST /schedules/{schedule_id}/trigger", Job)
    def trigger_schedule(self, schedule_id: UUID | str) -> Sent:
        """Submit its job now. Raises NotFound, InputRejected."""
        return Sent()
