"""Faults of PostgreSQL and of the API in front of it."""

import contextlib
import os
import signal
import time

from tests.chaos.scenario import Run, Scenario, Size
from tests.chaos.trial import Trial


def postgres_killed(trial: Trial, size: Size) -> None:
    """SIGKILL to the postmaster under load. Its supervisor starts it again, however often that needs."""
    trial.start_worker("one", lease_seconds="10")
    trial.start_worker("two", lease_seconds="10")
    with trial.submitting(trial.mixed(size.jobs, 0.3), batch=4):
        for _ in range(size.repetitions):
            trial.running(5)
            began = time.monotonic()
            os.kill(trial.postmaster(), signal.SIGKILL)
            trial.canary(began)


def api_killed_at(point: str) -> Run:
    """SIGKILL of the API itself around the commit of a job; clients ask again with the same key."""

    def run(trial: Trial, size: Size) -> None:
        trial.start_worker("one")
        for _ in range(size.repetitions):
            trial.api.kill()
            armed = trial.start_api(faults=f"{point}:kill:{trial.random.randint(2, size.each)}")
            with trial.submitting(trial.mixed(size.each)):
                trial.until(lambda armed=armed: armed.exit_code is not None, "the API has killed itself")  # type: ignore[misc]
                began = time.monotonic()
                trial.start_api()
                trial.canary(began)

    return run


def api_killed(trial: Trial, size: Size) -> None:
    """SIGKILL of the API at any moment."""
    trial.start_worker("one")
    for _ in range(size.repetitions):
        with trial.submitting(trial.mixed(size.each)):
            with contextlib.suppress(AssertionError):
                trial.running(1)
            began = time.monotonic()
            trial.api.kill()
            trial.start_api()
            trial.canary(began)


SCENARIOS = [
    Scenario(name="PostgreSQL killed", run=postgres_killed, jobs=300, repetitions=2, own_postgres=True),
    Scenario(name="API killed before COMMIT", run=api_killed_at("accept.before_commit"), jobs=60, repetitions=2),
    Scenario(
        name="API killed after COMMIT", run=api_killed_at("accept.after_commit"), jobs=60, repetitions=2, quick=True
    ),
    Scenario(name="API killed", run=api_killed, jobs=150),
]
