"""The states of a job and of a document, and the moves between a job's states, as data."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is in its life; `TRANSITIONS` has every legal move and who may make it."""

    QUEUED = "queued"  # accepted and committed; waits for a worker, for its time, or for its next attempt
    RUNNING = "running"  # a worker holds it under a lease
    WAITING = "waiting"  # its children run; it holds no slot, and goes on when the last of them has ended
    PAUSED = "paused"  # waits for people: for a decision on an approval, or to be resumed
    STRANDED = "stranded"  # no live worker serves the version it began with; goes on when one does
    SUCCEEDED = "succeeded"  # the graph ended; output and artifacts are there
    FAILED = "failed"  # a step raised, or a time limit passed; the error says which and why
    CANCELLED = "cancelled"  # somebody asked for the end; nothing runs any more
    DEAD = "dead"  # every attempt it was given is used up; the reason is in the error
    BUDGET_EXHAUSTED = "budget_exhausted"  # what it may spend is spent; the call that would have passed it was not made

    @property
    def terminal(self) -> bool:
        """Whether nothing changes any more by itself (`retry` may still begin a failed, dead or exhausted job anew)."""
        return self in TERMINAL


TERMINAL = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.DEAD, JobState.BUDGET_EXHAUSTED}
)


class Actor(StrEnum):
    """Who may move a job from state to state."""

    CLIENT = "client"  # a call of the API
    CLAIM = "claim"  # a worker with a live lease
    ATTEMPT = "attempt"  # the attempt that holds the job (job, epoch)
    RECONCILER = "reconciler"  # one at a time in the whole system, in any worker


_S, _A = JobState, Actor

TRANSITIONS: dict[tuple[JobState, JobState], tuple[Actor, ...]] = {
    (_S.QUEUED, _S.RUNNING): (_A.CLAIM,),
    (_S.QUEUED, _S.CANCELLED): (_A.CLIENT,),
    (_S.QUEUED, _S.PAUSED): (_A.CLIENT, _A.RECONCILER),  # the latter: a pause asked for when it had to go on first
    (_S.QUEUED, _S.STRANDED): (_A.RECONCILER,),
    (_S.QUEUED, _S.FAILED): (_A.RECONCILER,),  # its deadline passed before anybody took it
    (_S.RUNNING, _S.SUCCEEDED): (_A.ATTEMPT,),
    (_S.RUNNING, _S.FAILED): (_A.ATTEMPT,),
    (_S.RUNNING, _S.CANCELLED): (_A.ATTEMPT, _A.RECONCILER),
    (_S.RUNNING, _S.DEAD): (_A.ATTEMPT, _A.RECONCILER),
    (_S.RUNNING, _S.BUDGET_EXHAUSTED): (_A.ATTEMPT,),
    (_S.RUNNING, _S.QUEUED): (_A.ATTEMPT, _A.RECONCILER),  # handed back, to be tried again, or its worker is gone
    (_S.RUNNING, _S.WAITING): (_A.ATTEMPT,),
    (_S.RUNNING, _S.PAUSED): (_A.ATTEMPT,),
    (_S.WAITING, _S.QUEUED): (_A.ATTEMPT, _A.RECONCILER),  # the attempt of its last child, or who looks after it
    (_S.WAITING, _S.CANCELLED): (_A.CLIENT,),
    (_S.WAITING, _S.FAILED): (_A.RECONCILER,),
    (_S.PAUSED, _S.QUEUED): (_A.CLIENT, _A.RECONCILER),  # decided, resumed, or an approval ran out
    (_S.PAUSED, _S.CANCELLED): (_A.CLIENT,),
    (_S.PAUSED, _S.SUCCEEDED): (_A.CLIENT,),  # a later job of its thread went on from where it stood
    (_S.PAUSED, _S.FAILED): (_A.RECONCILER,),
    (_S.STRANDED, _S.QUEUED): (_A.CLIENT, _A.RECONCILER),
    (_S.STRANDED, _S.CANCELLED): (_A.CLIENT,),
    (_S.STRANDED, _S.FAILED): (_A.RECONCILER,),
    (_S.FAILED, _S.QUEUED): (_A.CLIENT,),  # retry
    (_S.DEAD, _S.QUEUED): (_A.CLIENT,),
    (_S.BUDGET_EXHAUSTED, _S.QUEUED): (_A.CLIENT,),
}
"""Every legal move; the database refuses any other (trigger `jobs_transition`). There is none out of `succeeded` and
none out of `cancelled`: a cancelled job never turns into anything else; fork it instead."""


class DocumentState(StrEnum):
    """Where a document stands in its collection."""

    QUEUED = "queued"  # the file is stored; its ingest job has not ended
    READY = "ready"  # chunked and searchable
    FAILED = "failed"  # its text could not be taken out; the error says why
    SUPERSEDED = "superseded"  # a newer version of the same name is ready; never cited unless asked
