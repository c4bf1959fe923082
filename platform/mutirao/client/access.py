"""Verbs on keys, projects and the audit log."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from mutirao.client import records
from mutirao.client.records import AuditEntry, Key, MadeKey, Scope
from mutirao.client.verbs import Sent, Verbs, listing, verb


class ProjectChanges(TypedDict, total=False):
    """What may be changed of a project; None takes the limit away."""

    max_running: int | None
    budget: Mapping[str, Any] | records.ProjectBudget | None


class AccessVerbs(Verbs):
    """Verbs on who may do what. They need a key with the scope `admin`, but for `project`."""

    @listing("/keys", Key, "keys")
    def keys(self, limit: int | None = None) -> Sent:
        """Keys of the project, newest first, revoked ones among them."""
        return Sent(limit=limit)

    @verb("GET /keys/{key_id}", Key)
    def key(self, key_id: UUID | str) -> Sent:
        """One key. Raises NotFound."""
        return Sent()

    @verb("POST /keys", MadeKey)
    def create_key(
        self, name: str, scopes: Iterable[Scope | str] | None = None, *, expires_at: datetime | None = None
    ) -> Sent:
        """A new key, whose secret is shown this once; without `scopes` what the API gives by itself."""
        body: dict[str, Any] = {"name": name, "expires_at": expires_at}
        return Sent(body=body if scopes is None else {**body, "scopes": [str(scope) for scope in scopes]})

    @verb("POST /keys/{key_id}/rotate", MadeKey)
    def rotate_key(self, key_id: UUID | str, overlap_seconds: float | None = None) -> Sent:
        """A new key in place of this one, which is good for `overlap_seconds` more. Raises NotFound, Conflict."""
        return Sent(body={} if overlap_seconds is None else {"overlap_seconds": overlap_seconds})

    @verb("DELETE /keys/{key_id}", Key)
    def revoke_key(self, key_id: UUID | str) -> Sent:
        """Revoke a key; its open streams are closed within seconds. Raises NotFound."""
        return Sent()

    # Projects

    @verb("GET /project", records.Project)
    def project(self) -> Sent:
        """The project of this client's key: limits, what runs and waits, what was spent this month."""
        return Sent()

    @verb("PATCH /project", records.Project)
    def change_project(self, *, revision: int | None = None, **changes: Unpack[ProjectChanges]) -> Sent:
        """Set `max_running` and `budget`, each where it is given; None takes the limit away.

        Raises:
            PreconditionFailed: it is not the `revision` any more.
        """
        return Sent(body={**changes}, revision=revision)

    @listing("/projects", records.ListedProject, "projects")
    def projects(self, limit: int | None = None) -> Sent:
        """All projects, newest first."""
        return Sent(limit=limit)

    @verb("POST /projects", records.MadeProject)
    def create_project(self, name: str) -> Sent:
        """A new project and its first key, which is shown this once. Raises Conflict."""
        return Sent(body={"name": name})

    # The audit log

    @listing("/audit", AuditEntry, "entries")
    def audit(
        self,
        limit: int | None = 50,
        *,
        actor: str | None = None,
        action: str | None = None,
        resource_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sent:
        """Who did what, newest first."""
        query = {"actor": actor, "action": action, "resource_id": resource_id, "since": since, "until": until}
        return Sent(query=query, limit=limit)
