"""Notices of jobs that somebody waits for: an idle worker takes them, and passes over the hint that comes behind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mutirao.ids import new_id
from mutirao_workers.intake import Intake
from mutirao_workers.stops import Stop


@dataclass
class Me:
    id: UUID = field(default_factory=new_id)
    name: str = "me"


@dataclass
class Idle:
    jobs: list[UUID] = field(default_factory=list)

    def free(self) -> dict[str, int]:
        return {"shared": 1}

    def start(self, claim: Any) -> None:
        self.jobs.append(claim.job_id)

    def stop(self, job_id: UUID, reason: Stop) -> None:
        self.jobs.remove(job_id)

    def job_ids(self) -> list[UUID]:
        return self.jobs


def intake(running: Sequence[UUID] = ()) -> Intake:
    claims: Any = None  # nothing is claimed here
    return Intake(claims, Idle(list(running)), Me(), ["default"], 1.0)


def test_the_hint_behind_a_notice_is_passed_over_once() -> None:
    taken, job = intake(), new_id()
    taken.notice(job)
    taken.hint(job)
    assert taken.hints == [job]
    taken.hint(job)  # it is queued anew
    assert taken.hints == [job, job]


def test_a_busy_worker_waits_for_the_hint() -> None:
    taken, job = intake([new_id()]), new_id()
    taken.notice(job)
    assert taken.hints == []
    taken.hint(job)
    assert taken.hints == [job]
