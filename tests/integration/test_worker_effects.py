"""Effects of steps: once in the life of a job, whatever crashes; what is unknown is decided by people."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.types import RetryPolicy, interrupt
from mutirao.errors import LeaseLost
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.effects import EffectStore
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState
from mutirao.settings import ModelSettings, WorkerSettings
from mutirao_agents import NotDone, effect, job_context

from tests.attempts import Attempts, State, attempts

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def lab(database_url: str, tmp_path: Path) -> AsyncIterator[Attempts]:
    worker = WorkerSettings(max_effect_bytes=1_000)
    async with attempts(database_url, tmp_path, model=ModelSettings(model="none"), worker=worker) as found:
        yield found


class Outside:
    """The world that a step changes; counts how often, and by which effect ids."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.hang: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def change(self, effect_id: str) -> dict[str, Any]:
        """One change; while `hang` is set, it never comes back."""
        self.ids.append(effect_id)
        if self.hang is not None:
            self.reached.set()
            await self.hang.wait()
        return {"changes": len(self.ids)}


def step_with(outside: Outside, after: Callable[[Any], Any] | None = None, **options: Any) -> Any:
    """A step with one effect under the key `change`."""

    async def step(state: State) -> State:
        result = await job_context().effects.once("change", outside.change, **options)
        return {"x": after(result) if after else result}

    return step


async def unknown(lab: Attempts, outside: Outside, job: Job) -> None:
    """An attempt whose worker vanishes in the middle of the change."""
    outside.hang, outside.reached = asyncio.Event(), asyncio.Event()
    await lab.crash(job.id, outside.reached)
    outside.hang = None


async def asked(lab: Attempts, job: Job) -> dict[str, Any]:
    """The question that is open."""
    approvals = await ApprovalStore(lab.store.db).of_job(lab.store.project, job.id)
    [request] = [found.request for found in approvals if found.state == "pending"]
    assert isinstance(request, dict)
    return request


async def decide(lab: Attempts, job: Job, decision: Any) -> Job:
    """Answer the open question and run the job on."""
    approvals = ApprovalStore(lab.store.db)
    [pending] = [found for found in await approvals.of_job(lab.store.project, job.id) if found.state == "pending"]
    await approvals.decide(lab.store.project, pending.id, decision, comment=None, by="test")
    return await lab.run(job.id)


async def rows(lab: Attempts) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await lab.store.run("SELECT key, kind, state, epoch, step FROM effects")]


async def test_a_finished_effect_gives_its_result_again_and_is_not_repeated(lab: Attempts) -> None:
    outside, crash = Outside(), asyncio.Event()

    async def step(state: State) -> State:
        result = await job_context().effects.once("change", outside.change)
        if not crash.is_set():
            crash.set()
            await asyncio.Event().wait()
        return {"x": result}

    lab.steps(step)
    job = await lab.store.accept()
    await lab.crash(job.id, crash)
    assert (await lab.run(job.id)).output == {"x": {"changes": 1}}
    assert len(outside.ids) == 1
    assert await rows(lab) == [("change", "tool", "done", 1, "step")]


async def test_an_unknown_idempotent_effect_is_repeated_with_the_same_id(lab: Attempts) -> None:
    outside = Outside()
    lab.steps(step_with(outside, idempotent=True))
    job = await lab.store.accept()
    await unknown(lab, outside, job)
    assert (await lab.run(job.id)).output == {"x": {"changes": 2}}
    assert len(outside.ids) == 2
    assert len({uuid.UUID(id_) for id_ in outside.ids}) == 1
    assert await rows(lab) == [("change", "tool", "done", 2, "step")]


async def test_an_unknown_effect_is_decided_by_people_as_done(lab: Attempts) -> None:
    outside = Outside()
    lab.steps(step_with(outside))
    job = await lab.store.accept()
    await unknown(lab, outside, job)
    assert (await lab.run(job.id)).state is JobState.PAUSED
    request = await asked(lab, job)
    assert (request["effect"], "may have been done or not" in request["question"]) == ("change", True)
    done = await decide(lab, job, {"outcome": "done", "result": {"changes": "by hand"}})
    assert done.output == {"x": {"changes": "by hand"}}
    assert len(outside.ids) == 1


async def test_each_crash_needs_a_decision_of_its_own(lab: Attempts) -> None:
    outside = Outside()
    lab.steps(step_with(outside))
    job = await lab.store.accept()
    await unknown(lab, outside, job)
    await lab.run(job.id)
    outside.hang, outside.reached = asyncio.Event(), asyncio.Event()
    approvals = ApprovalStore(lab.store.db)
    [pending] = await approvals.of_job(lab.store.project, job.id)
    await approvals.decide(lab.store.project, pending.id, {"outcome": "retry"}, comment=None, by="test")
    await lab.crash(job.id, outside.reached)
    outside.hang = None
    assert (await lab.run(job.id)).state is JobState.PAUSED
    assert len(outside.ids) == 2
    assert (await decide(lab, job, {"outcome": "retry"})).output == {"x": {"changes": 3}}


async def test_a_decided_effect_leaves_the_other_questions_of_its_step_alone(lab: Attempts) -> None:
    outside, crash = Outside(), asyncio.Event()

    async def step(state: State) -> State:
        result = await job_context().effects.once("change", outside.change)
        answer = interrupt({"question": "what now?"})
        if not crash.is_set():
            crash.set()
            await asyncio.Event().wait()
        return {"x": [result, answer]}

    lab.steps(step)
    job = await lab.store.accept()
    await unknown(lab, outside, job)
    await lab.run(job.id)
    assert (await decide(lab, job, {"outcome": "done", "result": 1})).state is JobState.PAUSED
    assert (await asked(lab, job))["question"] == "what now?"
    approvals = ApprovalStore(lab.store.db)
    [pending] = [found for found in await approvals.of_job(lab.store.project, job.id) if found.state == "pending"]
    await approvals.decide(lab.store.project, pending.id, "home", comment=None, by="test")
    await lab.crash(job.id, crash)
    assert (await lab.run(job.id)).output == {"x": [1, "home"]}


@pytest.mark.parametrize(
    "decision",
    ["done", {"outcome": "maybe"}, {"outcome": "retry", "result": 1}, {"outcome": "done", "output": 1}, {"result": 1}],
)
async def test_a_decision_that_is_none_is_refused_and_asked_again(lab: Attempts, decision: Any) -> None:
    outside = Outside()
    lab.steps(step_with(outside))
    job = await lab.store.accept()
    await unknown(lab, outside, job)
    await lab.run(job.id)
    assert (await decide(lab, job, decision)).state is JobState.PAUSED
    assert (await asked(lab, job))["refused"].startswith("the decision ")
    assert (await decide(lab, job, {"outcome": "done"})).output == {"x": None}
    assert len(outside.ids) == 1


async def test_a_call_that_raises_is_unknown_unless_it_says_that_nothing_was_done(lab: Attempts) -> None:
    tries = list[Exception]([NotDone("not sent"), ConnectionError("was it sent?")])

    async def change() -> str:
        if tries:
            raise tries.pop(0)
        return "sent"

    async def step(state: State) -> State:
        return {"x": await job_context().effects.once("change", change)}

    lab.steps(step, retry=RetryPolicy(initial_interval=0.001, jitter=False, retry_on=(NotDone, ConnectionError)))
    job = await lab.store.accept()
    assert (await lab.run(job.id)).state is JobState.PAUSED
    assert tries == []
    assert (await decide(lab, job, {"outcome": "retry"})).output == {"x": "sent"}


async def failed(lab: Attempts, step: Any) -> tuple[str, str]:
    lab.steps(step)
    job = await lab.run((await lab.store.accept()).id)
    assert job.error is not None
    return job.error.code, job.error.message


async def test_another_request_under_the_same_key_is_refused(lab: Attempts) -> None:
    async def change() -> int:
        return 1

    async def step(state: State) -> State:
        effects = job_context().effects
        await effects.once("change", change, request={"a": 1, "b": 2})
        await effects.once("change", change, request={"b": 2, "a": 1})
        await effects.once("change", change, request={"a": 2})
        return {"x": 1}

    assert await failed(lab, step) == (
        "effect_mismatch",
        "effect 'change' was begun with another request; use a key for each request",
    )


async def test_a_result_that_cannot_be_kept_fails_the_step_and_the_effect_is_never_repeated(lab: Attempts) -> None:
    calls = list[Any]()

    def large(state: State) -> State:
        def change() -> Any:
            calls.append("x" * 1_000)
            return calls[-1]

        return {"x": job_context().effects.once_sync("large", change)}

    code, message = await failed(lab, large)
    assert (code, "1002 bytes is larger than MUTIRAO_MAX_EFFECT_BYTES=1000" in message) == ("effect_refused", True)
    [[job_id]] = await lab.store.run("SELECT id FROM jobs")
    await lab.store.jobs.retry(lab.store.project, job_id)
    again = await lab.run(job_id)
    assert again.error is not None
    assert (again.error.code, len(calls)) == ("effect_refused", 1)


async def test_tools_are_effects_each_call_one_whatever_crashes(lab: Attempts) -> None:
    sent, crash = list[tuple[str, str]](), asyncio.Event()

    @tool
    @effect(idempotent=True)
    async def send(text: str, effect_id: str = "") -> str:
        """Send a text."""
        sent.append((text, effect_id))
        return f"sent {text}"

    @tool
    @effect()
    def note(text: str) -> str:
        """Note a text."""
        sent.append((text, ""))
        return f"noted {text}"

    async def step(state: State) -> State:
        given = [await send.ainvoke({"text": text}) for text in ("a", "a", "b")]
        given.append(await note.ainvoke({"text": "c"}))
        if not crash.is_set():
            crash.set()
            await asyncio.Event().wait()
        return {"x": given}

    assert sorted(send.args) == ["text"]
    lab.steps(step)
    job = await lab.store.accept()
    await lab.crash(job.id, crash)
    assert (await lab.run(job.id)).output == {"x": ["sent a", "sent a", "sent b", "noted c"]}
    assert [text for text, _ in sent] == ["a", "a", "b", "c"]
    assert len({id_ for _, id_ in sent if id_}) == 3


async def test_an_attempt_that_lost_its_job_writes_no_effect(lab: Attempts) -> None:
    claim, ledger = await lab.store.claimed(), EffectStore(lab.store.db)
    await ledger.begin(claim, "a", step=None, idempotent=False)
    [[worker]] = await lab.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    await lab.store.lose(worker)
    newer = await lab.claim(claim.job_id)
    for write in (
        ledger.begin(claim, "b", step=None, idempotent=False),
        ledger.done(claim, "a", 1),
        ledger.again(claim, "a", None),
        ledger.take_back(claim, "a"),
    ):
        with pytest.raises(LeaseLost):
            await write
    await ledger.answered(claim, "model:a:0", 1, step=None, request_sha256="")
    assert await rows(lab) == [("a", "tool", "intent", 1, None)]
    found = await ledger.begin(newer, "a", step=None, idempotent=False)
    assert (found.fresh, found.done, found.epoch) == (False, False, 1)
    await ledger.done(newer, "a", {"value": 1})
    assert await rows(lab) == [("a", "tool", "done", 2, None)]


async def test_of_two_intents_at_once_one_is_fresh(lab: Attempts) -> None:
    claim, ledger = await lab.store.claimed(), EffectStore(lab.store.db)
    found = await asyncio.gather(*(ledger.begin(claim, "a", step=None, idempotent=False) for _ in range(8)))
    assert sorted(effect.fresh for effect in found) == [False] * 7 + [True]


async def test_what_is_written_twice_after_a_broken_connection_is_written_once(lab: Attempts) -> None:
    claim, ledger, me = await lab.store.claimed(), EffectStore(lab.store.db), uuid.uuid4()
    for _ in range(2):
        assert (await ledger.begin(claim, "a", step=None, idempotent=False, begun_by=me)).fresh
    for _ in range(2):
        await ledger.again(claim, "a", {"decisions": 1})
    assert not (await ledger.begin(claim, "a", step=None, idempotent=False, begun_by=me)).fresh
    for result in (1, 2):
        await ledger.done(claim, "a", {"value": result})
    found = await ledger.begin(claim, "a", step=None, idempotent=False, begun_by=me)
    assert (found.fresh, found.done, found.result) == (False, True, {"value": 1})


async def test_services_are_reached_from_synchronous_steps_and_not_waited_for_in_coroutines(lab: Attempts) -> None:
    def plain(state: State) -> State:
        job = job_context()
        return {"x": job.wait(job.files.put("a.txt", b"a", "text/plain")).size}

    async def coroutine(state: State) -> State:
        job = job_context()
        with pytest.raises(RuntimeError, match="await it instead"):
            job.wait(job.files.put("b.txt", b"b", "text/plain"))
        return {"x": state["x"] + 1}

    lab.steps(plain, coroutine)
    job = await lab.store.accept()
    assert (await lab.run(job.id)).output == {"x": 2}
    assert [artifact.name for artifact in await lab.store.jobs.artifacts(lab.store.project, job.id)] == ["a.txt"]
