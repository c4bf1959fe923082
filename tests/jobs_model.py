"""What `test_jobs_machine.py` believes of jobs: their states, who is next, who wakes whom. It knows nothing of SQL."""

from dataclasses import dataclass, field
from uuid import UUID

from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState

OPEN = {JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.PAUSED, JobState.STRANDED}
KEPT = OPEN - {JobState.RUNNING}  # what keeps later jobs of its thread from running, besides one that runs


@dataclass
class KnownJob:
    """What is known of a job."""

    id: UUID
    thread: UUID
    priority: int
    due: int  # tick since which it may be claimed
    tries: int = 0
    most: int = 3
    parent: UUID | None = None
    delayed: bool = False
    state: JobState = JobState.QUEUED
    epoch: int = 0
    retried: int = 0  # its epoch when it was last retried
    failures: int = 0
    lost: int = 0
    cancel: bool = False
    pause: bool = False
    why: str | None = None
    worker: UUID | None = None
    journal: list[str] = field(default_factory=lambda: ["job.queued"])

    @property
    def not_yet(self) -> bool:
        """Whether it is to begin later: until then nobody waits for it."""
        return self.state is JobState.QUEUED and self.delayed and self.epoch <= self.retried

    @property
    def place(self) -> tuple[bool, UUID]:
        """Its place in its thread: what has begun goes first."""
        return self.epoch <= self.retried, self.id


class Model:
    """The jobs of one queue. `at` numbers moments: what is queued in one statement is due at one moment."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, KnownJob] = {}
        self.at = 0

    def tick(self) -> int:
        self.at += 1
        return self.at

    def queued(self, job: KnownJob, event: str, *, due: int | None = None) -> None:
        """What goes on after it had begun keeps its `due`, and with it its place."""
        job.state, job.worker, job.why, job.due = JobState.QUEUED, None, None, due or self.tick()
        job.journal.append(event)

    def ended(self, job: KnownJob, state: JobState) -> None:
        job.state, job.worker, job.why = state, None, None
        job.journal.append(f"job.{state}")

    def held(self, job: KnownJob, state: JobState, why: str) -> None:
        job.state, job.worker, job.why = state, None, why
        job.journal.append(f"job.{state}")

    def holds(self, claim: Claim) -> bool:
        job = self.jobs[claim.job_id]
        return job.epoch == claim.epoch and job.state is JobState.RUNNING

    def below(self, job_id: UUID) -> list[KnownJob]:
        """The job and what it has fanned out to."""
        found = [self.jobs[job_id]]
        for job in found:
            found += [child for child in self.jobs.values() if child.parent == job.id]
        return found

    def open_children(self, job: KnownJob) -> bool:
        return any(child.parent == job.id and child.state in OPEN for child in self.jobs.values())

    def wakes(self, job: KnownJob) -> bool:
        return job.state is JobState.WAITING and not self.open_children(job)

    def wake(self, parent: UUID | None) -> None:
        if parent is not None and self.wakes(self.jobs[parent]):
            self.queued(self.jobs[parent], "job.resumed", due=self.jobs[parent].due)

    def claimable(self) -> list[KnownJob]:
        """What a worker may take, first the first."""
        found = []
        for job in self.jobs.values():
            others = [other for other in self.jobs.values() if other.thread == job.thread and other is not job]
            blocked = any(
                other.state is JobState.RUNNING
                or (other.state in KEPT and other.place < job.place and not other.not_yet)
                for other in others
            )
            if job.state is JobState.QUEUED and not (job.delayed or job.pause or blocked):
                found.append(job)
        return sorted(found, key=lambda job: (-job.priority, job.due, job.id))
