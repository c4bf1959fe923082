"""Fixtures every test may use. Servers are the real ones, on free ports, in temporary folders."""

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from mutirao.settings import load_settings
from mutirao.stack.embedded import EmbeddedParts

IN_CI = bool(os.environ.get("CI"))

# Time is measured by tests/bench; a busy machine must not fail a test of what is right.
settings.register_profile("tests", settings(), deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests (`@pytest.mark.anyio`) run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedParts]:
    """PostgreSQL, Valkey and Chroma, started once a session: `database_url`, `redis_url`, `chroma_url`, `env`."""
    # Not in pytest's own folder: a second pytest of root closes that to the account PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="mutirao-") as folder, EmbeddedParts(Path(folder)) as parts:
        yield parts


@pytest.fixture(scope="session")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The built-in model's server (OpenAI-compatible base URL), started once a session; `make setup` got its file."""
    models = load_settings().stack.models_path.absolute()
    with EmbeddedParts(tmp_path_factory.mktemp("model"), ["model"], models=models) as parts:
        yield parts.model_url


@pytest.fixture(scope="module")
def database_url(embedded: EmbeddedParts) -> Iterator[str]:
    """A new database with the whole schema, one for each test module."""
    from tests.servers import new_database

    with new_database(embedded.database_url) as url:
        yield url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (`CI` is set) a skipped test is a failed one: there everything must be there."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not accept: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself as a whole is a failure, too."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which CI does not accept: {report.longrepr}"
    return report
