"""Nothing but keys: submit, approve, cancel."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.mailings import asking, decision
from tests.browser.places import settled
from tests.browser.views import expect_state, job_at, tab_to


def test_a_job_is_submitted(page: Page, site: Site) -> None:
    page.goto("jobs")
    settled(page)
    keys = page.keyboard
    keys.press("g")
    keys.press("s")
    expect(page).to_have_url(re.compile("/ui/submit$"))
    expect(page.get_by_label("Search workflows")).to_be_visible()
    keys.press("/")
    expect(page.get_by_label("Search workflows")).to_be_focused()
    keys.type("order")
    tab_to(page, page.get_by_role("link", name="order"))
    keys.press("Enter")
    settled(page)
    tab_to(page, page.get_by_label("Crop"))
    keys.type("cassava")
    tab_to(page, page.get_by_role("radio", name="food"))
    keys.press("ArrowLeft")
    tab_to(page, page.get_by_role("button", name="Submit"))
    keys.press("Enter")
    job = job_at(page)
    expect_state(page, job, "succeeded")
    given = site.client.job(job).input
    assert isinstance(given, dict)
    assert (given["crop"], given["quality"]) == ("cassava", "seed")


def test_an_approval_is_decided(page: Page, site: Site) -> None:
    job, approval = asking(site)
    page.goto("approvals?workflow=mailing")
    settled(page)
    opened = page.get_by_role("region", name="The chosen approval").locator(f"[data-approval='{approval}']")
    for _ in range(50):
        page.keyboard.press("j")
        expect(page).to_have_url(re.compile("open="))
        if approval in page.url:
            break
    expect(opened).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_label("Why not")).to_be_focused()
    page.keyboard.type("The dog has it")
    tab_to(page, opened.get_by_role("button", name="Reject", exact=True))
    page.keyboard.press("Enter")
    assert decision(site, job)["message"] == "The dog has it"


def test_a_job_is_cancelled(page: Page, site: Site, gate: Path) -> None:
    job = site.submit("counts", {"until": 2, "gate": str(gate)})
    page.goto("jobs?workflow=counts")
    expect_state(page, job, "running")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert job_at(page) == job.id
    expect_state(page, job, "running")
    tab_to(page, page.get_by_role("button", name="Cancel the job"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    tab_to(page, dialog.get_by_role("button", name="Cancel the job"), most=5)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect_state(page, job, "cancelled")
    # The focus is not lost with the dialog.
    assert page.evaluate("document.activeElement !== null")


def test_the_way_to_the_content_is_short(page: Page) -> None:
    page.goto("jobs")
    settled(page)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next job")
