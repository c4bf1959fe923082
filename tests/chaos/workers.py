"""Faults of workers: killed, stopped, at each named point, poisoned, restarted, with a wrong clock."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos.scenario import Run, Scenario, Size
from tests.chaos.trial import LEASE_SECONDS, Skipped, Trial

# Each kills the process at the n-th time it comes there; n is chosen by the seed between these.
POINTS = {
    "claim.before": (1, 3),
    "claim.after": (1, 3),
    "checkpoint.before": (2, 30),
    "checkpoint.after": (2, 30),
    "writes.before": (2, 20),
    "writes.after": (2, 20),
    "effect.before": (2, 8),
    "effect.between": (2, 8),
    "effect.after": (2, 8),
    "events.before": (1, 4),
    "events.after": (1, 4),
    "finish.before": (2, 8),
    "finish.after": (2, 8),
}
_LIBRARY = "faketime/libfaketimeMT.so.1"
_FEW = "8"  # slots, so that each of two workers has jobs


def _kill_each(kill: Callable[[Trial], None]) -> Run:
    def run(trial: Trial, size: Size) -> None:
        trial.start_worker("one")
        for _ in range(size.repetitions):
            with trial.submitting(trial.mixed(size.each, 0.6)):
                victims = trial.running(5)
                with trial.recovery(victims):
                    kill(trial)

    return run


def _group(trial: Trial) -> None:
    trial.kill_worker("one")
    trial.start_worker("one")


def _main_alone(trial: Trial) -> None:
    trial.send([trial.worker("one").pid], signal.SIGKILL)
    trial.worker("one").wait()
    trial.start_worker("one")


def _child(trial: Trial) -> None:
    children = trial.tree("one")[1:]
    if not children:
        raise Skipped("a worker has no child processes")
    trial.send([trial.random.choice(children)], signal.SIGKILL)


def host_gone(trial: Trial, size: Size) -> None:
    """Nobody takes the dead worker's name: its jobs go on elsewhere when its lease has run out."""
    trial.start_worker("stays", worker_slots=_FEW)
    for number in range(size.repetitions):
        name = f"gone-{number}"
        trial.start_worker(name, worker_slots=_FEW)
        with trial.submitting(trial.mixed(size.each, 0.6)):
            victims = trial.of_worker(name, 2)
            with trial.recovery(victims):
                trial.forget_worker(name)
                trial.kill_worker(name)
    trial.require(
        max(trial.recoveries) <= LEASE_SECONDS + 5, f"jobs of a host that is gone resume within {LEASE_SECONDS + 5:g} s"
    )


def stopped(trial: Trial, size: Size) -> None:
    """SIGSTOP past the lease, then CONT."""
    trial.start_worker("one", worker_slots=_FEW)
    trial.start_worker("two", worker_slots=_FEW)
    for _ in range(size.repetitions):
        with trial.submitting(trial.mixed(size.each, 0.6)):
            trial.of_worker("one", 2)
            with _stopped_past_lease(trial, "one"):
                pass


def stopped_at(point: str) -> Run:
    """SIGSTOP while the process is about to write, past the lease, then CONT: the write is stale."""

    def run(trial: Trial, size: Size) -> None:
        for number in range(size.repetitions):
            name = f"slow-{number}"
            slow = trial.start_worker(name, faults=f"{point}:sleep=1:{trial.random.randint(2, 5)}")
            with trial.submitting(trial.mixed(size.each, 0.3)):
                trial.hit(slow)
                with _stopped_past_lease(trial, name):
                    trial.start_worker("quick")
            trial.settle()
            for leaving in (name, "quick"):
                trial.forget_worker(leaving)
                trial.kill_worker(leaving)

    return run


@contextlib.contextmanager
def _stopped_past_lease(trial: Trial, name: str) -> Iterator[None]:
    """Stopped at the begin of the block; continued after it, as soon as others have its jobs."""
    tree = trial.tree(name)
    trial.send(tree, signal.SIGSTOP)
    with trial.recovery(trial.of_worker(name, 0)):
        yield
    trial.send(tree, signal.SIGCONT)
    program = trial.worker(name)

    def noticed() -> bool:
        return program.exit_code is not None or "lease.lost" in program.log.read_text(errors="replace")

    trial.require(trial.attempt(noticed, 20), "a worker that was stopped past its lease notices that")


def killed_at(point: str) -> Run:
    """SIGKILL of the process itself at a named point."""

    def run(trial: Trial, size: Size) -> None:
        for _ in range(size.repetitions):
            armed = trial.start_worker("one", faults=f"{point}:kill:{trial.random.randint(*POINTS[point])}")
            jobs = [trial.wanted("chaos.effect", seconds=0.1 * trial.random.random()) for _ in range(size.each)]
            with trial.submitting(jobs):
                trial.hit(armed)
                with trial.recovery(trial.running(0)):
                    pass  # its supervisor starts it again when it has ended, unarmed
            trial.settle()
            trial.kill_worker("one")

    return run


def killed_handing_back(trial: Trial, size: Size) -> None:
    """SIGTERM, and SIGKILL of itself when it hands a job back."""
    for _ in range(size.repetitions):
        armed = trial.start_worker("one", faults="handback.before:kill:1", drain_seconds="0")
        with trial.submitting([trial.wanted("chaos.three", seconds=0.5) for _ in range(size.each)]):
            victims = trial.running(3)
            with trial.recovery(victims):
                trial.send([armed.pid], signal.SIGTERM)
                trial.hit(armed)
        trial.settle()
        trial.kill_worker("one")


def answers_lost(faults: str) -> Run:
    """The database commits, and the answer does not arrive."""

    def run(trial: Trial, size: Size) -> None:
        trial.start_worker("one", faults=faults)
        with trial.submitting(trial.mixed(size.jobs)):
            pass
        trial.settle()
        trial.hit(trial.worker("one"))

    return run


def poison(trial: Trial, size: Size) -> None:
    """Jobs that kill their worker, among others that do not."""
    trial.start_worker("one")
    for _ in range(size.repetitions):
        job = trial.client.submit(trial.wanted("chaos.kills", ends=frozenset({"dead"}), attempts=3))
        with trial.submitting(trial.mixed(size.each, 0.2)):
            pass
        trial.settle()
        state = trial.sql("SELECT state, epoch FROM jobs WHERE id = %s", job)
        trial.require(state == [("dead", 3)], f"poison is dead after 3 attempts, not {state}")


def rolling(trial: Trial, size: Size) -> None:
    """SIGTERM to one of two workers after the other, each replaced, under load."""
    for name in ("one", "two"):
        trial.start_worker(name, worker_slots=_FEW)
    for number in range(size.repetitions):
        name = ("one", "two")[number % 2]
        with trial.submitting(trial.mixed(size.each, 0.5)):
            trial.of_worker(name, 2)
            with trial.progress():
                code = trial.stop_worker(name)
                trial.require(code == 0, f"a worker that was told to leave ended with {code}")
                trial.start_worker(name, worker_slots=_FEW)
    trial.settle()
    [(lost,)] = trial.sql("SELECT count(*) FROM attempts WHERE outcome = 'lost'")
    trial.require(lost == 0, f"{lost} attempts were lost in a restart that was asked for")


def wrong_clock(trial: Trial, size: Size) -> None:
    """One of two workers is an hour ahead, then an hour behind; it is killed, too."""
    library = next((path for path in Path("/usr/lib").glob(f"*/{_LIBRARY}")), None)
    if library is None:
        raise Skipped("faketime is not installed (Debian: apt-get install faketime)")
    trial.start_worker("right", worker_slots=_FEW)
    for number in range(size.repetitions):
        offset, name = ("+3600", "-3600")[number % 2], f"wrong-{number}"
        env = {
            "LD_PRELOAD": str(library),
            "FAKETIME": offset,
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        trial.start_worker(name, env=env, worker_slots=_FEW)
        with trial.submitting(trial.mixed(size.each, 0.5)):
            victims = trial.of_worker(name, 2)
            with trial.recovery(victims):
                trial.forget_worker(name)
                os.killpg(trial.worker(name).pid, signal.SIGKILL)


SCENARIOS = [
    Scenario(name="worker killed mid-step", run=_kill_each(_group), jobs=150, quick=True),
    Scenario(name="worker's main process killed alone", run=_kill_each(_main_alone), jobs=90),
    Scenario(name="worker's child killed", run=_kill_each(_child), jobs=90),
    Scenario(name="worker's host gone", run=host_gone, jobs=90, repetitions=2),
    Scenario(name="worker stopped past its lease, then continued", run=stopped, jobs=120, quick=True),
    Scenario(name="worker stopped before a checkpoint", run=stopped_at("checkpoint.before"), jobs=60, repetitions=2),
    Scenario(name="worker stopped before events", run=stopped_at("events.before"), jobs=60, repetitions=2),
    Scenario(
        name="worker stopped before a job's end", run=stopped_at("finish.before"), jobs=60, repetitions=2, fenced=True
    ),
    *(Scenario(name=f"killed at {point}", run=killed_at(point), jobs=40, repetitions=1) for point in POINTS),
    Scenario(name="killed at handback.before", run=killed_handing_back, jobs=40, repetitions=1),
    Scenario(name="answers to claims lost", run=answers_lost("claim.after:raise:2"), jobs=40, repetitions=1),
    Scenario(
        name="answers to checkpoints lost",
        run=answers_lost("checkpoint.after:raise:0.1,writes.after:raise:0.1"),
        jobs=60,
        repetitions=1,
    ),
    Scenario(
        name="answers to events and ends lost",
        run=answers_lost("events.after:raise:0.1,finish.after:raise:0.2"),
        jobs=60,
        repetitions=1,
    ),
    Scenario(name="a job that kills its worker", run=poison, jobs=40, repetitions=2),
    Scenario(name="rolling restart under load", run=rolling, jobs=300, repetitions=4),
    Scenario(name="a worker's clock an hour off", run=wrong_clock, jobs=60, repetitions=2),
]
