"""Who gets in, how, and what for."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.seeds import Seeds
from tests.browser.visitors import Visitors

NOBODY = r"^401 GET /api/v1/session$"
REFUSED = r"^401 POST /api/v1/session$"


def test_a_key_lets_in_and_leads_to_where_one_wanted_to_go(visitors: Visitors, site: Site) -> None:
    visitor = visitors.visitor(stranger=True)
    visitor.watch.expects(NOBODY)
    page = visitor.page
    page.goto("workflows")
    expect(page).to_have_url(re.compile(r"/ui/sign-in\?next="))
    page.get_by_label("API key").fill(site.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/ui/workflows$"))
    settled(page)


def test_a_wrong_key_is_refused_in_words(visitors: Visitors) -> None:
    visitor = visitors.visitor(stranger=True)
    visitor.watch.expects(NOBODY, REFUSED)
    page = visitor.page
    page.goto("jobs")
    page.get_by_label("API key").fill("mk_00000000.nobody-has-this-one")
    page.get_by_label("API key").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unauthorized")
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_link_lets_in_once(visitors: Visitors, site: Site) -> None:
    link = site.link()
    first = visitors.visitor(stranger=True)
    first.page.goto(link)
    expect(first.page).to_have_url(re.compile(r"/ui/jobs$"))
    settled(first.page)
    token = link.partition("#")[2]
    assert token not in first.page.evaluate("JSON.stringify([location.href, history.state, {...localStorage}])")

    second = visitors.visitor(stranger=True)
    second.watch.expects(NOBODY, REFUSED)
    second.page.goto(link)
    expect(second.page.get_by_role("alert")).to_contain_text("link_spent")
    expect(second.page.get_by_label("API key")).to_be_visible()


def test_the_cookie_is_no_script_s_to_read(visitors: Visitors) -> None:
    visitor = visitors.visitor()
    [cookie] = visitor.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    visitor.page.goto("jobs")
    settled(visitor.page)
    assert visitor.page.evaluate("document.cookie") == ""


def test_who_signs_out_is_out(visitors: Visitors) -> None:
    visitor = visitors.visitor()
    visitor.watch.expects(r"^401 ")
    page = visitor.page
    page.goto("settings")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/ui/sign-in"))
    page.goto("jobs")
    expect(page.get_by_label("API key")).to_be_visible()
    assert visitor.context.cookies() == []


@pytest.mark.parametrize(
    ("scopes", "hidden"),
    [(["read"], ["Submit", "Cancel", "Approve", "Retry"]), (["read", "submit"], ["Approve"])],
    ids=["only reads", "decides nothing"],
)
def test_what_a_key_may_not_do_is_not_offered(
    visitors: Visitors, site: Site, seeds: Seeds, scopes: list[str], hidden: list[str]
) -> None:
    page = visitors.visitor(key=site.key_with(*scopes)).page
    for place in (f"jobs/{seeds.failed}", f"jobs/{seeds.asks}", f"approvals?open={seeds.approval}", "submit/order"):
        page.goto(place)
        settled(page)
        for name in hidden:
            offered = page.get_by_role("button", name=re.compile(f"^{name}", re.IGNORECASE))
            assert [each for each in offered.all() if each.is_enabled()] == [], f"{name} at {place}"
