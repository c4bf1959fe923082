"""Workers use agents, agents use the platform, never the other way; the contracts stand in `pyproject.toml`."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def contracts(kind: str) -> list[dict[str, Any]]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract for contract in pyproject["tool"]["importlinter"]["contracts"] if contract["type"] == kind]


def test_the_contracts_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_the_layers_are_those_of_the_architecture() -> None:
    assert [contract["layers"] for contract in contracts("layers")] == [
        ["mutirao_workers", "mutirao_agents", "mutirao"]
    ]


def test_celery_langgraph_and_chroma_keep_to_their_package() -> None:
    forbidden = {
        (source, target)
        for contract in contracts("forbidden")
        for source in contract["source_modules"]
        for target in contract["forbidden_modules"]
    }
    assert forbidden >= {("mutirao", "celery"), ("mutirao_agents", "celery")}
    assert forbidden >= {("mutirao", name) for name in ("langgraph", "langchain", "langchain_core", "chromadb")}
