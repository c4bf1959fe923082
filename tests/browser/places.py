"""Every page of the dashboard by a name, with an address that shows something."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.seeds import COLLECTION, Seeds

# The address below `/ui/`.
PLACES: dict[str, Callable[[Seeds], str]] = {
    "jobs": lambda seeds: "jobs",
    "jobs, filtered": lambda seeds: "jobs?state=failed&workflow=boom",
    "jobs, none": lambda seeds: "jobs?workflow=nothing",
    "job, report": lambda seeds: f"jobs/{seeds.report}",
    "job, timeline": lambda seeds: f"jobs/{seeds.report}?tab=timeline",
    "job, events": lambda seeds: f"jobs/{seeds.report}?tab=events",
    "conversion": lambda seeds: f"jobs/{seeds.conversion}",
    "conversion, code": lambda seeds: f"jobs/{seeds.conversion}?view=code&file=shop/fetch.py",
    "job, failed": lambda seeds: f"jobs/{seeds.failed}",
    "job, asks": lambda seeds: f"jobs/{seeds.asks}",
    "job, nested": lambda seeds: f"jobs/{seeds.nested}",
    "job, step": lambda seeds: f"jobs/{seeds.spoken}?step=speak",
    "job, unknown": lambda seeds: "jobs/00000000-0000-7000-8000-000000000000",
    "submit": lambda seeds: "submit",
    "submit, form": lambda seeds: "submit/order",
    "approvals": lambda seeds: "approvals",
    "approval": lambda seeds: f"approvals?open={seeds.approval}",
    "knowledge": lambda seeds: "knowledge",
    "collection": lambda seeds: f"knowledge/{COLLECTION}",
    "document": lambda seeds: f"documents/{seeds.document}?start=10&end=60",
    "threads": lambda seeds: "threads",
    "thread": lambda seeds: f"threads/{seeds.thread}",
    "workflows": lambda seeds: "workflows",
    "workflow": lambda seeds: "workflows/report",
    "system": lambda seeds: "system",
    "settings": lambda seeds: "settings",
    "gallery": lambda seeds: "gallery",
    "no such page": lambda seeds: "nowhere",
}
# What these ask for is not there.
MISSING = {"job, unknown": r"^404 GET /api/v1/jobs/"}


def settled(page: Page) -> None:
    """Wait until a page shows what it has to show: its title, and nothing that is still to come."""
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    # But for the story of it in the gallery.
    expect(page.locator(".skeleton:not([data-story] .skeleton)")).to_have_count(0)
