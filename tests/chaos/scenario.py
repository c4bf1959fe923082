"""A scenario and the row that it gives."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.history import Finding, History, Promise, check, counts
from tests.chaos.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a scenario is run: its jobs in all, and how often its fault happens."""

    jobs: int
    repetitions: int
    outage_seconds: float = 30.0

    @property
    def each(self) -> int:
        """Jobs of one repetition."""
        return max(6, self.jobs // self.repetitions)


Run = Callable[[Trial, Size], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault and the load beneath it. `quick`: part of a short run."""

    name: str
    run: Run
    jobs: int
    repetitions: int = 3
    quick: bool = False
    backlog: bool = False  # takes all jobs that the others leave
    builtin: bool = False  # its workers serve the built-in workflows, and reach Chroma
    own_postgres: bool = False
    fenced: bool = False  # tests nothing unless a stale commit was refused


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a scenario gave."""

    name: str
    repetitions: int = 0
    jobs: int = 0
    lost: int = 0
    duplicated_effects: int = 0
    fenced: int = 0
    rerun: int = 0
    recovery_median: float | None = None
    recovery_max: float | None = None
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""


def row_of(scenario: Scenario, size: Size, trial: Trial, history: History, seconds: float) -> Row:
    """The row of a run whose jobs have been waited for."""
    findings = check(history)
    found = counts(findings)
    broken = [*trial.broken, *_said(findings)]
    if scenario.fenced and not history.fenced:
        # A worker that finds its lease lost kills its children, often before they can write what would be refused.
        trial.notes.append("no stale commit was refused: nothing stale was left to write it")
    return Row(
        name=scenario.name,
        repetitions=size.repetitions,
        jobs=len(history.accepted),
        lost=found[Promise.LOST] + found[Promise.NOT_ENDED],
        duplicated_effects=found[Promise.DUPLICATED_EFFECT],
        fenced=history.fenced,
        rerun=found[Promise.RERUN],
        recovery_median=round(statistics.median(trial.recoveries), 2) if trial.recoveries else None,
        recovery_max=round(max(trial.recoveries), 2) if trial.recoveries else None,
        seconds=round(seconds, 1),
        broken=broken,
        notes=trial.notes,
    )


def _said(findings: list[Finding]) -> list[str]:
    """One sentence for each kind of finding."""
    said = []
    for promise, number in counts(findings).items():
        first = next(finding for finding in findings if finding.promise is promise)
        said.append(f"{promise.value}: {number}, for example job {first.job} {first.message}")
    return said
