"""Every error Mutirão raises on purpose.

MutiraoError
├── InvalidInput               the caller sent something wrong
│   ├── InputRejected          the input does not fit the workflow's schema
│   ├── DocumentInvalid        the file is not what its name or type says
│   ├── ArchiveInvalid         the archive cannot be unpacked safely
│   ├── TooLarge               a size limit was passed
│   └── SettingsInvalid        a setting is unknown or wrong
├── Unauthorized               no key, or one that is not ours
├── NotFound                   nothing of that name in this project
├── Conflict                   the current state does not allow it
│   ├── AlreadyDecided         an approval has had its decision, or its time has passed
│   └── AlreadyRunning         a stack is already running on this data folder
├── Unavailable                a part is down; the same call may work later
│   ├── StorageFull            the disk of the artifact store is full
│   ├── NoWorker               no worker serves this workflow
│   ├── ModelUnavailable       the model did not answer
│   └── PartFailed             a part of the embedded stack cannot start
└── StepFailed                 what went wrong inside a job
    ├── WorkflowUnavailable    the workflow could not be loaded by this worker
    ├── NoEvidence             nothing in the collections is about the topic
    ├── DocumentUnreadable     a document's text could not be taken out
    ├── BudgetExhausted        the next call would pass what the job or its project may spend
    ├── TimeLimitExceeded      a step, an attempt or the job took longer than it may
    └── LeaseLost              a newer attempt owns the job; nothing more is written

Each class has a stable `code` and an HTTP status; messages name the value and the remedy.
"""

from typing import Any, ClassVar


class MutiraoError(Exception):
    """Root of all errors. `str(error)` is the message for people, `details` the same for programs."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(MutiraoError):
    """Raised when the caller sent something wrong."""

    code = "invalid_input"
    status = 422


class InputRejected(InvalidInput):
    """Raised when a job's input does not fit the workflow's schema; `details["errors"]` has the path of each miss."""

    code = "input_rejected"


class DocumentInvalid(InvalidInput):
    """Raised when a file is not what its name or type says."""

    code = "document_invalid"


class ArchiveInvalid(InvalidInput):
    """Raised when an archive cannot be unpacked safely; `details["entry"]` names the entry, None for the whole."""

    code = "archive_invalid"


class TooLarge(InvalidInput):
    """Raised when a size limit is passed; the message names the limit and the setting that raises it."""

    code = "too_large"
    status = 413


class SettingsInvalid(InvalidInput):
    """Raised when a setting is unknown or has a wrong value."""

    code = "settings_invalid"


class Unauthorized(MutiraoError):
    """Raised when no key, or an unknown or expired one, came with a request."""

    code = "unauthorized"
    status = 401


class NotFound(MutiraoError):
    """Raised when nothing of that name exists in this project."""

    code = "not_found"
    status = 404


class Conflict(MutiraoError):
    """Raised when the current state does not allow the call."""

    code = "conflict"
    status = 409


class AlreadyDecided(Conflict):
    """Raised when an approval is no longer pending: its first decision stands; `details["state"]` says what it is."""

    code = "already_decided"


class AlreadyRunning(Conflict):
    """Raised when a stack is already running on this data folder."""

    code = "already_running"


class Unavailable(MutiraoError):
    """Raised when a part is down; the same call may work later."""

    code = "unavailable"
    status = 503


class StorageFull(Unavailable):
    """Raised when the disk of the artifact store is full."""

    code = "storage_full"
    status = 507


class NoWorker(Unavailable):
    """Raised when no live worker serves the workflow."""

    code = "no_worker"


class ModelUnavailable(Unavailable):
    """Raised when the model did not answer within its retries."""

    code = "model_unavailable"


class PartFailed(Unavailable):
    """Raised when a part of the embedded stack cannot start; the message has the end of its log."""

    code = "part_failed"


class StepFailed(MutiraoError):
    """Raised inside a job; ends the attempt with this code."""

    code = "step_failed"


class WorkflowUnavailable(StepFailed):
    """Raised when this worker could not load the workflow."""

    code = "workflow_unavailable"


class NoEvidence(StepFailed):
    """Raised when nothing in the collections is about the topic of a report."""

    code = "no_evidence"


class DocumentUnreadable(StepFailed):
    """Raised when a document's text cannot be taken out."""

    code = "document_unreadable"


class LeaseLost(StepFailed):
    """Raised when a newer attempt owns the job; this one must write nothing more."""

    code = "lease_lost"


class BudgetExhausted(StepFailed):
    """Raised before a call that would pass what the job or its project may spend; the job ends with this state."""

    code = "budget_exhausted"


class TimeLimitExceeded(StepFailed):
    """Raised when a step, an attempt or the job took longer than its limit; `details["limit"]` says which."""

    code = "time_limit_exceeded"
