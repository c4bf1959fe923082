"""Finding workflows: those that ship with Mutirão and those of the project a worker is started in.

A project names them in `mutirao.toml` (or `[tool.mutirao]` of `pyproject.toml`)::

    workflows = ["my_project.flows", "./more.py"]   # modules or files; every Workflow in them is served
    builtin = true                                  # also serve report, modernize, …

or has a `langgraph.json` with `graphs = {"name": "./file.py:variable"}`. What cannot be loaded is reported with its
reason and never stops the rest.
"""

import hashlib
import importlib
import importlib.util
import json
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mutirao_agents.workflows import Workflow, from_graph, source_version

BUILTIN = ("mutirao_agents.report", "mutirao_agents.modernize", "mutirao_agents.knowledge.workflows")


class ProjectFile(BaseModel):
    """`mutirao.toml`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    workflows: list[str] = []
    builtin: bool = True


class LangGraphFile(BaseModel):
    """The keys of `langgraph.json` that are honoured; the others are reported by name."""

    model_config = ConfigDict(extra="allow")

    graphs: dict[str, str]
    dependencies: list[str] = []


@dataclass(frozen=True)
class LoadError:
    """A workflow, module or file that could not be loaded."""

    source: str
    message: str
    trace: str = ""


@dataclass
class Found:
    """What discovery brought: workflows by name, and what could not be loaded."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    errors: list[LoadError] = field(default_factory=list)

    def add(self, workflow: Workflow, source: str) -> None:
        """Keep a workflow that compiles; one whose name is taken is an error."""
        if self.workflows.get(workflow.name, workflow) is not workflow:
            self.errors.append(LoadError(source, f"workflow {workflow.name!r} exists already; choose another name"))
            return
        try:
            # Everything the catalogue shows is computed here, so that a broken graph is an error now and not in a job.
            _ = workflow.input_schema, workflow.output_schema, workflow.shape, workflow.kind
        except (Exception, SystemExit) as error:  # noqa: BLE001 (user code; it must not take the worker down)
            self.errors.append(_load_error(source, error))
        else:
            self.workflows[workflow.name] = workflow


def discover(folder: Path) -> Found:
    """Every workflow of the project in `folder`, and the built-in ones unless the project declines them."""
    found = Found()
    project = _project_file(folder, found)
    if project.builtin:
        for name in BUILTIN:
            _from_module(name, found)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    for entry in project.workflows:
        if entry.endswith(".py"):
            _from_file(folder / entry, found)
        else:
            _from_module(entry, found)
    if (folder / "langgraph.json").is_file():
        _from_langgraph(folder, found)
    return found


def watched_folders(folder: Path) -> list[Path]:
    """Folders whose Python files make up the project: what `--reload` watches."""
    return [folder]


def _project_file(folder: Path, found: Found) -> ProjectFile:
    for name, keys in (("mutirao.toml", ()), ("pyproject.toml", ("tool", "mutirao"))):
        path = folder / name
        if not path.is_file():
            continue
        try:
            table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
            for key in keys:
                table = table.get(key, {})
            if table or not keys:
                return ProjectFile.model_validate(table)
        except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
            found.errors.append(LoadError(name, str(error)))
    return ProjectFile()


def _from_module(name: str, found: Found) -> None:
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
        found.errors.append(_load_error(name, error))
    else:
        _collect(module, name, found)


def _from_file(path: Path, found: Found) -> None:
    try:
        module = _import_file(path)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
        found.errors.append(_load_error(str(path), error))
    else:
        _collect(module, str(path), found)


def _collect(module: ModuleType, source: str, found: Found) -> None:
    for workflow in _workflows_in(vars(module)):
        found.add(workflow, source)


def _workflows_in(names: Mapping[str, Any]) -> Iterator[Workflow]:
    for value in names.values():
        if isinstance(value, Workflow):
            yield value


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    # A name of its own per path: two files of the same name are two modules. Registered, as dataclasses and
    # postponed annotations look their module up.
    name = f"mutirao_project_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_langgraph(folder: Path, found: Found) -> None:
    try:
        content = LangGraphFile.model_validate(json.loads((folder / "langgraph.json").read_text(encoding="utf-8")))
    except (ValueError, ValidationError) as error:
        found.errors.append(LoadError("langgraph.json", str(error)))
        return
    for dependency in content.dependencies:
        place = (folder / dependency).resolve()
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    for name, target in content.graphs.items():
        _from_target(folder, name, target, found)


def _from_target(folder: Path, name: str, target: str, found: Found) -> None:
    source = f"langgraph.json: {name}"
    place, _, variable = target.rpartition(":")
    try:
        path = folder / place
        module = _import_file(path) if place.endswith(".py") else importlib.import_module(place)
        graph = getattr(module, variable)
        version = source_version(getattr(module, "__file__", None))
        found.add(graph if isinstance(graph, Workflow) else from_graph(name, graph, version=version), source)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
        found.errors.append(_load_error(source, error))


def _load_error(source: str, error: BaseException) -> LoadError:
    trace = "".join(traceback.format_exception(error)[-3:])
    return LoadError(source, f"{type(error).__name__}: {error}", trace[-4000:])
