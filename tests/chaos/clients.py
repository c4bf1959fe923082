"""What clients do: a long queue of two projects, many readers of which some stall, cancels at any moment, two decisions."""

import asyncio
import contextlib
import time
from uuid import UUID

import httpx
from mutirao.db import Database
from mutirao.projects import Projects, new_key_text

from tests.chaos.readers import follow, stalled
from tests.chaos.scenario import Scenario, Size
from tests.chaos.trial import Skipped, Trial

_STALLED_PART = 4  # one reader of so many reads nothing
_CANCEL_SECONDS = 1.0
_FAIR = (0.3, 0.7)  # of the starts while both projects wait: what either may have


def backlog(trial: Trial, size: Size) -> None:
    """A long queue of one project, then a shorter one of another; workers are killed while it runs empty.

    Fair: while both wait, neither starts much more than the other.
    """
    trial.start_worker("one")
    other = trial.new_client(asyncio.run(_key_of_another_project(trial.servers.database_url)))
    late = size.jobs // 5
    trial.stop_worker("one")  # it has published its workflows: jobs are accepted, and wait
    trial.client.submit_all(trial.mixed(size.jobs - late, 0))
    others = other.submit_all(trial.mixed(late, 0))
    trial.start_worker("one")
    trial.start_worker("two")
    for number in range(size.repetitions):
        share = 1 - (number + 1) / (size.repetitions + 1)
        trial.until(lambda share=share: _left(trial) <= size.jobs * share, "the queue gets shorter", 600)  # type: ignore[misc]
        with trial.recovery(trial.of_worker("one", 0)):
            trial.kill_worker("one")
            trial.start_worker("one")
    trial.settle()
    _judge_fairness(trial, others)


def _left(trial: Trial) -> int:
    trial.look_after()
    return int(trial.sql("SELECT count(*) FROM jobs WHERE finished_at IS NULL")[0][0])


def _judge_fairness(trial: Trial, others: list[UUID]) -> None:
    rows = trial.sql(
        "SELECT j.id = ANY(%s) FROM jobs j WHERE started_at <= (SELECT max(started_at) FROM jobs WHERE id = ANY(%s))",
        others,
        others,
    )
    theirs = sum(is_other for (is_other,) in rows) / max(1, len(rows))
    trial.notes.append(f"while both projects waited, the later one had {theirs:.0%} of the starts")
    trial.require(
        _FAIR[0] <= theirs <= _FAIR[1], f"fairness between projects: the later one had {theirs:.0%} of the starts"
    )


async def _key_of_another_project(database_url: str) -> str:
    db = Database(database_url)
    try:
        key = new_key_text()
        await Projects(db).add_key(await Projects(db).ensure("another"), key, "chaos")
        return key
    finally:
        await db.close()


def readers(trial: Trial, size: Size) -> None:
    """Many readers of event streams: most break off once and go on, some never read; the API serves everybody else."""
    trial.start_worker("one")
    jobs = [trial.client.submit(trial.wanted("chaos.talks", seconds=0)) for _ in range(5)]
    count = min(200, size.jobs)
    journals = asyncio.run(_read_all(trial, jobs, count))
    trial.settle()
    last = dict(trial.sql("SELECT id, last_seq FROM jobs"))
    wrong = [job for job, seqs in journals if seqs != list(range(1, last[job] + 1))]
    trial.require(
        not wrong, f"{len(wrong)} of {len(journals)} readers lost an event or saw one twice, of job {wrong[:1]}"
    )
    trial.notes.append(f"{len(journals)} readers, {count // _STALLED_PART} stalled beside them")


async def _read_all(trial: Trial, jobs: list[UUID], count: int) -> list[tuple[UUID, list[int]]]:
    key, url = trial.servers.key, trial.servers.url
    async with contextlib.AsyncExitStack() as stack:
        for number in range(count // _STALLED_PART):
            await stack.enter_async_context(stalled(url, key, jobs[number % len(jobs)]))
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"{url}/api/v1",
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
                trust_env=False,
                limits=httpx.Limits(max_connections=None),
            )
        )
        reading = [
            asyncio.create_task(follow(client, jobs[number % len(jobs)], trial.random.randint(2, 8)))
            for number in range(count - count // _STALLED_PART)
        ]
        await asyncio.to_thread(trial.canary, time.monotonic())
        seqs = await asyncio.gather(*reading)
    return [(jobs[number % len(jobs)], seen) for number, seen in enumerate(seqs)]


def cancels(trial: Trial, size: Size) -> None:
    """Every job is cancelled at a random moment of its life, by several clients at once."""
    trial.start_worker("one")
    jobs = [
        trial.wanted("chaos.effect", seconds=0.2, ends=frozenset({"succeeded", "cancelled"})) for _ in range(size.jobs)
    ]
    moments = iter([trial.random.uniform(0, 0.8) for _ in jobs])

    def submit_and_cancel(wanted: tuple[object, float]) -> bool:
        job = trial.client.submit(wanted[0])  # type: ignore[arg-type]
        time.sleep(wanted[1])  # the moment is what varies
        return trial.client.cancel(job)

    acknowledged = sum(trial.client.each(submit_and_cancel, zip(jobs, moments, strict=True)))
    trial.settle()
    taken = trial.sql(
        "SELECT extract(epoch FROM finished_at - cancel_requested_at)::float FROM jobs WHERE state = 'cancelled'"
    )
    trial.recoveries.extend(seconds for (seconds,) in taken)
    trial.notes.append(f"{acknowledged} of {size.jobs} cancels came in time")
    slow = sum(seconds > _CANCEL_SECONDS for (seconds,) in taken)
    trial.require(slow == 0, f"{slow} of {len(taken)} cancels took longer than {_CANCEL_SECONDS:g} s")


def decisions(trial: Trial, size: Size) -> None:
    """Two people decide the same approval at once, and a third decides it later: one decision counts."""
    _need_approvals(trial)
    trial.start_worker("one")
    jobs = trial.client.submit_all(trial.wanted("chaos.asks") for _ in range(size.jobs))
    trial.until(
        lambda: trial.sql("SELECT count(*) FROM approvals WHERE state = 'pending'") == [(len(jobs),)], "all ask"
    )
    pending = [str(row[0]) for row in trial.sql("SELECT id FROM approvals")]

    def decide(choice: tuple[str, str]) -> tuple[str, str, int]:
        approval, decision = choice
        answer = trial.client.post(f"/approvals/{approval}", json={"decision": decision}, also=(409,))
        return approval, decision, answer.status_code

    answers = trial.client.each(decide, [(approval, said) for approval in pending for said in ("yes", "no")])
    trial.settle()
    answers += trial.client.each(decide, [(approval, "late") for approval in pending])
    won = {approval: decision for approval, decision, code in answers if code < 300}
    count = sum(code < 300 for _, _, code in answers)
    trial.require(count == len(pending) == len(won), f"{count} decisions won for {len(pending)} approvals")
    for approval, answer in trial.sql(
        "SELECT a.id, j.output->'answer' FROM approvals a JOIN jobs j ON j.id = a.job_id"
    ):
        trial.require(
            answer == won.get(str(approval)),
            f"approval {approval}: {won.get(str(approval))!r} won, {answer!r} was given",
        )


def _need_approvals(trial: Trial) -> None:
    described = httpx.get(f"{trial.servers.url}/openapi.json", trust_env=False)
    if not described.is_success:
        described = httpx.get(f"{trial.servers.url}/api/v1/openapi.json", trust_env=False)
    paths = described.json()["paths"]
    if not any(path.endswith("/approvals/{approval_id}") and "post" in paths[path] for path in paths):
        raise Skipped("the API has no POST /approvals/{approval_id}")


SCENARIOS = [
    Scenario(name="a long queue of two projects", run=backlog, jobs=10_000, repetitions=4, backlog=True),
    Scenario(name="200 readers, 50 stalled", run=readers, jobs=200, repetitions=1),
    Scenario(name="cancels at random moments", run=cancels, jobs=100, repetitions=1, quick=True),
    Scenario(name="a decision sent twice", run=decisions, jobs=20, repetitions=1),
]
