"""What the README tells a stranger to type is there, and its first workflow runs."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mutirao_agents import use_context
from mutirao_agents.discovery import discover
from mutirao_agents.testing import ScriptedModel, test_context

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "platform" / "API.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "platform" / "CLI.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("platform/mutirao/**/README.md")]
    if ".venv" not in path.parts
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The README's project, as files."""
    flows, test = blocks("python")
    (tmp_path / "flows.py").write_text(flows, encoding="utf-8")
    (tmp_path / "test_flows.py").write_text(test, encoding="utf-8")
    (tmp_path / "mutirao.toml").write_text(blocks("toml")[0], encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.anyio
async def test_the_first_workflow_is_found_and_runs(project: Path) -> None:
    found = discover(project)
    assert [error for error in found.errors if error.source.endswith("flows.py")] == []
    ask = found.workflows["ask"]
    assert ask.kind == "shared"
    assert set(ask.input_schema["required"]) == {"question", "collection"}
    model = ScriptedModel(["In hives."])
    with use_context(test_context(model=model, documents={"bees.md": "Bees live in hives."})):
        result = await ask.graph.ainvoke({"question": "Where do bees live?", "collection": "default"})
    assert result["answer"] == "In hives."


@pytest.mark.anyio
async def test_the_test_of_the_first_workflow_passes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project)
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    shown: dict[str, Any] = {}
    exec(compile((project / "test_flows.py").read_text(encoding="utf-8"), "test_flows.py", "exec"), shown)
    monkeypatch.delitem(sys.modules, "flows")
    await shown["test_ask_answers_from_the_passages"]()


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    typed = "\n".join([*blocks("sh"), *re.findall(r"`([^`]+)`", prose)])
    named = set(re.findall(r"^make ([a-z-]+)", typed, re.MULTILINE))
    assert {"demo", "test", "setup"} <= named
    assert named <= targets


def test_every_route_is_named_and_every_route_named_exists() -> None:
    app = importlib.import_module("mutirao.api.app")
    settings = importlib.import_module("mutirao.settings")
    paths = app.create_app(settings.Settings()).openapi()["paths"]
    operations = {f"{method.upper()} {path}" for path, found in paths.items() for method in found} | {"GET /metrics"}
    named = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?\s]*)`", API + README)
    assert [name for name in named if not {name, name.replace(" /", " /api/v1/")} & operations] == []
    ours = {name.replace(" /api/v1/", " /") for name in operations if " /api/v1/" in name}
    assert sorted(ours - {*named}) == []


def test_every_command_named_exists() -> None:
    typer = importlib.import_module("typer")
    root = typer.main.get_command(importlib.import_module("mutirao.cli").app)
    rows = re.findall(r"^\| (`mutirao .+?) \|", COMMANDS, re.MULTILINE)
    assert len(rows) >= 10
    for text in re.findall(r"`(?:mutirao )?([a-z ]+)", " ".join(rows)):
        command: Any = root
        for word in text.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"mutirao {text}"
            command = command.commands[word]
