"""Graph factories of LangGraph projects: functions that make a graph anew for each use.

A factory takes nothing, the config, the runtime, or both, in any order; it is a function, a coroutine function, or an
(asynchronous) context manager, whose exit comes when the use is over.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, get_type_hints

from langgraph.graph.state import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import _ExecutionRuntime, _ReadRuntime

from mutirao_agents.users import user_of

RUN, UPDATE, READ, DESCRIBE = "threads.create_run", "threads.update", "threads.read", "assistants.read"
"""What a factory is called for, in LangGraph's words."""


class NoGraph(TypeError):
    """Raised when something that should be a graph is none; the message says what it is."""


class Factory:
    """A function that makes graphs, and how it wants to be called.

    Raises:
        NoGraph: it has parameters that are neither config nor runtime.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._wanted = _wanted(function)

    @asynccontextmanager
    async def open(
        self, name: str, config: Mapping[str, Any], access: str, store: BaseStore, context: Any = None
    ) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
        """A graph made for one use."""
        runtime: Any
        common: Any = {"access_context": access, "user": user_of(config), "store": store}
        runtime = _ExecutionRuntime(**common, context=context) if access == RUN else _ReadRuntime(**common)
        told = {"config": dict(config), "runtime": runtime}
        given = {parameter: told[what] for parameter, what in self._wanted.items()}
        async with AsyncExitStack() as stack:
            yield compiled(await self._made(given, stack), name)

    async def _made(self, given: dict[str, Any], stack: AsyncExitStack) -> Any:
        plain = not (inspect.iscoroutinefunction(self._function) or hasattr(self._function, "__wrapped__"))
        # A plain function may take its time; it must not take the loop's.
        made = await asyncio.to_thread(self._function, **given) if plain else self._function(**given)
        if inspect.isawaitable(made):
            made = await made
        if isinstance(made, (StateGraph, Pregel)):
            return made
        if isinstance(made, AbstractAsyncContextManager):
            return await stack.enter_async_context(made)
        if isinstance(made, AbstractContextManager):
            return stack.enter_context(made)
        return made

    def describe(self, name: str) -> Pregel[Any, Any, Any, Any]:
        """A graph to look at: its schemas and its shape; its resources are closed already."""

        async def once() -> Pregel[Any, Any, Any, Any]:
            async with self.open(name, {"configurable": {}}, DESCRIBE, InMemoryStore()) as graph:
                return graph

        graph: Pregel[Any, Any, Any, Any] = _run(once)
        return graph


def compiled(made: Any, name: str) -> Pregel[Any, Any, Any, Any]:
    """A graph that can run, of a graph or a `StateGraph`. Raises NoGraph."""
    if isinstance(made, StateGraph):
        return made.compile(name=name)
    if isinstance(made, Pregel):
        return made
    raise NoGraph(
        f"{type(made).__name__} is no graph: give a StateGraph, a compiled graph, or a function that makes one"
    )


def _run(once: Callable[[], Any]) -> Any:
    """The result of a coroutine function, also where a loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(once())
    found: list[Any] = []

    def apart() -> None:
        try:
            found.append(asyncio.run(once()))
        except BaseException as error:  # noqa: BLE001 (raised again by who waits)
            found.append(error)

    thread = threading.Thread(target=apart)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _wanted(function: Callable[..., Any]) -> dict[str, str]:
    """{parameter: "config" | "runtime"}; those with defaults that are neither are left alone."""
    try:
        hints = get_type_hints(function)
    except Exception:  # noqa: BLE001 (names that only a type checker sees)
        hints = {}
    wanted: dict[str, str] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        what = _what(name, hints.get(name, parameter.annotation))
        if what is None and parameter.default is parameter.empty:
            what = "config" if "config" not in wanted.values() else None
            if what is None:
                raise NoGraph(
                    f"parameter {name!r} of {function!r}: a factory takes a RunnableConfig and a ServerRuntime"
                )
        if what is not None:
            wanted[name] = what
    return wanted


def _what(name: str, annotation: Any) -> str | None:
    shown = annotation if isinstance(annotation, str) else f"{getattr(annotation, '__name__', '')} {annotation}"
    if "Runtime" in shown:
        return "runtime"
    if "RunnableConfig" in shown:
        return "config"
    return name if name in ("config", "runtime") else None
