"""Verbs on workflows and workers."""

from mutirao.client import records
from mutirao.client.verbs import Sent, Verbs, verb


class CatalogueVerbs(Verbs):
    """Verbs on what can be run, and on who runs it."""

    @verb("GET /workflows", list[records.Workflow])
    def workflows(self) -> Sent:
        """Every workflow, in the version a new job gets."""
        return Sent()

    @verb("GET /workflows/{name}", records.Workflow)
    def workflow(self, name: str, version: str | None = None) -> Sent:
        """One workflow. Raises NotFound."""
        return Sent(query={"version": version or None})

    @verb("GET /workflows/{name}/versions", list[records.WorkflowVersion])
    def versions(self, name: str) -> Sent:
        """Every version of a workflow, newest first, with its live workers and unfinished jobs. Raises NotFound."""
        return Sent()

    @verb("GET /system", records.System)
    def system(self) -> Sent:
        """Queues with what waits and runs in them, those that no worker serves, and the model's health."""
        return Sent()

    @verb("GET /workers", list[records.Worker])
    def workers(self) -> Sent:
        """Live worker processes."""
        return Sent()
