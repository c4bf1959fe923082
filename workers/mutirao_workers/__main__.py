"""`python -m mutirao_workers`: run a worker.

The process that children are forked from is started before anything else is imported: it loads LangGraph and the project
while this one loads Celery and the database's driver.
"""

import gc
import sys

from mutirao_workers.nursery import Nursery


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    nursery = Nursery()
    nursery.launch()
    gc.disable()  # what is imported stays: looking for garbage in it only takes time
    from mutirao_workers.consumer import run  # takes most of a second, in which the other process gets on

    gc.freeze()
    gc.enable()
    return run(nursery)


if __name__ == "__main__":
    sys.exit(main())
