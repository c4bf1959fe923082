"""What must not stand in any file of the repository, and what must stand in every lock."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = ("python" + "hosted.org", "pypi" + ".org", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com")
INDEX_OPTION = re.compile(r"^\s*(-i|--(extra-)?index-url|--find-links|--trusted-host)\b", re.MULTILINE)
LOCKED_ADDRESS = re.compile(r'"resolved":\s*"https?:|\b(?:url|registry)\s*=\s*"https?:')
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|home/\w+|work/(?:main|shared))/")


@cache
def texts() -> dict[str, str]:
    """Every file that is, or could be, committed, by its path; binary files are left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            content = path.read_bytes()
            if b"\0" not in content[:8192]:
                found[name] = content.decode("utf-8", "replace")  # a fixture may be in Latin-1 on purpose
    return found


def test_the_repository_is_read() -> None:
    assert {"pyproject.toml", "README.md", "docker-compose.yml"} <= texts().keys()


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_registry(host: str) -> None:
    assert [name for name, text in texts().items() if host in text] == []


def test_no_lock_or_script_names_an_index() -> None:
    assert [name for name, text in texts().items() if INDEX_OPTION.search(text) or LOCKED_ADDRESS.search(text)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [name for name, text in texts().items() if MACHINE_PATH.search(text)] == []


def test_the_only_locks_are_ours() -> None:
    locks = {name for name in texts() if Path(name).name in {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"}}
    assert locks == set()


@pytest.mark.parametrize("name", ["requirements/dev.lock", "requirements/runtime.lock", "deploy/build.lock"])
def test_every_pin_of_a_lock_has_a_hash(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", texts()[name].strip())
    pins = [block for block in blocks if not block.startswith("#")]
    assert pins
    assert [block.partition(" ")[0] for block in pins if "--hash=sha256:" not in block] == []


def test_text_files_end_their_lines_with_lf() -> None:
    ours = {name: text for name, text in texts().items() if "/fixtures/" not in name}
    assert [name for name, text in ours.items() if "\r\n" in text] == []
