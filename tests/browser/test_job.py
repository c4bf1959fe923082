"""A job's page: its graph, and where the time went."""

from playwright.sync_api import Page, expect

from tests.browser.seeds import Seeds


def test_sub_graphs_open_and_close(page: Page, seeds: Seeds) -> None:
    page.goto(f"jobs/{seeds.nested}?tab=graph")
    picture = page.locator(".react-flow")
    inside = picture.locator("[data-step='inner/deep']")
    # A small graph shows everything at once.
    expect(inside).to_have_attribute("data-state", "done")
    picture.get_by_role("button", name="Close the sub-graph inner").click()
    expect(inside).to_have_count(0)
    picture.get_by_role("button", name="Open the sub-graph inner").click()
    inside.click()
    expect(page.get_by_role("region", name="inner/deep")).to_contain_text("Output")
    assert "step=inner" in page.url


def test_the_time_is_told_apart(page: Page, seeds: Seeds) -> None:
    page.goto(f"jobs/{seeds.report}?tab=timeline")
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
    expect(page.get_by_text("In the queue")).to_be_visible()
    expect(page.get_by_text("In models").first).to_be_visible()
    expect(page.get_by_text("Attempt 1").first).to_be_visible()
