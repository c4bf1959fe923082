"""A LangGraph project, as it is: the graphs of its `langgraph.json`, and what else the file brings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from mutirao_agents.importing import add_path, import_target
from mutirao_agents.langgraph_file import FILE, CheckpointTtl, LangGraphFile, StoreSection, missing_requirements
from mutirao_agents.workflows import Workflow, from_graph, source_version


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a project brings beside graphs. `embed` is what LangGraph's `ensure_embeddings` takes."""

    auth: Any = None
    app: Any = None
    store: StoreSection = field(default_factory=StoreSection)
    embed: Any = None
    threads: CheckpointTtl | None = None

    @property
    def brings(self) -> dict[str, Any]:
        """As `workers.brings` has it."""
        return {
            "auth": self.auth is not None,
            "app": self.app is not None,
            "store_index": self.embed is not None,
            "thread_ttl": self.threads.model_dump() if self.threads and self.threads.default_ttl else None,
        }


Piece = tuple[str, Workflow | Exception | SystemExit | str]
"""Where something comes from, and what it is: a workflow, what kept it from being one, or a warning."""


class LangGraphProject:
    """A folder with a `langgraph.json`. Raises ValueError, OSError when that cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = LangGraphFile.read(folder)
        self.extras = Extras()

    def load(self) -> Iterator[Piece]:
        """Set the environment, import everything, and say what came of each; `extras` is complete at the end."""
        yield from ((FILE, f"{said} (ignored)") for said in self.file.refused())
        yield from self._environment()
        add_path(self.folder)
        for dependency in self.file.dependencies:
            place = (self.folder / dependency).resolve()
            add_path(place / "src")
            add_path(place)
        for requirement in missing_requirements(self.folder, self.file.dependencies):
            yield f"{FILE}: dependencies", f"{requirement!r} is not installed; install it into the worker's environment"
        for name, target in self.file.targets().items():
            yield f"{FILE}: {name}", self._workflow(name, target.path, target.description)
        yield from self._extras()

    def _environment(self) -> Iterator[Piece]:
        """`env`, for variables that are not set. Names of settings of the platform are not a project's to set."""
        env = self.file.env
        if isinstance(env, str):
            path = self.folder / env
            if not path.is_file():
                yield f"{FILE}: env", f"no file {env!r} (ignored)"
                return
            env = dict(dotenv_values(path))
        for name, value in (env or {}).items():
            if name.startswith("MUTIRAO_"):
                yield (
                    f"{FILE}: env",
                    f"{name!r} is a setting of the platform, which starts before the project (ignored)",
                )
            elif value is not None:
                os.environ.setdefault(name, str(value))

    def _workflow(self, name: str, target: str, description: str) -> Workflow | Exception | SystemExit:
        try:
            module, graph = import_target(self.folder, target)
            if isinstance(graph, Workflow):
                return graph
            version = source_version(getattr(module, "__file__", None))
            return from_graph(name, graph, version=version, description=description)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
            return error

    def _extras(self) -> Iterator[Piece]:
        file, found = self.file, dict[str, Any]()
        wanted = {"auth": file.auth.path if file.auth else None, "app": file.http.app if file.http else None}
        for name, target in wanted.items():
            if target is not None:
                try:
                    found[name] = import_target(self.folder, target)[1]
                except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
                    yield f"{FILE}: {'http.app' if name == 'app' else name}", error
        index = file.store.index if file.store else None
        if index:
            try:
                found["embed"] = self._embed(index.embed)
            except (Exception, SystemExit) as error:  # noqa: BLE001 (user code)
                yield f"{FILE}: store.index", error
        self.extras = Extras(
            **found,
            store=file.store or StoreSection(),
            threads=file.checkpointer.ttl if file.checkpointer else None,
        )

    def _embed(self, embed: str) -> Any:
        """A function or `Embeddings` of a file; what names a provider is opened when it is needed."""
        place = embed.rpartition(":")[0]
        if place.endswith(".py") or "/" in place or (self.folder / f"{place}.py").is_file():
            return import_target(self.folder, embed)[1]
        return embed
