"""`python -m mutirao.api`: serve the control plane."""

import gc
import sys


def main() -> int:
    """Load everything, then serve until SIGTERM or SIGINT."""
    gc.disable()  # what is imported stays: looking for garbage in it takes a third of the time
    from mutirao.api.server import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
