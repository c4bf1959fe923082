"""Jobs that begin at a chosen checkpoint: a retry from one, and a fork of another job's thread with its state edited."""

import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from mutirao.ids import new_id
from mutirao.jobs.attempts import AttemptStore
from mutirao.jobs.records import Claim, Job
from mutirao.jobs.states import JobState
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]
    word: str


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


class Steps:
    """Three steps that write down that they ran; the last says the word, unless it shall fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fail = False

    async def first(self, state: State) -> Any:
        self.ran.append("first")
        return {"said": ["first"], "word": "original"}

    async def second(self, state: State) -> Any:
        self.ran.append("second")
        return {"said": ["second"]}

    async def third(self, state: State) -> Any:
        self.ran.append("third")
        if self.fail:
            raise ValueError("no")
        return {"said": [state["word"]]}

    def graph(self) -> StateGraph[Any]:
        return chain(State, first=self.first, second=self.second, third=self.third)


async def checkpoints(world: Runs, job: Job) -> list[str]:
    """Ids of the thread's checkpoints, oldest first: the input, then one after each step (START's first)."""
    rows = await world.store.run(
        "SELECT checkpoint_id FROM checkpoints WHERE thread_id = :id AND checkpoint_ns = '' ORDER BY checkpoint_id",
        id=str(job.thread_id),
    )
    return [row.checkpoint_id for row in rows]


async def forked(world: Runs, **start: Any) -> Claim:
    """The claim of a new job with that start."""
    return await world.store.claimed(start=start, input={"said": ["ignored"]})


async def test_a_failed_job_is_retried_from_a_chosen_checkpoint(world: Runs) -> None:
    steps = Steps()
    steps.fail = True
    job = await world.run(steps.graph)
    assert job.state is JobState.FAILED
    _, _, after_first, _ = await checkpoints(world, job)
    await world.store.jobs.retry(world.store.project, job.id, checkpoint_id=after_first)
    steps.fail, steps.ran = False, []
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["second", "third"])
    assert job.output == {"said": ["first", "second", "original"], "word": "original"}
    [row] = await world.store.run("SELECT start FROM jobs WHERE id = :id", id=job.id)
    assert row.start is None


async def test_a_failed_job_is_retried_from_its_last_checkpoint(world: Runs) -> None:
    steps = Steps()
    steps.fail = True
    job = await world.run(steps.graph)
    await world.store.jobs.retry(world.store.project, job.id)
    steps.fail, steps.ran = False, []
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["third"])


async def test_a_retry_goes_on_from_its_own_checkpoint_when_a_later_job_has_run_in_its_thread(world: Runs) -> None:
    steps = Steps()
    steps.fail = True
    job = await world.run(steps.graph)
    steps.fail = False
    later = await world.run(steps.graph, await world.store.claimed(thread_id=job.thread_id))
    assert later.state is JobState.SUCCEEDED
    await world.store.jobs.retry(world.store.project, job.id)
    steps.ran = []
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["third"])
    assert job.output == {"said": ["first", "second", "original"], "word": "original"}


async def test_a_fork_begins_at_its_own_last_checkpoint_when_a_later_job_has_run_in_its_thread(world: Runs) -> None:
    steps = Steps()
    steps.fail = True
    job = await world.run(steps.graph)
    steps.fail = False
    await world.run(steps.graph, await world.store.claimed(thread_id=job.thread_id))
    fork = await world.store.jobs.fork(world.store.project, job.id)
    steps.ran = []
    fork = await world.run(steps.graph, await world.again(fork.id))
    assert (fork.state, steps.ran) == (JobState.SUCCEEDED, ["third"])
    assert fork.output == {"said": ["first", "second", "original"], "word": "original"}


async def test_a_fork_goes_on_with_edited_state_and_leaves_the_other_thread_alone(world: Runs) -> None:
    steps = Steps()
    job = await world.run(steps.graph)
    before = await checkpoints(world, job)
    steps.ran = []
    claim = await forked(
        world, thread_id=str(job.thread_id), checkpoint_id=before[3], values={"word": "edited"}, as_node="second"
    )
    fork = await world.run(steps.graph, claim)
    assert (fork.state, steps.ran) == (JobState.SUCCEEDED, ["third"])
    assert fork.output == {"said": ["first", "second", "edited"], "word": "edited"}
    assert fork.thread_id != job.thread_id
    assert await checkpoints(world, job) == before
    assert before[4] not in await checkpoints(world, fork)


async def test_a_fork_of_the_store_begins_where_it_says(world: Runs) -> None:
    steps = Steps()
    job = await world.run(steps.graph)
    _, _, after_first, _, _ = await checkpoints(world, job)
    fork = await world.store.jobs.fork(
        world.store.project, job.id, checkpoint_id=after_first, values={"word": "edited"}, as_node=None
    )
    steps.ran = []
    fork = await world.run(steps.graph, await world.again(fork.id))
    assert (fork.state, steps.ran) == (JobState.SUCCEEDED, ["second", "third"])
    assert fork.output == {"said": ["first", "second", "edited"], "word": "edited"}


async def test_values_may_come_from_a_step_that_has_not_run(world: Runs) -> None:
    """As if `second` had ended with these values, in place of running it."""
    steps = Steps()
    job = await world.run(steps.graph)
    after_first = (await checkpoints(world, job))[2]
    steps.ran = []
    claim = await forked(
        world, thread_id=str(job.thread_id), checkpoint_id=after_first, values={"said": ["mine"]}, as_node="second"
    )
    fork = await world.run(steps.graph, claim)
    assert (fork.output, steps.ran) == ({"said": ["first", "mine", "original"], "word": "original"}, ["third"])


async def test_an_edit_reopens_a_graph_that_has_ended(world: Runs) -> None:
    steps = Steps()
    job = await world.run(steps.graph)
    steps.ran = []
    fork = await world.run(
        steps.graph, await forked(world, thread_id=str(job.thread_id), values={"word": "again"}, as_node="second")
    )
    assert fork.output is not None
    assert (fork.output["said"][-1], steps.ran) == ("again", ["third"])


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ({}, "the graph had already ended at the last checkpoint"),
        ({"checkpoint_id": "nowhere"}, "checkpoint 'nowhere' does not exist"),
        ({"values": {"word": "x"}, "as_node": "nobody"}, "'nobody'|Node nobody does not exist"),
        ({"values": {"word": "x"}, "as_node": "third"}, "already ended"),
    ],
)
async def test_a_start_that_leads_nowhere_says_so(world: Runs, start: dict[str, Any], says: str) -> None:
    steps = Steps()
    job = await world.run(steps.graph)
    steps.ran = []
    claim = await world.store.claimed(
        start={"thread_id": str(job.thread_id), **start}, retry={"failures": 3, "backoff_seconds": 0}
    )
    fork = await world.run(steps.graph, claim)
    assert (fork.state, fork.error and fork.error.code, steps.ran) == (JobState.FAILED, "start_invalid", [])
    assert fork.error is not None
    assert any(part in fork.error.message for part in says.split("|"))


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_start_is_made_again_after_a_crash_in_the_middle_of_it(
    world: Runs, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    job = await world.run(steps.graph)
    begun = AttemptStore.begun

    async def dies(self: AttemptStore, claim: Claim) -> None:
        if when == "after":
            await begun(self, claim)
        raise KeyboardInterrupt

    claim = await forked(world, thread_id=str(job.thread_id), checkpoint_id=(await checkpoints(world, job))[3])
    steps.ran = []
    with monkeypatch.context() as patch:
        patch.setattr(AttemptStore, "begun", dies)
        attempt = _attempt(claim)
        with pytest.raises(KeyboardInterrupt):
            await world.runner(steps.graph).run(attempt)
    [row] = await world.store.run("SELECT worker_id, start FROM jobs WHERE id = :id", id=claim.job_id)
    assert (row.start is None) == (when == "after")
    await world.store.lose(row.worker_id)
    fork = await world.run(steps.graph, await world.again(claim.job_id))
    assert (fork.state, steps.ran) == (JobState.SUCCEEDED, ["third"])
    assert fork.output == {"said": ["first", "second", "original"], "word": "original"}


def _attempt(claim: Claim) -> Any:
    from mutirao_workers.runner import Attempt

    return Attempt(claim)


async def test_a_fork_keeps_every_step_that_would_have_run_next(world: Runs) -> None:
    ran: list[str] = []

    def step(name: str) -> Any:
        async def run(state: State) -> Any:
            ran.append(name)
            return {"said": [name]}

        return run

    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        for name in ("begin", "left", "right", "end"):
            graph.add_node(name, step(name))
        graph.add_edge(START, "begin")
        graph.add_edge("begin", "left")
        graph.add_edge("begin", "right")
        graph.add_edge(["left", "right"], "end")
        graph.add_edge("end", END)
        return graph

    job = await world.run(build)
    ran.clear()
    after_begin = (await checkpoints(world, job))[2]
    fork = await world.run(build, await forked(world, thread_id=str(job.thread_id), checkpoint_id=after_begin))
    assert fork.state is JobState.SUCCEEDED
    assert (sorted(ran[:2]), ran[2:]) == (["left", "right"], ["end"])


async def test_decisions_of_the_place_that_is_left_are_not_given_to_the_new_one(world: Runs) -> None:
    async def first(state: State) -> Any:
        return {"said": ["first"]}

    async def ask(state: State) -> Any:
        return {"said": [interrupt("go?")]}

    def build() -> StateGraph[Any]:
        return chain(State, first=first, ask=ask)

    job = await world.run(build)
    [approval] = await world.asked(job.id)
    await world.approvals.decide(world.store.project, approval.id, "old")
    at_input = (await checkpoints(world, job))[1]
    await world.store.run(
        "UPDATE jobs SET start = :start WHERE id = :id", id=job.id, start=f'{{"checkpoint_id": "{at_input}"}}'
    )
    job = await world.run(build, await world.again(job.id))
    assert job.state is JobState.PAUSED
    old, new = await world.asked(job.id)
    assert (old.state, new.state) == ("withdrawn", "pending")
    job = await world.run(build, await world.decide(job.id, "new"))
    assert job.output == {"said": ["first", "new"]}


async def test_an_unknown_thread_is_said_to_be_empty(world: Runs) -> None:
    steps = Steps()
    fork = await world.run(steps.graph, await forked(world, thread_id=str(new_id())))
    assert (fork.state, fork.error and fork.error.code) == (JobState.FAILED, "start_invalid")
