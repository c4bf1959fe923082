"""Approvals are read and decided: in the inbox, on the job's page, on a phone."""

from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.mailings import TOPIC, asking, decision
from tests.browser.places import settled
from tests.browser.views import expect_state, too_wide
from tests.browser.visitors import PHONE, Visitors


def test_what_is_asked_comes_by_itself_and_is_approved(page: Page, site: Site) -> None:
    page.goto("approvals?workflow=mailing")
    settled(page)
    job, approval = asking(site)
    page.locator(f"a[href*='{approval}']").click()
    detail = page.get_by_role("region", name="The chosen approval")
    expect(detail.get_by_text("ana@example.org")).to_be_visible()
    detail.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Decided:").first).to_be_visible()
    assert decision(site, job) == {"type": "approve"}
    expect(page.locator(f"a[href*='{approval}']")).to_have_count(0)


def test_what_is_asked_is_edited_and_approved(page: Page, site: Site) -> None:
    job, approval = asking(site)
    page.goto(f"approvals?open={approval}")
    page.locator("label:has(input[data-kind='edit'])").click()
    subject, send = page.get_by_label("Subject"), page.get_by_role("button", name="Approve with changes")
    subject.fill("x")
    expect(send).to_be_disabled()
    expect(page.locator(f"[id='{subject.get_attribute('id')}-error']")).to_be_visible()
    subject.fill("Harvest feast")
    page.get_by_label("Copies").fill("3")
    send.click()
    told = decision(site, job)
    assert told["type"] == "edit"
    assert told["edited_action"]["args"] == {
        "to": "ana@example.org", "subject": "Harvest feast", "copies": 3, "urgent": False,
    }  # fmt: skip


def test_what_is_asked_is_rejected_on_the_page_of_its_job(page: Page, site: Site) -> None:
    job, _ = asking(site)
    page.goto(f"jobs/{job.id}")
    page.locator("label:has(input[data-kind='reject'])").click()
    page.get_by_label("Why not").fill("Not before Sunday")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect_state(page, job, "succeeded")
    told = decision(site, job)
    assert (told["type"], told["message"]) == ("reject", "Not before Sunday")


def test_a_question_is_answered(page: Page, site: Site) -> None:
    job = site.ran("asking_chat", {"messages": [{"role": "user", "content": "Good morning"}]}, "paused")
    page.goto(f"jobs/{job.id}")
    page.locator("label:has(input[data-kind='answer'])").click()
    page.get_by_label("Answer", exact=True).last.fill("Yes, after lunch")
    page.get_by_role("button", name="Send the answer").click()
    expect_state(page, job, "succeeded")
    assert "decided: Yes, after lunch" in str(site.client.job(job.id).output)


def test_somebody_who_was_faster_is_told_of(visitors: Visitors, site: Site) -> None:
    visitor = visitors.visitor()
    visitor.watch.expects(r"^409 POST /api/v1/approvals/")
    job, approval = asking(site)
    page = visitor.page
    # The inbox is not told before the other's decision has been met.
    page.route("**/api/v1/changes", lambda route: route.abort())
    visitor.watch.expects(r"^failed GET /api/v1/changes")
    page.goto(f"approvals?open={approval}")
    send = page.get_by_role("button", name="Approve", exact=True)
    expect(send).to_be_enabled()
    site.client.settle(approval, type="reject")
    send.click()
    expect(page.get_by_text("Somebody was faster, or its time has passed")).to_be_visible()
    assert decision(site, job)["type"] == "reject"


def test_a_phone_is_enough_to_read_and_approve(visitors: Visitors, site: Site) -> None:
    page = visitors.visitor(viewport=PHONE, has_touch=True, is_mobile=True).page
    job, approval = asking(site)
    page.goto("jobs?workflow=mailing")
    expect_state(page, job, "paused")
    assert too_wide(page) == []
    page.get_by_role("navigation").get_by_role("link", name="Approvals").tap()
    page.locator(f"a[href*='{approval}']").tap()
    detail = page.get_by_role("region", name="The chosen approval")
    expect(detail.get_by_text(f"About {TOPIC}")).to_be_visible()
    assert too_wide(page) == []
    page.get_by_role("button", name="Approve", exact=True).tap()
    expect(page.get_by_text("Decided:").first).to_be_visible()
    assert decision(site, job) == {"type": "approve"}
