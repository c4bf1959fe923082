"""A session that ends while a page is open leads to signing in."""

import re

from playwright.sync_api import expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.seeds import Seeds
from tests.browser.visitors import Visitors


def test_a_revoked_key_ends_what_it_has_opened(visitors: Visitors, site: Site) -> None:
    made = site.post("/keys", {"name": "soon revoked", "scopes": ["read", "submit"]})
    visitor = visitors.visitor(key=made["key"])
    page = visitor.page
    page.goto("jobs")
    settled(page)
    expect(page.locator("[data-connection='live']").first).to_be_visible()
    visitor.watch.expects(r"^401 ", r"^failed GET /api/v1/changes")
    site.http.delete(f"/api/v1/keys/{made['id']}").raise_for_status()
    # Nobody touches it: the stream is closed, and not opened again.
    expect(page).to_have_url(re.compile(r"/ui/sign-in\?next="))
    expect(page.get_by_label("API key")).to_be_visible()


def test_an_ended_session_comes_back_to_where_it_was(visitors: Visitors, site: Site, seeds: Seeds) -> None:
    visitor = visitors.visitor()
    page = visitor.page
    page.goto(f"jobs/{seeds.nested}?tab=events")
    settled(page)
    visitor.watch.expects(r"^401 ")
    visitor.context.clear_cookies()
    page.get_by_role("navigation").first.get_by_role("link", name="System").click()
    expect(page).to_have_url(re.compile(r"/ui/sign-in\?next="))
    page.get_by_label("API key").fill(site.key)
    page.get_by_label("API key").press("Enter")
    expect(page).to_have_url(re.compile(r"/ui/system$"))
    settled(page)
