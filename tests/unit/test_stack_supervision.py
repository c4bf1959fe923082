"""Keeping small programs running: readiness, restarts, back-off, order of stopping, what is left behind."""

import asyncio
import errno
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from mutirao.errors import PartFailed
from mutirao.stack.child import Child
from mutirao.stack.command import Command
from mutirao.stack.home import Home
from mutirao.stack.keeper import Keeper
from mutirao.stack.part import IdlePart, Part, PartMissing, PartState, Say
from mutirao.stack.reload import reload_workers
from mutirao.stack.status import PartStatus, RunRecord, read_run
from mutirao.stack.supervisor import Limits, Supervisor
from mutirao.stack.waiting import until

pytestmark = pytest.mark.anyio

SERVE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
IGNORE_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVE
# Starts a child in a session of its own, which a signal to the process group does not reach.
PARENT = (
    "import pathlib, subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True); "
    "path = pathlib.Path(sys.argv[1]); path.with_suffix('.new').write_text(str(child.pid)); "
    "path.with_suffix('.new').rename(path); time.sleep(600)"
)

# Starts such a child only when it is asked to end, and is gone before anyone can look at what is below it.
LATE_PARENT = (
    "import os, pathlib, signal, subprocess, sys, time\n"
    "def end(number, frame):\n"
    "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "    pathlib.Path(sys.argv[2]).write_text(str(child.pid))\n"
    "    os._exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
) + SERVE


def python(code: str, *arguments: str) -> Command:
    return Command(argv=(sys.executable, "-c", code, *arguments), env=dict(os.environ))


class FilePart(Part):
    """A Python program that is ready when it has made its file."""

    def __init__(self, name: str, folder: Path, code: str = SERVE) -> None:
        self.name = name
        self.code = code
        self.file = folder / f"{name}.ready"

    async def prepare(self, log: Path, say: Say) -> None:
        self.file.unlink(missing_ok=True)

    def command(self) -> Command:
        return python(self.code, str(self.file))

    async def ready(self, pid: int) -> bool:
        return self.file.exists()


class Witness:
    """Remembers what was said and which states parts had."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[tuple[str, PartState]] = []

    def heard(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def changed(self, status: PartStatus) -> None:
        self.states.append((status.name, status.state))
        self.lines.append(status.detail)

    def say(self, text: str) -> None:
        self.lines.append(text)


def keeper_of(part: Part, folder: Path, witness: Witness) -> Keeper:
    return Keeper(part, folder / f"{part.name}.log", witness, witness.changed)


def supervisor_of(parts: list[Part], folder: Path, witness: Witness, limits: Limits | None = None) -> Supervisor:
    home = Home(folder / "home")
    home.create()
    record = RunRecord(home, None)
    return Supervisor(parts, home=home, audience=witness, record=record, limits=limits or Limits())


def is_ready_after(keeper: Keeper, restarts: int) -> bool:
    return keeper.status.state is PartState.READY and keeper.status.restarts == restarts


async def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child.start(python("print('hello'); raise SystemExit(7)"), log)
    assert await child.exited() == 7
    assert log.read_text() == "hello\n"


async def test_a_program_that_does_not_exist_is_named_in_the_log(tmp_path: Path) -> None:
    child = Child.start(Command(argv=("/no/such/program",), env=dict(os.environ)), tmp_path / "log")
    assert await child.exited() != 0
    assert "cannot execute '/no/such/program': No such file or directory" in (tmp_path / "log").read_text()


async def test_a_program_does_not_share_our_session(tmp_path: Path) -> None:
    child = Child.start(python(SERVE, str(tmp_path / "up")), tmp_path / "log")
    assert await until((tmp_path / "up").exists, 20)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert await child.stop(10)


async def test_a_program_that_ignores_sigterm_is_killed_in_time(tmp_path: Path) -> None:
    child = Child.start(python(IGNORE_TERM, str(tmp_path / "up")), tmp_path / "log")
    assert await until((tmp_path / "up").exists, 20)
    began = time.monotonic()
    assert not await child.stop(0.3)
    assert time.monotonic() - began < 2
    assert child.exit_code == -signal.SIGKILL


async def test_hurry_ends_the_patience(tmp_path: Path) -> None:
    child = Child.start(python(IGNORE_TERM, str(tmp_path / "up")), tmp_path / "log")
    assert await until((tmp_path / "up").exists, 20)
    hurry = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, hurry.set)
    began = time.monotonic()
    assert not await child.stop(90, hurry)
    assert time.monotonic() - began < 30


async def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    child = Child.start(python(PARENT, str(tmp_path / "pid")), tmp_path / "log")
    assert await until((tmp_path / "pid").exists, 20)
    grandchild = psutil.Process(int((tmp_path / "pid").read_text()))
    assert os.getsid(grandchild.pid) == grandchild.pid
    await child.stop(10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


async def test_what_a_program_started_as_it_ended_ends_too(tmp_path: Path) -> None:
    child = Child.start(python(LATE_PARENT, str(tmp_path / "up"), str(tmp_path / "pid")), tmp_path / "log")
    assert await until((tmp_path / "up").exists, 20)
    assert await child.stop(10)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_killed_part_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    witness, part = Witness(), FilePart("part", tmp_path)
    keeper = keeper_of(part, tmp_path, witness)
    task = asyncio.create_task(keeper.keep())
    try:
        for restarts, pause in enumerate(("0.2 s", "0.4 s", "0.8 s")):
            assert await until(partial(is_ready_after, keeper, restarts), 20)
            assert keeper.status.pid is not None
            os.kill(keeper.status.pid, signal.SIGKILL)
            assert await until(partial(witness.heard, f"starting again in {pause}"), 5), witness.lines
            assert witness.heard("ended with SIGKILL after")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.stop(5, asyncio.Event())


async def test_a_part_that_never_gets_ready_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    witness = Witness()
    keeper = keeper_of(FilePart("part", tmp_path, "raise SystemExit('the disk is made of cheese')"), tmp_path, witness)
    with pytest.raises(PartFailed, match=r"(?s)part ended with exit code 1 .* 5 times.*the disk is made of cheese"):
        await keeper.keep()
    await keeper.stop(5, asyncio.Event())


async def test_a_full_disk_at_a_restart_is_waited_out(tmp_path: Path) -> None:
    class Unlucky(FilePart):
        starts = 0

        async def prepare(self, log: Path, say: Say) -> None:
            await super().prepare(log, say)
            self.starts += 1
            if self.starts == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    witness = Witness()
    keeper = keeper_of(Unlucky("part", tmp_path), tmp_path, witness)
    task = asyncio.create_task(keeper.keep())
    try:
        assert await until(partial(is_ready_after, keeper, 0), 20)
        assert keeper.status.pid is not None
        os.kill(keeper.status.pid, signal.SIGKILL)
        assert await until(partial(is_ready_after, keeper, 2), 20)
        assert witness.heard("No space left on device; starting again in 0.4 s")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.stop(5, asyncio.Event())


async def test_a_part_that_hangs_is_given_up_after_the_time_limit(tmp_path: Path) -> None:
    hanging = FilePart("worker", tmp_path, "print('still thinking', flush=True); import time; time.sleep(600)")
    limits = Limits(start_seconds=1.5)
    supervisor = supervisor_of([FilePart("valkey", tmp_path), hanging], tmp_path, Witness(), limits)
    with pytest.raises(PartFailed, match=r"(?s)worker was not ready within 2 s .*still thinking"):
        await supervisor.start()
    await supervisor.stop()
    run = read_run(Home(tmp_path / "home"))
    assert run is not None
    assert {part.state for part in run.parts} == {PartState.STOPPED}


async def test_parts_stop_worker_first_and_database_last(tmp_path: Path) -> None:
    names = ["postgres", "valkey", "chroma", "model", "api", "worker", "worker-2"]
    witness = Witness()
    supervisor = supervisor_of([FilePart(name, tmp_path) for name in names], tmp_path, witness)
    await supervisor.start()
    await supervisor.stop()
    stopped = [name for name, state in witness.states if state is PartState.STOPPED]
    assert stopped == ["worker", "worker-2", "api", "model", "chroma", "valkey", "postgres"]


async def test_stubborn_parts_share_the_time_to_stop_all(tmp_path: Path) -> None:
    parts: list[Part] = [FilePart(name, tmp_path, IGNORE_TERM) for name in ("postgres", "api", "worker")]
    witness = Witness()
    supervisor = supervisor_of(parts, tmp_path, witness, Limits(stop_seconds=60, stop_all_seconds=2))
    await supervisor.start()
    began = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - began < 4
    assert witness.lines.count("worker did not end by itself and was killed") == 1


async def test_resting_parts_are_not_waited_for(tmp_path: Path) -> None:
    class Absent(FilePart):
        async def prepare(self, log: Path, say: Say) -> None:
            raise PartMissing("get one at the market")

    witness = Witness()
    external = IdlePart("postgres", PartState.EXTERNAL, "somewhere else")
    supervisor = supervisor_of([external, Absent("model", tmp_path), FilePart("valkey", tmp_path)], tmp_path, witness)
    await supervisor.start()
    await supervisor.stop()
    assert ("postgres", PartState.EXTERNAL) in witness.states
    assert ("model", PartState.MISSING) in witness.states
    assert "get one at the market" in witness.lines


async def test_a_changed_file_restarts_the_worker_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    witness = Witness()
    supervisor = supervisor_of([FilePart("valkey", tmp_path), FilePart("worker", tmp_path)], tmp_path, witness)
    await supervisor.start()
    watching = asyncio.create_task(reload_workers(supervisor.workers, witness, 5))
    try:
        worker, valkey = supervisor.keeper("worker"), supervisor.keeper("valkey").status.pid
        before = worker.status.pid
        assert await until(lambda: any(line.startswith("watching") for line in witness.lines), 10)
        # The watch begins a moment after it is announced, so that the first change may be missed.
        number = 0

        def changed_until_restarted() -> bool:
            nonlocal number
            number += 1
            (project / "notes.txt").write_text(str(number))
            (project / "flows.py").write_text(f"x = {number}")
            return worker.status.pid != before

        assert await until(changed_until_restarted, 20)
        assert await until(lambda: worker.status.state is PartState.READY, 20)
        assert worker.status.restarts == 0
        assert supervisor.keeper("valkey").status.pid == valkey
        assert any("flows.py changed" in line and "notes.txt" not in line for line in witness.lines)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await supervisor.stop()
