"""The states of a job and of a document, one sentence each."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands.

    Legal transitions::

        queued ──claim──► running ──► succeeded | failed | cancelled
          ▲                 │  │
          └── back-off ─────┘  └──► dead (every attempt used up)
        queued ──cancel──► cancelled
    """

    QUEUED = "queued"  # accepted and committed; waits for a worker (or for its next attempt)
    RUNNING = "running"  # a worker holds it under a lease
    SUCCEEDED = "succeeded"  # the graph ended; output and artifacts are there
    FAILED = "failed"  # a step raised; the error says which and why
    CANCELLED = "cancelled"  # somebody asked for the end; nothing runs any more
    DEAD = "dead"  # every attempt was lost (its workers died); the reason is in the error

    @property
    def terminal(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class DocumentState(StrEnum):
    """Where a document stands in its collection."""

    QUEUED = "queued"  # the file is stored; its ingest job has not ended
    READY = "ready"  # chunked and searchable
    FAILED = "failed"  # its text could not be taken out; the error says why
    SUPERSEDED = "superseded"  # a newer version of the same name is ready; never cited unless asked
