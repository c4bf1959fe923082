"""What Schemathesis is to do about each request; it loads this file by itself, in its own environment."""

import atexit
import json
import re
import sys
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import schemathesis  # type: ignore[import-not-found] # of another environment

# Who waits waits for longer than `--request-timeout`: a run may be put off by a year, a job waited for a minute.
LONGEST_WAIT = 1
# Whoever waits for a run of a thread waits for the jobs before it, too: no answer in time is no fault then.
WAITING = re.compile(r"/threads/(?P<thread>[^/]+)/runs/((?P<run>[^/]+)/)?(wait|join)$")
# A line for each request that had no answer, for whoever started this: whether it had to wait.
UNANSWERED = Path("unanswered.txt")


@dataclass
class Asked:
    """The request that is not yet answered; there is one at a time."""

    case: Any
    at: datetime

    def __str__(self) -> str:
        return f"{self.case.method} {self.case.formatted_path} {self.case.query!r} {self.case.body!r}"

    def had_to_wait(self) -> bool:
        """Whether it waits for a run that somebody has paused, or that came after a job which ended later than this began."""
        found = WAITING.search(self.case.formatted_path)
        if found is None:
            return False
        server = "/".join(self.case.operation.base_url.split("/")[:3])
        request = urllib.request.Request(
            f"{server}/api/v1/jobs?thread_id={found['thread']}&limit=200",
            headers={"Authorization": self.case.headers.get("Authorization", "")},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                jobs = json.load(answer)["jobs"]  # the newest first
        except OSError:  # an answer of 404, too
            return False
        run = next((job for job in jobs if found["run"] in (None, job["id"])), None)
        if run is None:
            return False
        before = [job for job in jobs if job["created_at"] < run["created_at"]]
        return run["state"] == "paused" or any(
            job["finished_at"] is None or datetime.fromisoformat(job["finished_at"]) > self.at for job in before
        )


asked: list[Asked] = []


def look_back() -> None:
    """Say which request had no answer, as the report does not."""
    if asked:
        unanswered = asked.pop()
        had_to_wait = unanswered.had_to_wait()
        with UNANSWERED.open("a", encoding="utf-8") as file:
            file.write(f"{'waits' if had_to_wait else 'fault'}\n")
        why = "which waits for the jobs before it" if had_to_wait else "and nothing that it had to wait for"
        sys.stderr.write(f"\nno answer to {unanswered}, {why}\n")


atexit.register(look_back)


def shorten(given: dict[str, Any], name: str) -> None:
    """Make a time that is one `LONGEST_WAIT` at most."""
    value = given.get(name)
    if isinstance(value, int | float) and value > LONGEST_WAIT:
        given[name] = LONGEST_WAIT


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Begin at once what runs later."""
    look_back()
    if "/runs" in case.path and isinstance(case.body, dict):
        shorten(case.body, "after_seconds")
    if isinstance(case.query, dict):
        shorten(case.query, "wait")
    asked.append(Asked(case, datetime.now(UTC)))


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """It is answered."""
    asked.clear()
