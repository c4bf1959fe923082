"""What happens is seen as it happens: in the list, on the job's page, and over a lost connection."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.proxies import wire_to
from tests.browser.seeds import COLLECTION, Seeds
from tests.browser.views import expect_state, is_marked, mark, shown
from tests.browser.visitors import Visitors

UNTIL = 600


def test_rows_come_and_change_by_themselves(page: Page, site: Site, gate: Path) -> None:
    page.goto("jobs?workflow=counts")
    settled(page)
    mark(page)
    job = site.submit("counts", {"until": 2, "gate": str(gate)})
    expect_state(page, job, "running")
    expect(page.locator("[data-count='running']")).to_be_visible()
    gate.touch()
    expect_state(page, job, "succeeded")
    assert is_marked(page)


def test_a_job_is_watched_to_its_result(page: Page, site: Site, gate: Path) -> None:
    job = site.submit("counts", {"until": 10, "gate": str(gate)})
    page.goto(f"jobs/{job.id}")
    expect_state(page, job, "running")
    steps = page.get_by_role("navigation", name="Steps")
    expect(steps.locator("[data-step='first']")).to_have_attribute("data-state", "running")
    expect(steps.locator("[data-step='second']")).to_have_attribute("data-state", "pending")
    mark(page)
    gate.touch()
    expect_state(page, job, "succeeded")
    expect(page.get_by_role("tab", name="Result")).to_be_visible()
    page.get_by_role("tab", name="Graph").click()
    expect(steps.locator("[data-step='second']")).to_have_attribute("data-state", "done")
    expect(page.locator("[data-connection='ended']").first).to_be_visible()
    assert is_marked(page)


def test_a_lost_connection_is_seen_and_loses_nothing(visitors: Visitors, site: Site, gate: Path) -> None:
    with wire_to(site.url) as wire:
        visitor = visitors.visitor(at=wire.url)
        page = visitor.page
        job = site.submit("counts", {"until": UNTIL, "gate": str(gate)})
        page.goto(f"jobs/{job.id}?tab=events")
        expect_state(page, job, "running")
        expect(page.locator("[data-connection='live']").first).to_be_visible()
        with visitor.watch.outage():
            wire.cut()
            expect(page.locator("[data-connection='lost']").first).to_be_visible()
            expect(page.get_by_text("it goes on from there as soon as the server answers")).to_be_visible()
            gate.touch()
            site.until(job, "succeeded")
            expect_state(page, job, "running")
            wire.mend()
            expect_state(page, job, "succeeded")
            expect(page.locator("[data-connection='ended']").first).to_be_visible()
        expect(page.get_by_text("Connection lost")).to_have_count(0)
        page.get_by_label("Type").select_option("said")
        said = page.get_by_role("status").filter(has_text=f"{UNTIL} of ")
        expect(said).to_be_visible()
        page.get_by_label("Type").select_option("")
        events = list(site.client.journal(job.id))
        expect(page.get_by_role("status").filter(has_text=f"of {len(events)} events")).to_be_visible()
        page.close()


def test_the_list_catches_up_after_a_lost_connection(visitors: Visitors, site: Site, gate: Path) -> None:
    with wire_to(site.url) as wire:
        visitor = visitors.visitor(at=wire.url)
        page = visitor.page
        job = site.submit("counts", {"until": 2, "gate": str(gate)})
        page.goto("jobs?workflow=counts")
        expect_state(page, job, "running")
        with visitor.watch.outage():
            wire.cut()
            expect(page.locator("[data-connection='lost']").first).to_be_visible()
            gate.touch()
            later = site.submit("counts", {"until": 2})
            site.until(job, "succeeded")
            site.until(later, "succeeded")
            wire.mend()
            expect_state(page, job, "succeeded")
            expect_state(page, later, "succeeded")
            expect(page.locator("[data-connection='live']").first).to_be_visible()
        page.close()


def test_code_that_was_wanted_during_an_outage_comes_after_it(visitors: Visitors, site: Site, seeds: Seeds) -> None:
    with wire_to(site.url) as wire:
        visitor = visitors.visitor(at=wire.url)
        page = visitor.page
        page.goto("jobs")
        settled(page)
        with visitor.watch.outage():
            wire.cut()
            page.get_by_role("link", name="Knowledge", exact=True).click()
            expect(page.locator("[data-connection='lost']").first).to_be_visible()
            expect(page.get_by_role("alert")).to_have_count(0)
            wire.mend()
            expect(page.get_by_role("link", name=COLLECTION)).to_be_visible()
        page.close()


def test_code_that_is_nowhere_is_told_once_the_page_was_loaded_anew(visitors: Visitors, seeds: Seeds) -> None:
    visitor = visitors.visitor()
    page = visitor.page
    page.goto("jobs")
    settled(page)
    page.context.route("**/assets/page-*.js", lambda route: route.fulfill(status=404))
    with visitor.watch.outage():
        visitor.watch.expects("^404 GET /ui/assets/page-", "^console: .*dynamically imported module")
        page.get_by_role("link", name="Knowledge", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("A part of this page could not be loaded")
        page.context.unroute("**/assets/page-*.js")
        page.get_by_role("button", name="Load the page again").click()
        expect(page.get_by_role("link", name=COLLECTION)).to_be_visible()


def test_what_a_model_says_is_read_word_by_word(page: Page, seeds: Seeds) -> None:
    page.goto(f"jobs/{seeds.spoken}?tab=output")
    expect(page.get_by_role("log")).to_contain_text("Many hands make light work.")


def test_an_address_leads_to_a_step_and_its_attempt(page: Page, site: Site, gate: Path) -> None:
    job = site.ran("shaky", {"gate": str(gate)})
    assert job.state == "failed"
    gate.touch()
    site.client.retry(job.id)
    site.until(job, "succeeded")
    page.goto(f"jobs/{job.id}?step=tries&attempt=1")
    panel = page.get_by_role("region", name="Step tries")
    expect(panel.get_by_role("alert")).to_contain_text("the bank does not answer")
    panel.get_by_label("Attempt").select_option("2")
    expect(panel.get_by_role("alert")).to_have_count(0)
    page.reload()
    expect(panel.get_by_label("Attempt")).to_have_value("2")
    assert "step=tries" in page.url
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(shown(page, job)).to_be_visible()
