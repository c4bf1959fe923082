"""The stack in the background, as `mutirao up --detach` starts it: `python -m mutirao.stack`."""

import argparse
import sys

from mutirao.errors import MutiraoError
from mutirao.settings import load_settings
from mutirao.stack.board import Board
from mutirao.stack.foreground import Options, run_stack
from mutirao.stack.plan import ALL


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mutirao.stack")
    parser.add_argument("--workers", type=int, default=1, help="how many workers")
    parser.add_argument("--reload", action="store_true", help="restart workers when code changes")
    parser.add_argument("--only", default=",".join(ALL), help="parts to start, separated by commas")
    found = parser.parse_args(arguments)
    options = Options(workers=found.workers, reload=found.reload, names=tuple(found.only.split(",")))
    try:
        run_stack(load_settings(), options, Board())
    except MutiraoError as error:
        print(error.message, file=sys.stderr, flush=True)  # noqa: T201 - a program of its own
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
