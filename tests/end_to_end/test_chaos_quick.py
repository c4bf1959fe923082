"""A few faults of `make chaos`, small: kills under load, a stopped worker, a broker without its messages, cancels."""

from pathlib import Path

import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.chaos.history import Promise, check, counts
from tests.chaos.trial import Trial

pytestmark = pytest.mark.end_to_end


def test_thirty_jobs_outlast_kills_a_stop_and_an_emptied_broker(embedded: EmbeddedParts, tmp_path: Path) -> None:
    import redis

    with Trial(embedded, tmp_path, tmp_path, seed=1) as trial:
        # It kills itself with a checkpoint committed and its answer on the way; nobody takes its name.
        trial.start_worker("doomed", faults="checkpoint.after:kill:25")
        jobs = [trial.wanted("chaos.effect", seconds=0.2) for _ in range(24)]
        stopped = [
            trial.wanted("chaos.three", seconds=0.4, ends=frozenset({"succeeded", "cancelled"})) for _ in range(6)
        ]
        with trial.submitting(jobs):
            assert trial.hit(trial.worker("doomed"))
            trial.kill_worker("doomed")
            trial.forget_worker("doomed")
            with redis.Redis(port=trial.valkey.port) as client:
                client.flushall()
            trial.start_worker("heir")
        cancelled = trial.client.each(lambda wanted: trial.client.cancel(trial.client.submit(wanted)), stopped)
        trial.settle()
        history = trial.history()
    assert dict(counts(check(history))) == {}, check(history)
    assert trial.broken == []
    assert len(history.accepted) == 30
    assert all(cancelled)
    assert {row.outcome for row in history.attempts} >= {"lost", "succeeded"}
    assert [one for one in history.effects if one.state != "done"] == []
    assert Promise.RERUN not in counts(check(history))
