"""axe-core in a page: what it finds wrong."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "platform" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"


@cache
def script() -> str:
    """The whole of axe-core; a script that runs before the page's own is not subject to its content security policy."""
    return AXE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Each rule that is broken, and where. The page must have been opened with `script()`."""
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{broken['id']}: {node['target'][0]} ({broken['help']}; {node['failureSummary'].splitlines()[-1].strip()})"
        for broken in found
        for node in broken["nodes"]
    ]
