"""One wheel, one stack and one browser for all tests of this folder; a context of its own for each test."""

import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.installed import Site, install_wheel, running_site
from tests.browser.seeds import Seeds, seed
from tests.browser.visitors import Visitors

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCREENSHOTS = ROOT / "build" / "screenshots"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing but what the page asks for; and no sandbox, as CI is root in a container.
ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
PATIENCE_MS = 20_000
FIRST_TEST_SECONDS = 420  # it waits for wheel, stack and jobs
_failed = pytest.StashKey[bool]()

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever is first builds everything."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(FIRST_TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(PROGRAMS)} is there; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def folder(browser: Browser) -> Iterator[Path]:
    """For the whole session. Not pytest's own, which is closed to the account that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="mutirao-browser-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def installed(folder: Path) -> Path:
    """Where the wheel of this checkout is installed."""
    return install_wheel(folder)


@pytest.fixture(scope="session")
def site(installed: Path, folder: Path) -> Iterator[Site]:
    """The stack of the installed wheel, which serves `tests/project` and what `project` here has beside it."""
    project = folder / "project"
    for source in (HERE.parent / "project", HERE / "project"):
        shutil.copytree(source, project, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    with running_site(installed, folder, project) as running:
        yield running


@pytest.fixture(scope="session")
def seeds(site: Site) -> Seeds:
    """Jobs in many states, documents, a conversation: made once, changed by no test."""
    return seed(site)


@pytest.fixture
def visitors(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Visitors]:
    """Opens watched contexts; whatever went wrong in one of them fails the test."""
    made = Visitors(browser, site)
    yield made
    if request.node.stash.get(_failed, False):
        made.picture(SCREENSHOTS / "failed", re.sub(r"\W+", "-", request.node.name))
    problems = made.close()
    assert problems == [], "\n".join(problems)


@pytest.fixture
def page(visitors: Visitors) -> Page:
    """A page of somebody who is signed in and may do everything."""
    return visitors.visitor().page


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that steps wait for; it is not there yet. Nothing waits for it after the test."""
    file = tmp_path / "gate"
    yield file
    file.touch()
