"""Verbs on threads and assistants."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, TypedDict, Unpack
from uuid import UUID

from mutirao.client.records import Assistant, Storage, Thread
from mutirao.client.records.threads import Leftover, ThreadStatus
from mutirao.client.verbs import Sent, Verbs, listing, verb


class ThreadChanges(TypedDict, total=False):
    """What may be changed of a thread."""

    metadata: Mapping[str, Any]
    ttl_minutes: float | None
    ttl_strategy: Leftover | None


class AssistantFields(TypedDict, total=False):
    """What an assistant has beside workflow and name."""

    id: UUID | str
    description: str | None
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]


class AssistantChanges(TypedDict, total=False):
    """What may be changed of an assistant."""

    name: str
    workflow: str
    description: str | None
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]


class ThreadVerbs(Verbs):
    """Verbs on threads. Each on one raises NotFound."""

    @listing("/threads", Thread, "threads")
    def threads(
        self,
        limit: int | None = 50,
        *,
        status: ThreadStatus | str | None = None,
        workflow: str | None = None,
        assistant_id: UUID | str | None = None,
    ) -> Sent:
        """Threads of the project, newest first, but those that one job has for itself."""
        return Sent(query={"status": status, "workflow": workflow, "assistant_id": assistant_id}, limit=limit)

    @verb("GET /threads/{thread_id}", Thread)
    def thread(self, thread_id: UUID | str) -> Sent:
        """One thread."""
        return Sent()

    @verb("POST /threads", Thread)
    def create_thread(
        self,
        metadata: Mapping[str, Any] | None = None,
        *,
        thread_id: UUID | str | None = None,
        ttl_minutes: float | None = None,
        ttl_strategy: Leftover | None = None,
    ) -> Sent:
        """A thread, to which jobs may be submitted; `thread_id`: the one it gets. Raises Conflict."""
        body = {
            "id": thread_id, "metadata": dict(metadata or {}), "ttl_minutes": ttl_minutes, "ttl_strategy": ttl_strategy,
        }  # fmt: skip
        return Sent(body=body)

    @verb("PATCH /threads/{thread_id}", Thread)
    def change_thread(
        self, thread_id: UUID | str, *, revision: int | None = None, **changes: Unpack[ThreadChanges]
    ) -> Sent:
        """Merge `metadata`, set `ttl_minutes` and `ttl_strategy`, each where it is given.

        Raises:
            PreconditionFailed: it is not the `revision` any more.
        """
        return Sent(body={**changes}, revision=revision)

    @verb("DELETE /threads/{thread_id}", NoneType)
    def delete_thread(self, thread_id: UUID | str) -> Sent:
        """Delete a thread with its jobs and checkpoints; jobs that have not ended are cancelled before."""
        return Sent()

    @verb("POST /threads/{thread_id}/copy", Thread)
    def copy_thread(self, thread_id: UUID | str) -> Sent:
        """A new thread with the same metadata, state and history, and without jobs."""
        return Sent()

    @verb("GET /threads/{thread_id}/state", dict[str, Any])
    def state(self, thread_id: UUID | str, *, checkpoint_id: str | None = None, subgraphs: bool = False) -> Sent:
        """The state as its graph sees it: values, next steps, tasks. Raises NoWorker."""
        return Sent(query={"checkpoint_id": checkpoint_id, "subgraphs": subgraphs})

    @verb("POST /threads/{thread_id}/state", dict[str, Any])
    def change_state(
        self,
        thread_id: UUID | str,
        values: Mapping[str, Any],
        *,
        as_node: str | None = None,
        checkpoint_id: str | None = None,
    ) -> Sent:
        """Change the state, as if one of its steps had written it. Raises Conflict: a job of it is at work."""
        return Sent(body={"values": values, "as_node": as_node, "checkpoint_id": checkpoint_id})

    @verb("GET /threads/{thread_id}/history", list[dict[str, Any]])
    def history(self, thread_id: UUID | str, limit: int = 50, before: str | None = None) -> Sent:
        """At most `limit` (200) states, newest first; only those before that checkpoint."""
        return Sent(query={"limit": limit, "before": before})

    @verb("GET /threads/{thread_id}/storage", Storage)
    def storage(self, thread_id: UUID | str) -> Sent:
        """What the thread takes in the database."""
        return Sent()


class AssistantVerbs(Verbs):
    """Verbs on assistants. Each on one raises NotFound."""

    @listing("/assistants", Assistant, "assistants")
    def assistants(self, limit: int | None = None, *, workflow: str | None = None, name: str | None = None) -> Sent:
        """Assistants, newest first; `name`: those whose name has this in it."""
        return Sent(query={"workflow": workflow, "name": name}, limit=limit)

    @verb("GET /assistants/{assistant_id}", Assistant)
    def assistant(self, assistant_id: UUID | str) -> Sent:
        """One assistant in the version that counts now."""
        return Sent()

    @verb("POST /assistants", Assistant)
    def create_assistant(self, workflow: str, name: str | None = None, **fields: Unpack[AssistantFields]) -> Sent:
        """An assistant; `fields`: id, description, config, context, metadata. Raises NotFound, Conflict."""
        given = {} if name is None else {"name": name}
        return Sent(body={"workflow": workflow, **given, **fields})

    @verb("PATCH /assistants/{assistant_id}", Assistant)
    def change_assistant(
        self, assistant_id: UUID | str, *, version: int | None = None, **changes: Unpack[AssistantChanges]
    ) -> Sent:
        """A new version with what is given changed: name, description, workflow, config, context, metadata.

        Raises:
            PreconditionFailed: it is not at that `version` any more.
        """
        return Sent(body={**changes}, revision=version)

    @verb("DELETE /assistants/{assistant_id}", NoneType)
    def delete_assistant(self, assistant_id: UUID | str) -> Sent:
        """Delete an assistant and all its versions; its jobs stay."""
        return Sent()

    @verb("GET /assistants/{assistant_id}/versions", list[Assistant])
    def assistant_versions(self, assistant_id: UUID | str, limit: int = 50, offset: int = 0) -> Sent:
        """Its versions, newest first."""
        return Sent(query={"limit": limit, "offset": offset})

    @verb("POST /assistants/{assistant_id}/latest", Assistant)
    def set_latest(self, assistant_id: UUID | str, version: int) -> Sent:
        """Let this version be the one that counts."""
        return Sent(body={"version": version})
