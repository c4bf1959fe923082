"""`langgraph.json`: what its keys mean here. Every key is honoured, irrelevant, or refused by name; none is dropped in
silence."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BaseModel, ConfigDict, Field

FILE = "langgraph.json"

IRRELEVANT = {
    "$schema": "for editors",
    "_INTERNAL_docker_tag": "how an image is built",
    "api_version": "which server an image is built on",
    "base_image": "how an image is built",
    "dockerfile_lines": "how an image is built",
    "image_distro": "how an image is built",
    "keep_pkg_tools": "how an image is built",
    "name": "for people",
    "node_version": "how an image is built",
    "pip_config_file": "how an image is built",
    "pip_installer": "how an image is built",
    "python_version": "how an image is built; the worker's own Python runs the graphs",
    "source": "how an image is built",
    "version": "for people",
}
"""Keys that say nothing to a worker, which is started in an environment that has everything installed, and why."""

UNSUPPORTED = {
    "encryption": "values are stored as they are: encrypt the database's disk",
    "ui": "components of a user interface are not served",
    "ui_config": "components of a user interface are not served",
    "webhooks": "webhooks are set up per project, over the API",
    "middleware": "only the routes of `http.app` are served",
}
"""Keys whose work nobody does here, and what to do; a project that has one is told so by name."""

_HTTP_UNSUPPORTED = {
    "configurable_headers": "headers are not copied into a run's config",
    "cors": "cross-origin requests are set up in the platform's settings",
    "disable_a2a": "routes of the platform cannot be switched off by a project",
    "disable_assistants": "routes of the platform cannot be switched off by a project",
    "disable_mcp": "routes of the platform cannot be switched off by a project",
    "disable_meta": "routes of the platform cannot be switched off by a project",
    "disable_runs": "routes of the platform cannot be switched off by a project",
    "disable_store": "routes of the platform cannot be switched off by a project",
    "disable_threads": "routes of the platform cannot be switched off by a project",
    "disable_ui": "routes of the platform cannot be switched off by a project",
    "disable_webhooks": "routes of the platform cannot be switched off by a project",
    "enable_custom_route_auth": "the project's own routes are open to whoever reaches the API",
    "logging_headers": "headers are not logged",
    "middleware_order": "the platform's own checks come first",
    "mount_prefix": "the API is served at its own root",
}


class Target(BaseModel):
    """Where a graph is, and what it is for."""

    model_config = ConfigDict(extra="ignore")

    path: str
    description: str = ""


class StoreIndex(BaseModel):
    """What of the long-term store is embedded. `embed`: `provider:model`, or `path.py:function`."""

    model_config = ConfigDict(extra="ignore")

    embed: str
    dims: int = Field(gt=0)
    fields: list[str] = ["$"]


class StoreTtl(BaseModel):
    """How long items of the long-term store live, in minutes."""

    model_config = ConfigDict(extra="ignore")

    refresh_on_read: bool = True
    default_ttl: float | None = Field(None, gt=0)
    sweep_interval_minutes: float | None = Field(None, gt=0)


class StoreSection(BaseModel):
    """The long-term store."""

    model_config = ConfigDict(extra="ignore")

    index: StoreIndex | None = None
    ttl: StoreTtl | None = None


class CheckpointTtl(BaseModel):
    """How long threads live, in minutes."""

    model_config = ConfigDict(extra="ignore")

    strategy: Literal["delete", "keep_latest"] = "delete"
    default_ttl: float | None = Field(None, gt=0)
    sweep_interval_minutes: float | None = Field(None, gt=0)


class CheckpointerSection(BaseModel):
    """The checkpointer, of which only the time to live is a project's matter."""

    model_config = ConfigDict(extra="allow")

    ttl: CheckpointTtl | None = None


class AuthSection(BaseModel):
    """Where the project's `Auth` object is."""

    model_config = ConfigDict(extra="allow")

    path: str


class HttpSection(BaseModel):
    """Where the project's own routes are."""

    model_config = ConfigDict(extra="allow")

    app: str | None = None


class LangGraphFile(BaseModel):
    """`langgraph.json` as far as it is honoured; the rest is in `model_extra`."""

    model_config = ConfigDict(extra="allow")

    graphs: dict[str, Target | str] = {}
    dependencies: list[str] = []
    env: dict[str, Any] | str | None = None
    store: StoreSection | None = None
    checkpointer: CheckpointerSection | None = None
    auth: AuthSection | None = None
    http: HttpSection | None = None

    @classmethod
    def read(cls, folder: Path) -> "LangGraphFile":
        """The file of a folder. Raises ValueError (pydantic's and JSON's among them), OSError."""
        return cls.model_validate(json.loads((folder / FILE).read_text(encoding="utf-8")))

    def targets(self) -> dict[str, Target]:
        """The graphs by name."""
        return {
            name: target if isinstance(target, Target) else Target(path=target) for name, target in self.graphs.items()
        }

    def refused(self) -> list[str]:
        """Keys that nobody honours, each with what to do."""
        said = []
        for key in self.model_extra or {}:
            if key in IRRELEVANT:
                continue
            said.append(f"{key!r}: {UNSUPPORTED.get(key, 'not a key that is known here')}")
        for key, value in ((self.http.model_extra if self.http else None) or {}).items():
            if value not in (None, False, [], {}):
                said.append(f"'http.{key}': {_HTTP_UNSUPPORTED.get(key, 'not a key that is known here')}")
        other = (self.checkpointer.model_extra if self.checkpointer else None) or {}
        said += [f"'checkpointer.{key}': checkpoints are kept by the platform's own checkpointer" for key in other]
        return said


def missing_requirements(folder: Path, dependencies: list[str]) -> list[str]:
    """Requirements of a project that the worker's environment does not have; installing is not a worker's work."""
    wanted = []
    for dependency in dependencies:
        place = folder / dependency
        if place.is_dir():
            listed = place / "requirements.txt"
            wanted += listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
        else:
            wanted.append(dependency)
    return [requirement for requirement in map(str.strip, wanted) if _missing(requirement)]


def _missing(requirement: str) -> bool:
    try:
        parsed = Requirement(requirement.partition(" #")[0])
    except InvalidRequirement:
        return bool(requirement) and not requirement.startswith(("#", "-"))
    if parsed.marker is not None and not parsed.marker.evaluate():
        return False
    try:
        return not parsed.specifier.contains(metadata.version(parsed.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return True
