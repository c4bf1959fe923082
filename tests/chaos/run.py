"""Runs scenarios one after another; each in a world of its own."""

import contextlib
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutirao.stack.embedded import EmbeddedParts

from tests.chaos import brokers, clients, databases, vectors, workers
from tests.chaos.scenario import Row, Scenario, Size, row_of
from tests.chaos.trial import Skipped, Trial

SCENARIOS: list[Scenario] = [
    *workers.SCENARIOS, *brokers.SCENARIOS, *databases.SCENARIOS, *clients.SCENARIOS, *vectors.SCENARIOS,
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which scenarios are run, and how large."""

    scenarios: Sequence[Scenario]
    jobs: int
    seed: int
    outage_seconds: float = 30.0
    once: bool = False  # every fault happens once
    logs: Path | None = None  # where the logs of broken rows are kept

    def size(self, scenario: Scenario) -> Size:
        """As the scenario says; smaller where fewer jobs were asked for; the long queue takes what the others leave."""
        repetitions = 1 if self.once else scenario.repetitions
        if scenario.backlog:
            others = sum(self.size(one).jobs for one in self.scenarios if not one.backlog)
            # The matrix names 10,000 in the queue; the others come on top.
            jobs = self.jobs if self.jobs >= scenario.jobs else max(100, self.jobs - others)
            return Size(jobs=jobs, repetitions=repetitions)
        small = min(1.0, max(0.2, self.jobs / 10_000))
        jobs = max(min(scenario.jobs, 30), round(scenario.jobs * small))
        return Size(jobs=jobs, repetitions=repetitions, outage_seconds=self.outage_seconds)


def run(plan: Plan) -> Iterator[Row]:
    """The rows, as they come. Everything is ended when the iterator is closed."""
    with _folder() as folder, EmbeddedParts(folder, ["postgres"]) as parts:
        for number, scenario in enumerate(plan.scenarios):
            with _folder() as world, contextlib.ExitStack() as stack:
                parts_folder, own = folder, parts
                if scenario.own_postgres:
                    parts_folder = stack.enter_context(_folder())
                    own = stack.enter_context(EmbeddedParts(parts_folder, ["postgres"]))
                trial = Trial(own, parts_folder, world, plan.seed + number, builtin=scenario.builtin)
                row = run_one(scenario, plan.size(scenario), trial)
                if row.broken and plan.logs is not None:
                    _keep_logs(world, plan.logs / scenario.name.replace(" ", "-").replace("/", "-"))
                yield row


def run_one(scenario: Scenario, size: Size, trial: Trial) -> Row:
    """One scenario; a harness that fails is a broken promise of its row."""
    began = time.monotonic()
    try:
        with trial:
            scenario.run(trial, size)
            trial.settle()
            history = trial.history()
    except Skipped as skipped:
        return Row(name=scenario.name, skipped=str(skipped))
    except Exception as failure:  # noqa: BLE001 (the other scenarios are run all the same)
        said = "".join(traceback.format_exception(failure))[-6_000:]
        return Row(name=scenario.name, repetitions=size.repetitions, broken=[f"the scenario failed: {said}"])
    return row_of(scenario, size, trial, history, time.monotonic() - began)


def _keep_logs(world: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*world.glob("*.log"), *world.glob("witness"), *world.glob("journal.jsonl")]:
        shutil.copy(path, folder)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutirao-chaos-") as folder:
        yield Path(folder)
