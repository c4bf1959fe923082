"""Every error Mutirão raises on purpose.

MutiraoError
├── InvalidInput               the caller sent something wrong
│   ├── BadRequest             what was sent contradicts itself, or asks for what cannot be
│   ├── InputRejected          the input does not fit the workflow's schema
│   ├── DocumentInvalid        the file is not what its name or type says
│   ├── ArchiveInvalid         the archive cannot be unpacked safely
│   ├── TooLarge               a size limit was passed
│   ├── AddressRefused         nothing may be sent to this address
│   └── SettingsInvalid        a setting is unknown or wrong
├── Unauthorized               no key, or one that is not ours
│   └── LinkSpent              the link that was to sign in is used, too old or none
├── Forbidden                  the key may not do this
│   └── CrossOrigin            a page of another origin has sent what only our own may
├── RateLimited                too many requests within a time
├── NotFound                   nothing of that name in this project
├── Conflict                   the current state does not allow it
│   ├── AlreadyDecided         an approval has had its decision, or its time has passed
│   ├── PreconditionFailed     somebody else has changed it meanwhile (`If-Match`)
│   ├── ApprovalChanged        the decision is about another request than the one that is asked now
│   └── AlreadyRunning         a stack is already running on this data folder
├── Unavailable                a part is down; the same call may work later
│   ├── StorageFull            the disk of the artifact store is full
│   ├── NoWorker               no worker serves this workflow
│   ├── NoSecretKey            MUTIRAO_SECRET_KEY is not set, so no secret can be kept
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

from collections.abc import Mapping
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


class BadRequest(InvalidInput):
    """Raised when each field is well, but together they ask for what cannot be."""

    code = "bad_request"
    status = 400


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


class LimitReached(InvalidInput):
    """Raised when a project has as much of something as it may; the message names the setting that allows more."""

    code = "limit_reached"


class AddressRefused(InvalidInput):
    """Raised when nothing may be sent to an address: it is not public, or no URL that can be called."""

    code = "address_refused"


class SettingsInvalid(InvalidInput):
    """Raised when a setting is unknown or has a wrong value."""

    code = "settings_invalid"


class Unauthorized(MutiraoError):
    """Raised when no key, or an unknown or expired one, came with a request."""

    code = "unauthorized"
    status = 401


class LinkSpent(Unauthorized):
    """Raised when a link that signs a browser in was used already, is too old, or is none."""

    code = "link_spent"


class Forbidden(MutiraoError):
    """Raised when the key, or the project's own rules, do not allow the call."""

    code = "forbidden"
    status = 403


class CrossOrigin(Forbidden):
    """Raised when a browser sends a session along for a page that is not of this server's own origin."""

    code = "cross_origin"


class RateLimited(MutiraoError):
    """Raised when a caller asks too much within a time; the header `Retry-After` says when to try again."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.headers = dict(headers or {})


class NotFound(MutiraoError):
    """Raised when nothing of that name exists in this project."""

    code = "not_found"
    status = 404


class Conflict(MutiraoError):
    """Raised when the current state does not allow the call."""

    code = "conflict"
    status = 409


class PreconditionFailed(Conflict):
    """Raised when what is to be changed is no longer as the caller's `If-Match` says: somebody has changed it meanwhile."""

    code = "precondition_failed"
    status = 412


class AlreadyDecided(Conflict):
    """Raised when an approval is no longer pending: its first decision stands; `details["state"]` says what it is."""

    code = "already_decided"


class ApprovalChanged(Conflict):
    """Raised when a decision names another request than its approval asks; `details["request_sha256"]` is what it asks."""

    code = "approval_changed"


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


class NoSecretKey(Unavailable):
    """Raised when a secret is to be kept or read and there is no key to encrypt it with."""

    code = "no_secret_key"


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
