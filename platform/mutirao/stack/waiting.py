"""Waiting for something that nobody announces: the end of a process, a file."""

import asyncio
import math
import time
from collections.abc import Callable

POLL_SECONDS = 0.03


async def until(condition: Callable[[], bool], seconds: float = math.inf) -> bool:
    """Wait until the condition holds, at most so long; whether it holds."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()):
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    return holds
