"""What Schemathesis is to do about each request; it loads this file by itself, in its own environment."""

import sys
from typing import Any

import schemathesis  # type: ignore[import-not-found] # of another environment

# Who waits for a run waits until it has begun, which a request may put off by a year: longer than `--request-timeout`.
LONGEST_DELAY = 1

# What was asked last, until it is answered: one request at a time.
asked: list[str] = []


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Say which request had no answer, as the report does not; begin at once what runs later."""
    if asked:
        sys.stderr.write(f"\nno answer to {asked.pop()}\n")
    if "/runs" in case.path and isinstance(case.body, dict):
        delay = case.body.get("after_seconds")
        if isinstance(delay, int | float) and delay > LONGEST_DELAY:
            case.body["after_seconds"] = LONGEST_DELAY
    asked.append(f"{case.method} {case.formatted_path} {case.body!r}")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """It is answered."""
    asked.clear()
