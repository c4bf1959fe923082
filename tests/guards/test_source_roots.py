"""`platform/`, `agents/` and `workers/` hold packages and are none.

`platform/__init__.py` would hide the standard library's `platform` from what is started with `python -m` in the root.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = {"platform": "mutirao", "agents": "mutirao_agents", "workers": "mutirao_workers"}


@pytest.mark.parametrize("name", SOURCE_ROOTS)
def test_source_root_is_not_a_package(name: str) -> None:
    assert [path.name for path in (ROOT / name).glob("*.py")] == []


@pytest.mark.parametrize(("root", "package"), SOURCE_ROOTS.items())
def test_source_root_holds_its_package(root: str, package: str) -> None:
    assert (ROOT / root / package / "__init__.py").is_file()
    assert (ROOT / root / package / "py.typed").is_file()
    assert (ROOT / root / "README.md").is_file()


@pytest.mark.parametrize("start", [["-c", "import platform; print(platform.__file__)"], ["-m", "platform"]])
def test_the_standard_platform_is_the_one_found_in_the_root(start: list[str]) -> None:
    found = subprocess.run([sys.executable, *start], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    if start[0] == "-c":
        assert Path(found.stdout.strip()).parent == Path(sysconfig.get_path("stdlib"))
