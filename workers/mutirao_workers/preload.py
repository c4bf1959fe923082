"""`python -m mutirao_workers.preload SOCKET`: become the process that children are forked from."""

import gc
import sys


def main() -> int:
    """Load everything, then serve the main process over the socket."""
    gc.disable()  # what is imported stays, and looking for garbage in it would take a fifth of the time
    from mutirao_workers.zygote import main as serve

    return serve()


if __name__ == "__main__":
    sys.exit(main())
