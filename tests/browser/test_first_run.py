"""An installation in which nothing has run yet: it offers the demo, and something moves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.installed import Site, running_site
from tests.browser.views import JOB_PAGE
from tests.browser.visitors import Visitors

DEMO_MS = 90_000  # twelve documents are taken in


@pytest.fixture
def empty(installed: Path, folder: Path) -> Iterator[Site]:
    """A stack of its own, in a folder without a project."""
    place = folder / "empty"
    project = place / "project"
    project.mkdir(parents=True)
    place.chmod(0o755)
    with running_site(installed, place, project) as site:
        yield site


def test_an_empty_installation_offers_the_demo(browser: Browser, empty: Site) -> None:
    visitors = Visitors(browser, empty)
    page = visitors.visitor().page
    page.goto("jobs")
    expect(page.get_by_role("heading", name="See it work")).to_be_visible()
    for place in ("approvals", "knowledge", "threads"):
        page.goto(place)
        expect(page.get_by_role("main").locator("svg + div").first).to_be_visible()
    page.goto("jobs")
    page.get_by_role("button", name="Write a report from the sample documents").click()
    expect(page.locator("[data-demo='documents']")).to_have_attribute("data-state", re.compile("running|done"))
    expect(page.locator("[data-demo='documents']")).to_have_attribute("data-state", "done", timeout=DEMO_MS)
    expect(page).to_have_url(JOB_PAGE, timeout=DEMO_MS)
    expect(page.locator("[data-step][data-state='done']").first).to_be_visible()
    assert visitors.close() == []
