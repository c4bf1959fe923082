"""`python -m tests.bench.dashboard [--jobs 100000] [--only lists|job|tabs] [--keep]`: how fast the dashboard's page is
answered where a project has many jobs and one of them a long history, and how late what happens is seen.

Times are those of a client on the same machine. `--keep` measures nothing: it leaves the stack running, for a browser.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import httpx

from tests.bench.history import JOBS, fill
from tests.bench.reads import of_lists, of_long_job
from tests.bench.stack import BenchStack, bench_stack
from tests.bench.tabs import of_tabs

PARTS = ("lists", "job", "one tab", "tabs")


async def measure(stack: BenchStack, job_id: UUID, parts: Sequence[str]) -> dict[str, Any]:
    """The figures of each part."""
    async with stack.client() as client:
        asked: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "lists": lambda: of_lists(client),
            "job": lambda: of_long_job(client, job_id),
            "one tab": lambda: of_tabs(stack, client, tabs=2),
            "tabs": lambda: of_tabs(stack, client),
        }
        return {part: await asked[part]() for part in parts}


def keep(stack: BenchStack, job_id: UUID) -> None:
    """Say where the page is, and wait for Ctrl-C or SIGTERM, also where a shell has it in the background."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    headers = {"Authorization": f"Bearer {stack.key}"}
    link = httpx.post(f"{stack.url}/api/v1/session/links", headers=headers, trust_env=False).raise_for_status().json()
    lines = (
        f"page          {stack.url}/ui/", f"long job      {stack.url}/ui/jobs/{job_id}", f"key           {stack.key}",
        f"signs in once {link['url']}", "another link: POST /api/v1/session/links with the key; Ctrl-C ends it",
    )  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    signal.pause()


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--only", choices=PARTS, nargs="*", default=PARTS)
    parser.add_argument("--keep", action="store_true", help="leave the stack running and print a link that signs in")
    options = parser.parse_args()
    with bench_stack() as stack:
        job_id = fill(stack.env["MUTIRAO_DATABASE_URL"], options.jobs)
        if options.keep:
            try:
                keep(stack, job_id)
            except KeyboardInterrupt:
                return 0
        figures = asyncio.run(measure(stack, job_id, options.only))
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
