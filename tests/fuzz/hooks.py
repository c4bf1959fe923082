"""What Schemathesis is to do about each request; it loads this file by itself, in its own environment."""

import re
import sys
from typing import Any

import schemathesis  # type: ignore[import-not-found] # of another environment

# Who waits waits for longer than `--request-timeout`: a run may be put off by a year, a job waited for a minute.
LONGEST_WAIT = 1

# Who waits for a run waits for those before it in its thread, too, and a schedule may have put many there.
WAITING = re.compile(r"/runs/.*(wait|join|stream)$")
PATIENCE = 120

# What was asked last, until it is answered: one request at a time.
asked: list[str] = []


def shorten(given: dict[str, Any], name: str) -> None:
    """Make a time that is one `LONGEST_WAIT` at most."""
    value = given.get(name)
    if isinstance(value, int | float) and value > LONGEST_WAIT:
        given[name] = LONGEST_WAIT


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Say which request had no answer, as the report does not; begin at once what runs later; have patience."""
    if asked:
        sys.stderr.write(f"\nno answer to {asked.pop()}\n")
    if "/runs" in case.path and isinstance(case.body, dict):
        shorten(case.body, "after_seconds")
    if isinstance(case.query, dict):
        shorten(case.query, "wait")
    if WAITING.search(case.path):
        kwargs["timeout"] = PATIENCE
    asked.append(f"{case.method} {case.formatted_path} {case.query!r} {case.body!r}")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """It is answered."""
    asked.clear()
