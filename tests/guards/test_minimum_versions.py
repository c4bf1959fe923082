"""Lower bounds that close known holes hold in `pyproject.toml`, in the locks and in what is installed here."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
MINIMUM = {
    "celery": "5.7",
    "chromadb": "1.5.9",
    "h11": "0.16",
    "kombu": "5.7",
    "langchain-core": "1.4",
    "langchain-openai": "1.1.14",
    "langgraph": "1.2",
    "langgraph-checkpoint": "4.3",
    "langgraph-sdk": "0.4",
    "langsmith": "0.8.18",
    "python-multipart": "0.0.31",
    "redis": "5.2",
    "starlette": "1.3.1",
}
LOCKS = ("requirements/dev.lock", "requirements/runtime.lock")


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}


@pytest.mark.parametrize("name", MINIMUM)
def test_installed_version_is_high_enough(name: str) -> None:
    assert Version(version(name)) >= Version(MINIMUM[name])


@pytest.mark.parametrize("name", MINIMUM)
def test_declared_lower_bound_is_high_enough(name: str) -> None:
    bounds = [Version(part.version) for part in declared()[name].specifier if part.operator == ">="]
    assert bounds, f"{name} has no lower bound"
    assert max(bounds) >= Version(MINIMUM[name])


@pytest.mark.parametrize("lock", LOCKS)
def test_locked_versions_are_high_enough(lock: str) -> None:
    pins = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
    assert {name: pins[name] for name, low in MINIMUM.items() if Version(pins[name]) < Version(low)} == {}


def test_an_http_framework_cannot_move_by_itself() -> None:
    fastapi = declared()["fastapi"].specifier
    assert not fastapi.contains("1.0")
    assert len({minor for minor in range(400) if fastapi.contains(f"0.{minor}.0")}) == 1
