"""What Schemathesis is to do about each request; it loads this file by itself, in its own environment."""

import sys
from typing import Any

import schemathesis  # type: ignore[import-not-found] # of another environment

# Who waits for a run waits until it has begun, which a request may put off by a year: longer than `--request-timeout`.
LONGEST_DELAY = 1


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Begin at once what the request waits for."""
    if case.path.endswith(("/runs/wait", "/runs/stream")) and isinstance(case.body, dict):
        delay = case.body.get("after_seconds")
        if isinstance(delay, int | float) and delay > LONGEST_DELAY:
            case.body["after_seconds"] = LONGEST_DELAY


@schemathesis.hook
def after_network_error(context: Any, case: Any, request: Any) -> None:
    """Say which request had no answer: the report does not."""
    sys.stderr.write(f"\nno answer to {request.method} {request.url} {request.body!r}\n")
