"""Brings the schema to head in a process of its own, which loads SQLAlchemy while a new database is still made."""

import asyncio
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

import mutirao
from mutirao.errors import PartFailed
from mutirao.stack.child import Child
from mutirao.stack.command import Command
from mutirao.stack.logs import rotate, tail
from mutirao.stack.postgres import PostgresPart

STOP_SECONDS = 2.0
REVISION = "SELECT version_num FROM alembic_version"


def head() -> str:
    """The newest revision of this code, read without the package `mutirao.db`, which loads SQLAlchemy."""
    return str(runpy.run_path(str(Path(mutirao.__file__).parent / "db" / "revision.py"))["HEAD"])


class Migration:
    """One run of `mutirao.db.migrate.upgrade`, left out when the schema is at head already: it costs a second."""

    def __init__(self, database: PostgresPart, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._database = database
        self._command = Command(argv=(sys.executable, "-P", "-m", "mutirao.stack.migration"), env=env)

    async def run(self, database_ready: asyncio.Event) -> None:
        """Upgrade when the database is ready. Cancelled, it ends the process.

        Raises:
            PartFailed: the upgrade failed; with the last lines it wrote.
        """
        if self._database.exists:
            await database_ready.wait()
            if await self._database.ask(REVISION) == head():
                return
        rotate(self.log)
        child = Child.start(self._command, self.log, with_input=True)
        try:
            await database_ready.wait()
            child.write("go")
            code = await child.exited()
        finally:
            await child.stop(STOP_SECONDS)
        if code:
            raise PartFailed(f"the schema could not be brought to head; the last lines:\n{tail(self.log)}")


def main() -> None:
    from mutirao.db.migrate import upgrade

    if sys.stdin.readline():  # nothing: the supervisor ended before the database was ready
        upgrade(os.environ["MUTIRAO_DATABASE_URL"])


if __name__ == "__main__":
    main()
