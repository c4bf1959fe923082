"""Verbs on schedules and on the project."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from mutirao.client import records
from mutirao.client.encoding import encoded
from mutirao.client.verbs import Verbs
from mutirao.jobs.records import Job

_JSON = {"Content-Type": "application/json"}


class ScheduleVerbs(Verbs):
    """Verbs on what the clock starts."""

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
    ) -> records.Schedule:
        """Start a workflow by the clock; `options` are those of a job, see `mutirao.jobs.options`.

        Raises:
            NotFound: no such workflow.
            InvalidInput: cron expression or time zone are none, or the input does not fit.
            Conflict: there is a schedule of that name.
        """
        body = {
            "name": name, "workflow": workflow, "cron": cron, "input": dict(input or {}), "timezone": timezone,
            "metadata": dict(metadata or {}), "options": dict(options or {}), "enabled": enabled, "end_at": end_at,
        }  # fmt: skip
        return self._connection.read(records.Schedule, "POST", "/schedules", content=encoded(body), headers=_JSON)

    def schedules(self, limit: int | None = None) -> list[records.Schedule]:
        """Schedules of the project, newest first."""
        pages = self._pages(records.SchedulePage, "/schedules", limit)
        return [schedule for page in pages for schedule in page.schedules]

    def schedule(self, schedule_id: UUID | str) -> records.Schedule:
        """One schedule with its next five times. Raises NotFound."""
        return self._connection.read(records.Schedule, "GET", f"/schedules/{schedule_id}")

    def change_schedule(self, schedule_id: UUID | str, **changes: Any) -> records.Schedule:
        """Change what is given: name, input, metadata, options, cron, timezone, enabled, end_at.

        Raises what `add_schedule` raises.
        """
        return self._connection.read(
            records.Schedule, "PATCH", f"/schedules/{schedule_id}", content=encoded(changes), headers=_JSON
        )

    def delete_schedule(self, schedule_id: UUID | str) -> None:
        """Delete a schedule; its jobs stay. Raises NotFound."""
        self._connection.send("DELETE", f"/schedules/{schedule_id}")

    def trigger_schedule(self, schedule_id: UUID | str) -> Job:
        """Submit its job now. Raises NotFound, InputRejected."""
        return self._connection.read(Job, "POST", f"/schedules/{schedule_id}/trigger")

    # The project

    def project(self) -> records.Project:
        """The project of this client's key: limits, what runs and waits, what was spent this month."""
        return self._connection.read(records.Project, "GET", "/project")

    def change_project(self, **changes: Any) -> records.Project:
        """Set `max_running` and `budget`, each where it is given; None takes the limit away."""
        return self._connection.read(records.Project, "PATCH", "/project", content=encoded(changes), headers=_JSON)
