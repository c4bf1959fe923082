"""Fault points: named places where a test makes a process die, fail or stall. They cost nothing unless armed.

`MUTIRAO_FAULTS=name:action[:when][,…]`, read from the environment when this module is imported, for example
`checkpoint.before:kill:3,events.after:raise:0.1`.

* name: one of `NAMES`.
* action: `kill` (SIGKILL to the own process), `exit` (ends it without any cleanup), `raise` (`InjectedFault`, as if the
  connection had broken), `sleep=SECONDS` (the calling thread stands still).
* when: a number with a point is a chance; one without is the hit it happens at, once, counted over the process and all
  that are forked from it. Without it: each time.

A line `fault.hit …` on standard error says that it happens.
"""

import mmap
import os
import random
import signal
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, ParamSpec, TypeVar

from mutirao.errors import SettingsInvalid

VARIABLE = "MUTIRAO_FAULTS"
EXIT_CODE = 70
NAMES = (
    "accept.before_commit", "accept.after_commit",
    "claim.before", "claim.after",
    "checkpoint.before", "checkpoint.after",
    "writes.before", "writes.after",
    "effect.before", "effect.between", "effect.after",
    "events.before", "events.after",
    "finish.before", "finish.after",
    "handback.before",
)  # fmt: skip
_ACTIONS = ("kill", "raise", "exit", "sleep")
_COUNTER = struct.Struct("q")
P = ParamSpec("P")
T = TypeVar("T")


class InjectedFault(ConnectionError):
    """Raised at a fault point that is armed with `raise`."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is armed at one point. `nth` 0 and `chance` 1: each time."""

    name: str
    action: str
    seconds: float = 0.0
    chance: float = 1.0
    nth: int = 0


def fault(name: str) -> None:
    """The fault point `name`: does nothing unless this process was started with it armed.

    May be called from coroutines and from threads; whatever it does, it does to the caller at once.
    """
    if _armed is not None:
        _armed.hit(name)


async def around(name: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` gives, between the fault points `name.before` and `name.after`."""
    fault(f"{name}.before")
    result = await call(*args, **kwargs)
    fault(f"{name}.after")
    return result


def parse(text: str) -> list[Fault]:
    """The faults that a value of MUTIRAO_FAULTS names.

    Raises:
        SettingsInvalid: it does not follow the syntax, or names no fault point of ours.
    """
    return [_one(part) for part in text.split(",") if part.strip()]


class Armed:
    """The faults of this process. Hits are counted in memory that forked processes share."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._hits = mmap.mmap(-1, _COUNTER.size * max(1, len(self._faults)))

    def hit(self, name: str) -> None:
        """Count a hit of each fault at this point and do those whose turn it is."""
        for number, one in enumerate(self._faults):
            if one.name == name and self._due(number, one):
                _do(one)

    def _due(self, number: int, one: Fault) -> bool:
        if not one.nth:
            return random.random() < one.chance  # noqa: S311 (chance, not secrecy)
        place = number * _COUNTER.size
        hits = _COUNTER.unpack_from(self._hits, place)[0] + 1
        _COUNTER.pack_into(self._hits, place, hits)
        return bool(hits == one.nth)


def _one(part: str) -> Fault:
    name, _, rest = part.strip().partition(":")
    what, _, when = rest.partition(":")
    action, _, seconds = what.partition("=")
    if name not in NAMES or action not in _ACTIONS or bool(seconds) != (action == "sleep"):
        _refuse(part)
    try:
        paused = float(seconds or 0)
        chance, nth = (float(when), 0) if "." in when else (1.0, int(when or 0))
    except ValueError:
        _refuse(part)
    if paused < 0 or nth < 0 or not 0 <= chance <= 1:
        _refuse(part)
    return Fault(name=name, action=action, seconds=paused, chance=chance, nth=nth)


def _refuse(part: str) -> NoReturn:
    raise SettingsInvalid(
        f"{VARIABLE}: {part!r} is not name:action[:chance or :nth]; names: {', '.join(NAMES)}; "
        "actions: kill, raise, exit, sleep=SECONDS",
        setting=VARIABLE,
    ) from None


def _do(one: Fault) -> None:
    os.write(2, f"fault.hit name={one.name} action={one.action} pid={os.getpid()} at={time.time():.6f}\n".encode())
    if one.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif one.action == "exit":
        os._exit(EXIT_CODE)
    elif one.action == "sleep":
        time.sleep(one.seconds)
    else:
        raise InjectedFault(f"injected fault at {one.name}")


_armed = Armed(parse(os.environ[VARIABLE])) if os.environ.get(VARIABLE) else None
