"""Faults of Redis: emptied, away, restarted, and messages that nobody of ours has sent."""

import time
from uuid import uuid4

import redis
from mutirao.hints import HintSender

from tests.chaos.messages import DEADLY, HARMLESS
from tests.chaos.scenario import Scenario, Size
from tests.chaos.trial import Trial


def flushed(trial: Trial, size: Size) -> None:
    """FLUSHALL while many wait."""
    trial.start_worker("one", worker_slots="5")
    for _ in range(size.repetitions):
        trial.client.submit_all(trial.mixed(size.each, 0.4))
        with trial.progress(), redis.Redis(port=trial.valkey.port) as client:
            client.flushall()


def away(trial: Trial, size: Size) -> None:
    """Redis is away for a while; jobs are accepted and run all the same."""
    trial.start_worker("one")
    with trial.submitting(trial.mixed(size.jobs), batch=2):
        for _ in range(size.repetitions):
            began = time.monotonic()
            trial.valkey.kill()
            trial.canary(began)
            time.sleep(max(0.0, began + size.outage_seconds - time.monotonic()))  # the outage is its length
            trial.valkey.start()
            trial.canary(time.monotonic())


def restarted(trial: Trial, size: Size) -> None:
    """Redis is killed and started, empty, while workers consume."""
    trial.start_worker("one")
    trial.start_worker("two")
    for _ in range(size.repetitions):
        with trial.submitting(trial.mixed(size.each, 0.1), batch=4):
            trial.running(1)
            began = time.monotonic()
            trial.valkey.kill()
            trial.valkey.start()
            trial.canary(began)


def forged(trial: Trial, size: Size) -> None:
    """Every hint comes five times, and hints for jobs that do not exist."""
    trial.start_worker("one")
    trial.start_worker("two")
    sender = HintSender(trial.valkey.url)
    try:
        for _ in range(size.repetitions):
            for job in trial.client.submit_all(trial.mixed(size.each, 0.1)):
                for _ in range(5):
                    sender.send("default", job)
                sender.send("default", uuid4())
            trial.canary(time.monotonic())
    finally:
        sender.close()
    trial.settle()
    [(most,)] = trial.sql("SELECT max(epoch) FROM jobs")
    trial.require(most == 1, f"a job had {most} attempts: a doubled hint must not begin one")


def malformed(trial: Trial, size: Size) -> None:
    """Messages that are not ours, harmless and deadly ones, while jobs run."""
    trial.start_worker("one")
    for number in range(size.repetitions):
        with trial.submitting(trial.mixed(size.each, 0.3)):
            trial.running(2)
            with trial.progress(), redis.Redis(port=trial.valkey.port) as client:
                client.lpush("default", *HARMLESS, DEADLY[number % len(DEADLY)])
        trial.settle()


SCENARIOS = [
    Scenario(name="FLUSHALL with 100 queued", run=flushed, jobs=200, repetitions=2, quick=True),
    Scenario(name="Redis away", run=away, jobs=300, repetitions=1),
    Scenario(name="Redis restarted three times", run=restarted, jobs=200, repetitions=3),
    Scenario(name="doubled and forged hints", run=forged, jobs=150, repetitions=1),
    Scenario(name="malformed messages", run=malformed, jobs=120, repetitions=4),
]
