"""The successor of a killed worker takes over what has everything loaded, unless something has changed."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Program, Servers, eventually, new_database, own_redis

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names in the abstract namespace are Linux's"),
]


@pytest.fixture(scope="module")
def servers(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("inheritance")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as made,
    ):
        made.start_api()
        yield made
    eventually(lambda: not zygotes(folder), "every zygote has ended", 20)


def zygotes(folder: Path) -> set[int]:
    """Zygotes that work in a folder of ours, by process id."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "mutirao zygote" and folder in Path(process.cwd()).parents:
                found.add(process.pid)
    return found


def killed(servers: Servers, worker: Program) -> int:
    """Kill the main process alone; the zygote that it has left."""
    [zygote] = zygotes(servers.folder)
    psutil.Process(worker.pid).kill()
    worker.wait()
    return zygote


def test_a_successor_inherits(servers: Servers) -> None:
    first = servers.start_worker("one")
    job = servers.submit("sleep", {"witness": str(servers.folder / "w"), "seconds": 1})
    servers.until(lambda: servers.job(job)["state"] == "running", "it runs")
    zygote = killed(servers, first)
    second = servers.start_worker("one")
    assert zygotes(servers.folder) == {zygote}
    assert servers.ended(job)["state"] == "succeeded"
    assert second.stop() == 0
    eventually(lambda: not zygotes(servers.folder), "a dismissed zygote ends", 10)


def test_nobody_inherits_after_a_change(servers: Servers) -> None:
    first = servers.start_worker("one")
    zygote = killed(servers, first)
    flows = servers.project / "flows.py"
    flows.write_text(flows.read_text() + "\n# changed\n")
    second = servers.start_worker("one")
    assert zygote not in zygotes(servers.folder)
    assert servers.run("noop")["state"] == "succeeded"
    assert second.stop() == 0


def test_a_worker_with_other_settings_does_not_inherit(servers: Servers) -> None:
    first = servers.start_worker("one")
    zygote = killed(servers, first)
    second = servers.start_worker("one", poll_seconds="0.5")
    assert len(zygotes(servers.folder) - {zygote}) == 1
    assert second.stop() == 0


def test_without_an_heir_it_ends(servers: Servers) -> None:
    zygote = killed(servers, servers.start_worker("one"))
    eventually(lambda: zygote not in zygotes(servers.folder), "it ends", 20)
