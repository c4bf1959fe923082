"""Short programs a part runs before its start: initdb, a migration."""

import asyncio
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.child import Child
from mutirao.stack.command import Command
from mutirao.stack.logs import tail

STOP_SECONDS = 0.5


async def run(command: Command, log: Path, *, lines: tuple[str, ...] = ()) -> None:
    """Run a program to its end, with `lines` as its input and its output in `log`. Cancelled, it kills the program.

    Raises:
        PartFailed: the exit code is not 0.
    """
    child = Child.start(command, log, with_input=bool(lines))
    try:
        for line in lines:
            child.write(line)
        if lines:
            child.end_input()
        code = await child.exited()
    except asyncio.CancelledError:
        await child.stop(STOP_SECONDS)
        raise
    if code:
        raise PartFailed(f"{Path(command.argv[0]).name} ended with {code}; its last lines:\n{tail(log)}")
