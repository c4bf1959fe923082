"""Finding workflows: those that ship with Mutirão and those of the project a worker is started in.

A project names them in `mutirao.toml` (or `[tool.mutirao]` of `pyproject.toml`)::

    workflows = ["my_project.flows", "./more.py"]   # modules or files; every Workflow in them is served
    builtin = true                                  # also serve report, modernize, …

or is a LangGraph project, with a `langgraph.json`; see `langgraph_project`. What cannot be loaded is reported with its
reason and never stops the rest.
"""

import importlib
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mutirao_agents.importing import import_file
from mutirao_agents.langgraph_file import FILE
from mutirao_agents.langgraph_project import Extras, LangGraphProject
from mutirao_agents.workflows import Workflow

BUILTIN = ("mutirao_agents.report", "mutirao_agents.modernize", "mutirao_agents.knowledge.workflows")


class ProjectFile(BaseModel):
    """`mutirao.toml`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    workflows: list[str] = []
    builtin: bool = True


@dataclass(frozen=True)
class LoadError:
    """A workflow, module or file that could not be loaded, or a key of a file that nobody honours."""

    source: str
    message: str
    trace: str = ""
    level: str = "error"  # or "warning": something of the project is not honoured, and the rest runs


@dataclass
class Found:
    """What discovery brought: workflows by name, what could not be loaded, and what else a LangGraph project has."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    errors: list[LoadError] = field(default_factory=list)
    extras: Extras = field(default_factory=Extras)

    def add(self, workflow: Workflow, source: str) -> None:
        """Keep a workflow that compiles; one whose name is taken is an error."""
        if self.workflows.get(workflow.name, workflow) is not workflow:
            self.errors.append(LoadError(source, f"workflow {workflow.name!r} exists already; choose another name"))
            return
        try:
            # Everything the catalogue shows is computed here, so that a broken graph is an error now and not in a job.
            _ = workflow.input_schema, workflow.output_schema, workflow.shape, workflow.kind, workflow.schemas
            _ = workflow.subgraphs
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
    if (folder / FILE).is_file():
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
        module = import_file(path)
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


def _from_langgraph(folder: Path, found: Found) -> None:
    try:
        project = LangGraphProject(folder)
    except (ValueError, OSError) as error:
        found.errors.append(LoadError(FILE, str(error)))
        return
    for source, piece in project.load():
        if isinstance(piece, Workflow):
            found.add(piece, source)
        elif isinstance(piece, str):
            found.errors.append(LoadError(source, piece, level="warning"))
        else:
            found.errors.append(_load_error(source, piece))
    found.extras = project.extras


def _load_error(source: str, error: BaseException) -> LoadError:
    trace = "".join(traceback.format_exception(error)[-3:])
    return LoadError(source, f"{type(error).__name__}: {error}", trace[-4000:])
