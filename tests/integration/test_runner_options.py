"""What a job brings for LangGraph beside its input: commands, config, context, a checkpoint, stops, durability."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.func import task as durable_task
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState
from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs, until
from tests.streams import Said, ask, bye, hello, rows, run_of, thread_row

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture(scope="module")
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


def talk() -> StateGraph[Any]:
    return chain(Said, hello=hello, ask=ask, bye=bye)


async def test_a_later_job_of_the_thread_brings_the_answer(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    assert (await world.run(talk, claim)).state is JobState.PAUSED
    answered = await run_of(world, claim.thread_id, command={"resume": "me"}, input=None)
    job = await world.run(talk, answered)
    assert job.output == {"said": ["in", "hello", "me", "bye"], "word": "done"}


async def test_an_answer_to_nobody_changes_nothing(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(lambda: chain(Said, hello=hello, bye=bye), claim)
    again = await run_of(world, claim.thread_id, command={"resume": "me"}, input=None)
    job = await world.run(lambda: chain(Said, hello=hello, bye=bye), again)
    assert job.state is JobState.SUCCEEDED
    assert job.output == {"said": ["in", "hello", "bye"], "word": "done"}


async def test_an_empty_command_goes_on_and_an_empty_answer_is_one(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(talk, claim)
    again = await world.run(talk, await run_of(world, claim.thread_id, command={}, input=None))
    assert again.state is JobState.PAUSED
    job = await world.run(talk, await run_of(world, claim.thread_id, command={"resume": {}}, input=None))
    assert job.output["said"] == ["in", "hello", {}, "bye"]


def two_at_once() -> StateGraph[Any]:
    graph = StateGraph(Said)
    for name in ("left", "right"):
        graph.add_node(name, ask)
        graph.add_edge(START, name)
    return graph


async def test_several_questions_are_answered_by_their_ids(world: Runs) -> None:
    claim = await run_of(world, input={"said": []})
    await world.run(two_at_once, claim)
    resume = {each["id"]: number for number, each in enumerate(await questions(world, claim))}
    job = await world.run(two_at_once, await run_of(world, claim.thread_id, command={"resume": resume}, input=None))
    assert sorted(job.output["said"]) == [0, 1]


async def test_one_answer_to_several_questions_is_refused_as_langgraph_does(world: Runs) -> None:
    claim = await run_of(world, input={"said": []})
    await world.run(two_at_once, claim)
    job = await world.run(two_at_once, await run_of(world, claim.thread_id, command={"resume": 1}, input=None))
    assert job.error is not None
    assert (job.state, job.error.kind) == (JobState.FAILED, "RuntimeError")


async def test_a_command_updates_the_state_and_goes_elsewhere(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(talk, claim)
    command = {"update": {"said": ["more"]}, "goto": [{"node": "bye", "input": {}}]}
    await world.run(talk, await run_of(world, claim.thread_id, command=command, input=None))
    row = await thread_row(world, claim.thread_id)
    # The step that has ended beside the one that asks counts once both have.
    assert (row.values["said"], row.next) == (["in", "hello", "more"], ["ask"])
    job = await world.run(talk, await run_of(world, claim.thread_id, command={"resume": "me"}, input=None))
    assert job.output["said"] == ["in", "hello", "more", "me", "bye", "bye"]


async def test_a_name_to_go_to_and_pairs_to_update_with(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(lambda: chain(Said, hello=hello, bye=bye), claim)
    command = {"update": [["said", ["x"]]], "goto": "bye"}
    again = await run_of(world, claim.thread_id, command=command, input=None)
    job = await world.run(lambda: chain(Said, hello=hello, bye=bye), again)
    assert job.output["said"] == ["in", "hello", "bye", "x", "bye"]


async def test_a_command_is_taken_in_once_whenever_its_worker_dies(world: Runs) -> None:
    ran: list[str] = []
    held = asyncio.Event()

    async def slow(state: Said) -> Any:
        answer = interrupt("slow?")
        ran.append("slow")
        await held.wait()
        return {"said": [answer]}

    async def twice(state: Said) -> Any:
        return {"said": [interrupt("first?"), interrupt("second?")]}

    def graph() -> StateGraph[Any]:
        made = StateGraph(Said)
        for name, step in (("slow", slow), ("twice", twice)):
            made.add_node(name, step)
            made.add_edge(START, name)
        return made

    claim = await run_of(world, input={"said": []})
    await world.run(graph, claim)
    ids = {each["value"]: each["id"] for each in await questions(world, claim)}
    command = {"resume": {ids["slow?"]: "go", ids["first?"]: "one"}, "update": {"said": ["updated"]}}
    answered = await run_of(world, claim.thread_id, command=command, input=None)
    attempt = world.begin(graph, answered)
    await until(lambda: bool(ran))
    await taken(world, claim)
    again = await world.kill(attempt)
    held.set()
    assert (await world.run(graph, again)).state is JobState.PAUSED
    assert ran == ["slow", "slow"]
    assert [each["value"] for each in await questions(world, claim)] == ["second?"]
    last = await run_of(world, claim.thread_id, command={"resume": "two"}, input=None)
    assert (await world.run(graph, last)).output["said"] == ["updated", "go", "one", "two"]


async def questions(world: Runs, claim: Claim) -> list[Any]:
    """What the thread asks."""
    return [each for asked in (await thread_row(world, claim.thread_id)).interrupts.values() for each in asked]


async def taken(world: Runs, claim: Claim) -> None:
    """Wait until a step's answer is stored."""
    found = "SELECT 1 FROM checkpoint_writes WHERE thread_id = :id AND channel = '__resume__'"
    async with asyncio.timeout(20):
        while not await world.store.run(found, id=str(claim.thread_id)):
            await asyncio.sleep(0.01)


async def test_a_plain_answer_is_given_again_until_it_is_taken_in(world: Runs) -> None:
    ran: list[str] = []
    held = asyncio.Event()

    async def slow(state: Said) -> Any:
        answer = interrupt("slow?")
        ran.append("slow")
        await held.wait()
        return {"said": [answer]}

    claim = await run_of(world, input={"said": []})
    await world.run(lambda: chain(Said, slow=slow), claim)
    answered = await run_of(world, claim.thread_id, command={"resume": "go", "update": {"said": ["up"]}}, input=None)
    attempt = world.begin(lambda: chain(Said, slow=slow), answered)
    await until(lambda: bool(ran))
    again = await world.kill(attempt)
    held.set()
    job = await world.run(lambda: chain(Said, slow=slow), again)
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": ["up", "go"]})


async def test_a_job_answered_by_command_asks_again_and_is_decided_on(world: Runs) -> None:
    async def twice(state: Said) -> Any:
        return {"said": [interrupt("first?"), interrupt("second?")]}

    claim = await run_of(world, input={"said": []})
    await world.run(lambda: chain(Said, twice=twice), claim)
    answered = await run_of(world, claim.thread_id, command={"resume": "one"}, input=None)
    assert (await world.run(lambda: chain(Said, twice=twice), answered)).state is JobState.PAUSED
    job = await world.run(lambda: chain(Said, twice=twice), await world.decide(answered.job_id, "two"))
    assert job.output["said"] == ["one", "two"]


async def test_the_config_reaches_the_steps_but_names_no_other_thread(world: Runs) -> None:
    seen: dict[str, Any] = {}

    async def look(state: Said, config: RunnableConfig) -> Any:
        seen.update(config)
        return {}

    mine = {"thread_id": "another", "checkpoint_id": "x", "__pregel_checkpointer": 1, "shade": "blue"}
    config = {"tags": ["tagged"], "recursion_limit": 7, "configurable": mine, "metadata": {"who": "me"}}
    claim = await run_of(world, config=config, input={"said": []}, metadata={"of": "run"})
    assert (await world.run(lambda: chain(Said, look=look), claim)).state is JobState.SUCCEEDED
    assert seen["configurable"]["thread_id"] == str(claim.thread_id)
    assert seen["configurable"]["shade"] == "blue"
    assert "tagged" in seen["tags"]
    assert seen["recursion_limit"] == 7
    told = seen["metadata"]
    assert (told["who"], told["of"], told["run_id"], told["graph_id"]) == ("me", "run", str(claim.job_id), "flow")


@dataclasses.dataclass
class AsData:
    name: str = "nobody"


class AsModel(BaseModel):
    name: str = "nobody"


class AsDict(TypedDict, total=False):
    name: str


@pytest.mark.parametrize("schema", [AsData, AsModel, AsDict])
async def test_the_context_takes_the_shape_that_the_graph_gives_it(world: Runs, schema: Any) -> None:
    async def look(state: Said, runtime: Runtime[Any]) -> Any:
        context = runtime.context
        return {"word": context["name"] if isinstance(context, dict) else context.name}

    def graph() -> StateGraph[Any]:
        made = StateGraph(Said, context_schema=schema)
        made.add_node("look", look)
        made.add_edge(START, "look")
        return made

    job = await world.run(graph, await run_of(world, context={"name": "bob"}, input={"said": []}))
    assert job.output["word"] == "bob"
    configurable = {"configurable": {"name": "configured", "other": 1}}
    job = await world.run(graph, await run_of(world, config=configurable, input={"said": []}))
    assert job.output["word"] == "configured"


async def test_defaults_of_a_context_hold_where_nothing_is_given(world: Runs) -> None:
    async def look(state: Said, runtime: Runtime[AsData]) -> Any:
        return {"word": runtime.context.name}

    def graph() -> StateGraph[Any]:
        made = StateGraph(Said, context_schema=AsData)
        made.add_node("look", look)
        made.add_edge(START, "look")
        return made

    assert (await world.run(graph, await run_of(world, input={"said": []}))).output["word"] == "nobody"


async def test_a_job_begins_at_a_checkpoint_of_its_thread(world: Runs) -> None:
    def graph() -> StateGraph[Any]:
        return chain(Said, hello=hello, bye=bye)

    claim = await run_of(world, input={"said": ["in"]})
    await world.run(graph, claim)
    found = await world.store.run(
        "SELECT checkpoint_id FROM checkpoints WHERE thread_id = :id ORDER BY checkpoint_id", id=str(claim.thread_id)
    )
    after_input = {"checkpoint_id": found[1].checkpoint_id, "checkpoint_ns": ""}
    job = await world.run(graph, await run_of(world, claim.thread_id, checkpoint=after_input, input={"said": ["new"]}))
    assert job.output["said"] == ["in", "new", "hello", "bye"]
    before_last = {"checkpoint_id": found[2].checkpoint_id}
    job = await world.run(graph, await run_of(world, claim.thread_id, checkpoint=before_last, input=None))
    assert job.output["said"] == ["in", "hello", "bye"]


async def test_a_run_stops_where_it_is_told_and_goes_on_without_input(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]}, interrupt_before=["bye"])
    job = await world.run(lambda: chain(Said, hello=hello, bye=bye), claim)
    assert (job.state, job.waiting_for) == (JobState.PAUSED, "approval")
    row = await thread_row(world, claim.thread_id)
    assert (row.next, row.interrupts, row.values) == (["bye"], {}, {"said": ["in", "hello"]})
    again = await run_of(world, claim.thread_id, input=None, interrupt_after="*")
    job = await world.run(lambda: chain(Said, hello=hello, bye=bye), again)
    assert job.output["said"] == ["in", "hello", "bye"]


@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_checkpoints_are_written_when_the_run_says(world: Runs, durability: str) -> None:
    claim = await run_of(world, input={"said": ["in"]}, durability=durability)
    job = await world.run(lambda: chain(Said, hello=hello, bye=bye), claim)
    assert job.state is JobState.SUCCEEDED
    [row] = await world.store.run(
        "SELECT count(*) AS n FROM checkpoints WHERE thread_id = :id", id=str(claim.thread_id)
    )
    assert row.n == (1 if durability == "exit" else 4)


async def test_nothing_to_go_on_from_is_a_failure_with_its_name(world: Runs) -> None:
    claim = await run_of(world, input=None)
    job = await world.run(talk, claim)
    assert job.error is not None
    assert (job.state, job.error.kind) == (JobState.FAILED, "EmptyInputError")
    assert (await thread_row(world, claim.thread_id)).error["error"] == "EmptyInputError"


async def test_an_entrypoint_runs_asks_and_returns(world: Runs) -> None:
    @durable_task
    async def double(number: int) -> int:
        return number * 2

    @entrypoint()
    async def flow(given: dict[str, Any]) -> dict[str, Any]:
        doubled = await double(given["n"])
        return {"doubled": doubled, "answer": interrupt("sure?")}

    def graph() -> Any:
        return flow

    claim = await run_of(world, None, "values", input={"n": 3})
    assert (await world.run(graph, claim)).state is JobState.PAUSED
    [(_, asked)] = await rows(world, claim)
    assert [each["value"] for each in asked["__interrupt__"]] == ["sure?"]
    job = await world.run(graph, await run_of(world, claim.thread_id, command={"resume": "yes"}, input=None))
    assert job.output == {"doubled": 6, "answer": "yes"}
    assert (await thread_row(world, claim.thread_id)).values == job.output


async def test_a_graph_with_a_checkpointer_of_its_own_runs_on_the_projects(world: Runs) -> None:
    saver = InMemorySaver()

    def graph() -> Any:
        return talk().compile(checkpointer=saver, interrupt_before=["bye"])

    claim = await run_of(world, input={"said": ["in"]})
    assert (await world.run(graph, claim)).state is JobState.PAUSED
    assert not saver.storage
    job = await world.run(graph, await run_of(world, claim.thread_id, command={"resume": "me"}, input=None))
    assert (job.state, (await thread_row(world, claim.thread_id)).next) == (JobState.PAUSED, ["bye"])
