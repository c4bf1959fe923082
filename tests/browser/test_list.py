"""The list of jobs: filters that stay, pages that follow one another; and addresses of what is not there."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.seeds import Seeds
from tests.browser.views import expect_state, shown
from tests.browser.visitors import Visitors

NOBODY = "00000000-0000-7000-8000-000000000000"
MANY = 130  # more than two pages
IDS = "rows => rows.map(row => row.dataset.job)"
# Where the page ends until its next rows are there, one tries again.
FURTHER = "before => scrollY > before || (scrollBy(0, 600), false)"


def test_filters_survive_a_reload(page: Page, seeds: Seeds) -> None:
    page.goto("jobs")
    page.locator("[data-count='failed']").click()
    page.get_by_label("Workflow", exact=True).select_option("boom")
    page.get_by_label("Order").select_option("created_at")
    expect_state(page, seeds.failed, "failed")
    expect(page.locator("[data-job]:not([data-state='failed'])")).to_have_count(0)
    address = page.url
    page.reload()
    expect_state(page, seeds.failed, "failed")
    assert page.url == address
    expect(page.get_by_label("Workflow", exact=True)).to_have_value("boom")
    expect(page.locator("[data-count='failed']")).to_have_attribute("aria-pressed", "true")
    shown(page, seeds.failed).get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(f"/ui/jobs/{seeds.failed}"))
    page.go_back()
    expect(page).to_have_url(address)
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator("[data-job][data-state='succeeded']").first).to_be_visible()


def test_pages_follow_one_another(page: Page, site: Site) -> None:
    asked = [{"workflow": "square", "input": {"n": n}, "delay_seconds": 86_400} for n in range(MANY)]
    made = site.post("/jobs/batch", {"jobs": asked})["results"]
    ids = [each["job"]["id"] for each in made]
    page.goto("jobs?workflow=square&state=queued")
    settled(page)
    rows = page.locator("[data-job]")
    seen: list[str] = []
    last = page.locator(f"[data-job='{ids[0]}']")
    while not last.is_visible():
        seen += rows.evaluate_all(IDS)
        page.wait_for_function(FURTHER, arg=page.evaluate("scrollY"))
    seen += rows.evaluate_all(IDS)
    assert set(ids) <= set(seen)
    # Few rows are in the page at a time, and each of them once.
    shown_now = rows.evaluate_all(IDS)
    assert len(shown_now) == len(set(shown_now)) < MANY


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no/such/page", "There is no such page"),
        (f"jobs/{NOBODY}", "There is no such page"),
        ("jobs/not-an-id", "There is no such page"),
        (f"documents/{NOBODY}", "not_found"),
        (f"threads/{NOBODY}", "not_found"),
        ("workflows/no-such-workflow", "no-such-workflow"),
        ("submit/no-such-workflow", "no-such-workflow"),
        (f"approvals?open={NOBODY}", "not_found"),
    ],
)
def test_what_is_not_there_is_said_not_to_be(visitors: Visitors, place: str, said: str) -> None:
    visitor = visitors.visitor()
    visitor.watch.expects(r"^4(04|22) GET /api/v1/")
    page = visitor.page
    page.goto(place)
    expect(page.get_by_role("main").get_by_text(said).last).to_be_visible()
    page.get_by_role("navigation").first.get_by_role("link", name="Jobs").click()
    expect(page).to_have_url(re.compile("/ui/jobs$"))
