"""Fan-out and effects as tests of users see them: `test_context` instead of a worker."""

import asyncio
import inspect
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from mutirao.errors import InvalidInput, NotFound
from mutirao.jobs.states import JobState
from mutirao_agents import effect, fan_out, fan_out_sync, job_context, use_context
from mutirao_agents.context import wait_apart
from mutirao_agents.effects import EffectMismatch, EffectRefused, EffectUnknown
from mutirao_agents.steps import StepCalls, place, step_name
from mutirao_agents.testing import InMemoryChildren, InMemoryEffects
from mutirao_agents.testing import test_context as job_context_of
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    x: Any


def graph_of(step: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_edge("step", END)
    return graph.compile(checkpointer=InMemorySaver())


def double(value: dict[str, Any]) -> dict[str, Any]:
    if value["n"] == 2:
        raise ValueError("not two")
    return {"n": value["n"] * 2}


async def double_later(value: dict[str, Any]) -> dict[str, Any]:
    return double(value)


@pytest.mark.parametrize("child", [double, double_later])
def test_children_of_a_test_are_functions(child: Any) -> None:
    children = InMemoryChildren({"double": child})
    with use_context(job_context_of(children=children)):
        results = asyncio.run(fan_out("double", [{"n": 1}, {"n": 2}, {"n": 3}]))
    assert [(result.ordinal, result.ok, result.output) for result in results] == [
        (0, True, {"n": 2}),
        (1, False, None),
        (2, True, {"n": 6}),
    ]
    assert results[1].error == {"code": "step_failed", "message": "not two", "kind": "ValueError"}
    assert len(children.started) == 3


def test_fail_fast_of_a_test_cancels_what_comes_after() -> None:
    with use_context(job_context_of(children={"double": double})):
        results = fan_out_sync("double", [{"n": 1}, {"n": 2}, {"n": 3}], fail_fast=True)
    assert [result.state for result in results] == [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]


def test_a_test_without_that_child_is_told_how_to_give_it() -> None:
    with use_context(job_context_of()), pytest.raises(NotFound, match=r"test_context\(children="):
        asyncio.run(fan_out("double", [{"n": 1}]))


def test_each_fan_out_of_a_step_has_children_of_its_own() -> None:
    children = InMemoryChildren({"double": double})

    async def step(state: State) -> State:
        first = await fan_out("double", [{"n": 3}])
        second = await fan_out("double", [first[0].output])
        return {"x": second[0].output}

    with use_context(job_context_of(children=children)):
        result = asyncio.run(graph_of(step).ainvoke({}, {"configurable": {"thread_id": "1"}}))
    assert result == {"x": {"n": 12}}
    assert [value for _, value in children.started] == [{"n": 3}, {"n": 6}]


async def call() -> list[Any]:
    return [(1, 2), {3: None}]


def test_an_effect_gives_json_the_first_time_as_every_other() -> None:
    ledger = InMemoryEffects()
    for _ in range(2):
        with use_context(job_context_of(effects=ledger)):
            assert asyncio.run(job_context().effects.once("a", call)) == [[1, 2], {"3": None}]


def test_an_unknown_effect_of_a_test_asks_and_takes_the_decision() -> None:
    ledger = InMemoryEffects()
    ledger.unknown("a", request={"b": 1})

    async def step(state: State) -> State:
        return {"x": await job_context().effects.once("a", call, request={"b": 1})}

    graph, config = graph_of(step), {"configurable": {"thread_id": "1"}}
    with use_context(job_context_of(effects=ledger)):
        [question] = asyncio.run(graph.ainvoke({}, config))["__interrupt__"]
        assert question.value["effect"] == "a"
        [again] = asyncio.run(graph.ainvoke(Command(resume="done"), config))["__interrupt__"]
        assert "neither" in again.value["refused"]
        done = asyncio.run(graph.ainvoke(Command(resume={"outcome": "done", "result": 7}), config))
    assert done == {"x": 7}
    assert ledger.rows["a"].result == {"value": 7, "decisions": 2}


def test_nobody_who_decides_ends_the_step() -> None:
    ledger = InMemoryEffects()
    ledger.unknown("a")

    async def step(state: State) -> State:
        return {"x": await job_context().effects.once("a", call)}

    graph, config = graph_of(step), {"configurable": {"thread_id": "1"}}
    with use_context(job_context_of(effects=ledger)):
        [question] = asyncio.run(graph.ainvoke({}, config))["__interrupt__"]
        with pytest.raises(EffectUnknown, match="nobody has decided"):
            asyncio.run(graph.ainvoke(Command(resume={question.id: None}), config))


@pytest.mark.parametrize("result", [object(), "\x00", 1 << 70, "\ud800"])
def test_what_the_ledger_cannot_give_back_is_refused_after_it_is_recorded(result: Any) -> None:
    ledger = InMemoryEffects()
    with use_context(job_context_of(effects=ledger)):
        for _ in range(2):
            with pytest.raises(EffectRefused, match="was done, but its result"):
                job_context().effects.once_sync("a", lambda: result)
    assert ledger.rows["a"].done


@pytest.mark.parametrize("key", ["", "k" * 501])
def test_a_key_has_a_length(key: str) -> None:
    with use_context(job_context_of()), pytest.raises(InvalidInput, match="1 to 500"):
        job_context().effects.once_sync(key, dict)


def test_two_effects_of_one_key_at_once_are_refused() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.01)

    async def both() -> list[Any]:
        effects = job_context().effects
        return await asyncio.gather(effects.once("a", slow), effects.once("a", slow), return_exceptions=True)

    with use_context(job_context_of()):
        first, second = asyncio.run(both())
    assert first is None
    assert isinstance(second, EffectMismatch)


def test_the_decorator_hides_the_effect_id_and_keys_by_what_it_is_told() -> None:
    sent = list[Any]()

    @effect(key=lambda to, text="": f"mail {to}")
    def mail(to: str, text: str = "", *, effect_id: str) -> int:
        """Send mail."""
        sent.append((to, text, effect_id))
        return len(sent)

    assert str(inspect.signature(mail)) == "(to: str, text: str = '') -> int"
    assert (mail.__name__, mail.__doc__) == ("mail", "Send mail.")
    with use_context(job_context_of()):
        assert [mail("a"), mail("a"), mail(to="b")] == [1, 1, 2]  # type: ignore[call-arg]
        with pytest.raises(EffectMismatch):
            mail("a", "other")  # type: ignore[call-arg]
    assert [to for to, _, _ in sent] == ["a", "b"]
    assert len({id_ for _, _, id_ in sent}) == 2


def test_arguments_that_name_no_effect_are_refused() -> None:
    @effect()
    def act(on: object) -> None: ...

    with use_context(job_context_of()), pytest.raises(InvalidInput, match="the request is no JSON"):
        act(object())


def test_calls_are_numbered_anew_in_each_run_of_a_step() -> None:
    calls, seen = StepCalls(), list[Any]()

    async def step(state: State) -> State:
        seen.append([calls.next("a")[1], calls.next("a")[1], calls.next("b")[1], place().partition(":")[0]])
        return {"x": 1}

    graph = graph_of(step)
    for thread in ("1", "2"):
        asyncio.run(graph.ainvoke({}, {"configurable": {"thread_id": thread}}))
    assert seen == [[0, 1, 0, "step"]] * 2
    assert [calls.next("a"), calls.next("a"), place()] == [("", 0), ("", 1), ""]
    assert (step_name("outer:1|inner:2"), step_name("")) == ("outer/inner", None)


def test_what_a_coroutine_raises_comes_out_of_waiting_for_it() -> None:
    async def fails() -> None:
        raise KeyError("a")

    async def context() -> Any:
        return job_context().workflow

    with pytest.raises(KeyError):
        wait_apart(fails())
    with use_context(job_context_of()):
        assert wait_apart(context()) == "test"
