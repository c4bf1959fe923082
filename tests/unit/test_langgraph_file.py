"""`langgraph.json`: every key is honoured, irrelevant or refused by name, and graphs are found wherever they may be."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.memory import InMemoryStore
from mutirao_agents.discovery import Found, discover
from mutirao_agents.factories import READ, RUN, Factory, NoGraph
from mutirao_agents.langgraph_file import IRRELEVANT, UNSUPPORTED
from mutirao_agents.workflows import Kind, checked_name
from mutirao_workers.publication import entry_of

GRAPH = """
from __future__ import annotations
from typing import Any, TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    n: int

async def one(state: State) -> dict[str, Any]:
    return {"n": 1}

builder = StateGraph(State).add_node("one", one).add_edge(START, "one")
graph = builder.compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Found]]:
    """Discovers a project of given files and keys of `langgraph.json`."""
    before, modules, environment = list(sys.path), set(sys.modules), dict(os.environ)

    def found(files: dict[str, str] | None = None, **keys: Any) -> Found:
        for name, content in {"mutirao.toml": "builtin = false\n", "g.py": GRAPH, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content, encoding="utf-8")
        (tmp_path / "langgraph.json").write_text(json.dumps(keys), encoding="utf-8")
        return discover(tmp_path)

    yield found
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _said(found: Found) -> dict[str, str]:
    return {error.source: error.message for error in found.errors}


@pytest.mark.parametrize("target", ["./g.py:graph", "g.py:builder", "g:graph"])
def test_a_graph_is_named_by_file_or_module(project: Callable[..., Found], target: str) -> None:
    found = project(graphs={"Agent-1.x": target})
    assert not found.errors
    workflow = found.workflows["Agent-1.x"]
    assert workflow.kind is Kind.SHARED
    assert workflow.input_schema["properties"]["n"]
    assert "additionalProperties" not in workflow.input_schema


def test_relative_imports_of_a_package_work(project: Callable[..., Found]) -> None:
    files = {
        "src/pkg/__init__.py": "",
        "src/pkg/sub/__init__.py": "from ..base import graph as deep\n",
        "src/pkg/base.py": GRAPH,
        "src/pkg/agent.py": "from .base import graph\n",
    }
    graphs = {"a": "./src/pkg/agent.py:graph", "b": {"path": "./src/pkg/sub:deep", "description": "Deep."}}
    found = project(files, graphs=graphs)
    assert not found.errors
    assert found.workflows["b"].description == "Deep."


def test_dependencies_are_folders_to_import_from(project: Callable[..., Found]) -> None:
    files = {"libs/one/src/helper_of_one.py": GRAPH, "app.py": "from helper_of_one import graph\n"}
    found = project(
        files, graphs={"a": "./app.py:graph"}, dependencies=[".", "./libs/one", "orjson", "nowhere>=2 # why"]
    )
    assert list(found.workflows) == ["a"]
    assert _said(found) == {
        "langgraph.json: dependencies": "'nowhere>=2 # why' is not installed; install it into the worker's environment"
    }
    assert [error.level for error in found.errors] == ["warning"]


def test_requirements_of_a_folder_are_looked_up(project: Callable[..., Found]) -> None:
    files = {
        "requirements.txt": "# comment\n\n-r more.txt\norjson>=1\nnowhere[extra]\nonly-elsewhere; python_version < '3'\n"
    }
    assert _said(project(files, graphs={"a": "./g.py:graph"}, dependencies=["."])) == {
        "langgraph.json: dependencies": "'nowhere[extra]' is not installed; install it into the worker's environment"
    }


def test_the_environment_is_set_before_anything_is_imported(
    project: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("W_SET", "outside")
    files = {
        "vars": "W_SET=file\nW_NEW='of the file'\nMUTIRAO_MODEL=x\n",
        "e.py": f"{GRAPH}\nimport os\nos.environ['W_NEW']\n",
    }
    found = project(files, graphs={"a": "./e.py:graph"}, env="vars")
    assert list(found.workflows) == ["a"]
    assert (os.environ["W_SET"], os.environ["W_NEW"]) == ("outside", "of the file")
    assert "is a setting of the platform" in _said(found)["langgraph.json: env"]
    assert "no file" in _said(project(graphs={}, env="nowhere.env"))["langgraph.json: env"]
    project(graphs={}, env={"W_DIRECT": 5})
    assert os.environ["W_DIRECT"] == "5"


def test_every_other_key_is_irrelevant_or_refused_by_name(project: Callable[..., Found]) -> None:
    assert not project(graphs={}, **dict.fromkeys(IRRELEVANT, "x")).errors
    refused = project(
        graphs={}, **dict.fromkeys(UNSUPPORTED, "x"), wrong_key=1, http={"cors": {"a": 1}, "disable_mcp": False}
    )
    messages = [error.message for error in refused.errors]
    for key in [*UNSUPPORTED, "wrong_key", "http.cors"]:
        assert any(message.startswith(f"'{key}': ") for message in messages), key
    assert len(messages) == len(UNSUPPORTED) + 2
    assert {error.level for error in refused.errors} == {"warning"}


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"graphs": {"a": "./none.py:graph"}}, "langgraph.json: a"),
        ({"graphs": {"a": "./g.py:none"}}, "langgraph.json: a"),
        ({"graphs": {"a": "./g.py:State"}}, "langgraph.json: a"),
        ({"graphs": {"a b": "./g.py:graph"}}, "langgraph.json: a b"),
        ({"graphs": {"a": "./agent.ts:graph"}}, "langgraph.json: a"),
        ({"graphs": {"a": "just a text"}}, "langgraph.json: a"),
        ({"graphs": {}, "auth": {"path": "./none.py:auth"}}, "langgraph.json: auth"),
        ({"graphs": {}, "http": {"app": "./g.py:none"}}, "langgraph.json: http.app"),
        ({"graphs": {}, "store": {"index": {"embed": "./g.py:none", "dims": 2}}}, "langgraph.json: store.index"),
        ({"graphs": {}, "store": {"index": {"embed": "x", "dims": 0}}}, "langgraph.json"),
        ({"graphs": []}, "langgraph.json"),
    ],
)
def test_what_is_wrong_is_an_error_of_its_own(project: Callable[..., Found], keys: dict[str, Any], source: str) -> None:
    found = project(**keys)
    assert list(_said(found)) == [source]
    assert found.errors[0].level == "error"
    assert not found.workflows


def test_what_a_project_brings(project: Callable[..., Found]) -> None:
    files = {"x.py": "from langgraph_sdk import Auth\nauth = Auth()\ndef embed(texts): return [[1.0] for _ in texts]\n"}
    keys: dict[str, Any] = {
        "auth": {"path": "x.py:auth"},
        "store": {"index": {"embed": "x.py:embed", "dims": 1}, "ttl": {"default_ttl": 5}},
        "checkpointer": {"ttl": {"default_ttl": 10, "strategy": "keep_latest"}},
        "http": {"app": "g.py:graph"},
    }
    found = project(files, graphs={"a": "g.py:graph"}, **keys)
    assert not found.errors
    ttl = {"default_ttl": 10.0, "strategy": "keep_latest", "sweep_interval_minutes": None}
    assert found.extras.brings == {"auth": True, "app": True, "store_index": True, "thread_ttl": ttl}
    assert project(graphs={}).extras.brings == {"auth": False, "app": False, "store_index": False, "thread_ttl": None}
    provider = project(graphs={}, store={"index": {"embed": "openai:text-embedding-3-small", "dims": 8}})
    assert provider.extras.embed == "openai:text-embedding-3-small"


def test_the_catalogue_gets_schemas_of_the_state_and_of_subgraphs(project: Callable[..., Found]) -> None:
    outer = "from g import *\nouter = StateGraph(State).add_node('inner', graph).add_edge(START, 'inner').compile()\n"
    found = project({"o.py": outer}, graphs={"outer": "o.py:outer"})
    entry = entry_of(found.workflows["outer"])
    assert entry.state_schema["properties"]["n"]["type"] == "integer"
    assert entry.subgraphs["inner"]["output_schema"]["properties"]["n"]
    assert (entry.context_schema, entry.config_schema, entry.subgraphs["inner"]["context_schema"]) == ({}, {}, None)


@pytest.mark.parametrize("name", ["a", "A", "Agent_1.x-y", "0" * 64])
def test_names_a_workflow_may_have(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "_a", "a b", "a/b", "é", "0" * 65, "a\n"])
def test_names_a_workflow_may_not_have(name: str) -> None:
    with pytest.raises(ValueError, match="workflow name"):
        checked_name(name)


pytest_anyio = pytest.mark.anyio


def _graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    names: dict[str, Any] = {}
    exec(GRAPH, names)
    compiled: CompiledStateGraph[Any, Any, Any, Any] = names["graph"]
    return compiled


async def _opened(function: Callable[..., Any], access: str = RUN) -> dict[str, Any]:
    config = {"configurable": {"word": "hi", "langgraph_auth_user": {"identity": "ana", "team": "x"}}}
    async with Factory(function).open("f", config, access, InMemoryStore(), context={"c": 1}) as graph:
        return dict(await graph.ainvoke({}))


@pytest_anyio
async def test_factories_are_called_as_they_want_to_be() -> None:
    seen: list[Any] = []

    def nothing() -> Any:
        return _graph()

    async def by_name(config: Any, runtime: Any) -> Any:
        seen.append((config["configurable"]["word"], runtime.user.identity, runtime.user.team, runtime.access_context))
        seen.append(runtime.execution_runtime and runtime.execution_runtime.context)
        return _graph()

    def by_type(what: "RunnableConfig", other: int = 1) -> Any:  # type: ignore[name-defined] # noqa: F821 (as users write it)
        seen.append((what["configurable"]["word"], other))
        return _graph()

    def only(anything: Any) -> Any:
        seen.append(anything["configurable"]["word"])
        return _graph()

    for function in (nothing, by_name, by_type, only):
        assert await _opened(function) == {"n": 1}
    await _opened(by_name, READ)
    run = ("hi", "ana", "x", "threads.create_run")
    assert seen == [run, {"c": 1}, ("hi", 1), "hi", (*run[:3], "threads.read"), None]


@pytest_anyio
async def test_what_makes_no_graph_says_so() -> None:
    with pytest.raises(NoGraph, match="str is no graph"):
        await _opened(lambda: "no graph")
    with pytest.raises(NoGraph, match="parameter 'third'"):
        Factory(lambda config, runtime, third: None)


@pytest_anyio
async def test_a_factory_can_be_described_where_a_loop_runs() -> None:
    assert "one" in Factory(_graph).describe("f").nodes

    def broken() -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Factory(broken).describe("f")
