"""Becomes another program that dies with its parent: `python -m mutirao.stack.launch SIGNAL PARENT UID GID COMMAND…`.

Asks the kernel (Linux) to send SIGNAL to this process when the process PARENT ends, gives up root when UID is not
`-`, and executes COMMAND in place. It runs before every part, so it imports little. Elsewhere than on Linux nothing
tells a process of its parent's end; there the next `mutirao up` ends what an earlier one recorded.
"""

import os
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def death_signal_setter() -> Callable[[int], None]:
    """What asks for a signal at the end of the thread that started this process; loaded while files can be read."""
    if not sys.platform.startswith("linux"):
        return lambda signal_number: None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda signal_number: prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def give_up_root(uid: int, gid: int) -> None:
    """Continue as an ordinary account, without any of root's groups."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    signal_number, parent, uid, gid, *command = arguments
    set_death_signal = death_signal_setter()
    if uid != "-":
        give_up_root(int(uid), int(gid))  # first: the kernel forgets the death signal on a change of account
    set_death_signal(int(signal_number))
    if os.getppid() != int(parent):
        sys.exit("the process that started this one is gone")
    try:
        os.execv(command[0], command)  # noqa: S606 - our own list, no shell wanted
    except OSError as error:
        sys.exit(f"cannot execute {command[0]!r}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
