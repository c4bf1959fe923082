"""Brings the schema to head in a process of its own, which loads SQLAlchemy while the database still starts."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.child import Child
from mutirao.stack.command import Command
from mutirao.stack.logs import rotate, tail

STOP_SECONDS = 2.0


class Migration:
    """One run of `mutirao.db.migrate.upgrade`. The process reads one line before it touches the database."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._command = Command(argv=(sys.executable, "-P", "-m", "mutirao.stack.migration"), env=env)

    async def run(self, database_ready: asyncio.Event) -> None:
        """Load at once, upgrade when the database is ready. Cancelled, it ends the process.

        Raises:
            PartFailed: the upgrade failed; with the last lines it wrote.
        """
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
