"""`mutirao init`: the project it writes passes its own test and runs on a real stack, with documents of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.end_to_end

MUTIRAO = str(Path(sys.executable).with_name("mutirao"))
NOTE = """# Goats

The association keeps twelve dairy goats in the upper pasture since March 2021. Ana milks the dairy goats every morning
before six o'clock. In 2023 the goats gave 2,340 litres of milk, all of it made into cheese.
"""


@pytest.fixture
def servers(embedded: EmbeddedParts, tmp_path: Path) -> Iterator[Servers]:
    """An API and a worker in a project that `mutirao init` has written."""
    redis = own_redis(embedded.redis_url)
    with (
        new_database(embedded.database_url) as url,
        Servers(tmp_path / "servers", database_url=url, redis_url=redis, env=embedded.env) as running,
    ):
        shutil.rmtree(running.project)
        made = subprocess.run([MUTIRAO, "init", running.project], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        yield running


def test_the_written_project_passes_its_own_test(tmp_path: Path) -> None:
    subprocess.run([MUTIRAO, "init", "my-project"], cwd=tmp_path, check=True, capture_output=True)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MUTIRAO_", "PYTEST_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path / "my-project", env=names, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout


def test_the_written_project_answers_from_documents(servers: Servers, tmp_path: Path) -> None:
    servers.start_api()
    servers.start_worker("own")
    env = {**servers.env, "MUTIRAO_API_URL": servers.url}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([MUTIRAO, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)

    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "goats.md").write_text(NOTE, encoding="utf-8")
    (notes / "picture.png").write_bytes(b"\x89PNG")
    added = run("knowledge", "add", "notes", "-c", "notes", "--wait", "--json")
    assert added.returncode == 0, added.stderr
    assert [(entry["name"], entry["state"]) for entry in json.loads(added.stdout)["documents"]] == [
        ("goats.md", "ready")
    ]
    again = json.loads(run("knowledge", "add", "notes/goats.md", "-c", "notes", "--json").stdout)
    assert (again["jobs"], again["documents"][0]["version"]) == ([], 1)

    (tmp_path / "fake.pdf").write_text("not a pdf")
    refused = run("knowledge", "add", "fake.pdf", "notes/goats.md", "-c", "notes", "--json")
    assert refused.returncode == 5
    assert [problem["code"] for problem in json.loads(refused.stdout)["refused"]] == ["document_invalid"]

    hits = json.loads(run("knowledge", "search", "milk of the goats", "-c", "notes", "--json").stdout)["hits"]
    assert NOTE[hits[0]["start"] : hits[0]["end"]] == hits[0]["text"]
    assert "goats.md, version 1, page 1" in run("knowledge", "search", "milk", "-c", "notes").stdout
    assert "goats.md" in run("knowledge", "list", "-c", "notes").stdout

    ask = ("run", "ask", "-i", "question=How many litres of milk did the goats give?", "-i", "collection=notes")
    answered = run(*ask, "--out", "answer", "--json")
    assert answered.returncode == 0, answered.stderr
    quotes = json.loads(answered.stdout)["output"]["quotes"]
    assert any("2,340 litres" in quote and quote.endswith("(goats.md)") for quote in quotes)
    assert "2,340 litres" in (tmp_path / "answer" / "answer.md").read_text(encoding="utf-8")

    deleted = run("knowledge", "delete", "goats.md", "-c", "notes", "--json")
    assert (deleted.returncode, len(json.loads(deleted.stdout)["deleted"])) == (0, 1), deleted.stderr
    assert run("knowledge", "search", "milk", "-c", "notes").stdout.strip() == "nothing found"
    assert run("knowledge", "delete", "goats.md", "-c", "notes").returncode == 3
