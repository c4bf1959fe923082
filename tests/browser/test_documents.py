"""Documents are put into a collection, and found in it."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.places import settled
from tests.browser.visitors import Visitors

# Slow enough to be seen, in bytes a second.
SLOW = 1_000
INGEST_MS = 60_000
TEXT = "# Rain\n\nThe cistern of the school holds forty thousand litres when the tank beside it is full.\n\n" + (
    "Whoever waters at noon waters the sky.\n\n" * 60
)


def test_a_document_is_uploaded_and_found(visitors: Visitors, tmp_path: Path) -> None:
    visitor = visitors.visitor()
    page = visitor.page
    page.goto("knowledge")
    settled(page)
    page.get_by_role("button", name="New collection").click()
    page.get_by_label("Name").fill("no spaces please")
    page.get_by_role("button", name="Choose its files").click()
    expect(page.get_by_role("dialog")).to_contain_text("and nothing else")
    page.get_by_label("Name").fill("cisterns")
    page.get_by_role("button", name="Choose its files").click()
    expect(page).to_have_url(re.compile(r"/ui/knowledge/cisterns\?tab=upload"))

    (tmp_path / "rain.md").write_text(TEXT, encoding="utf-8")
    line = visitor.context.new_cdp_session(page)
    line.send("Network.enable")
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW}
    line.send("Network.emulateNetworkConditions", speed)
    page.locator("input[type=file]").set_input_files(tmp_path / "rain.md")
    expect(page.get_by_role("progressbar", name="Sent of rain.md")).to_be_visible()
    line.send("Network.emulateNetworkConditions", speed | {"uploadThroughput": -1})
    row = page.get_by_role("region", name="Your uploads").get_by_role("listitem")
    expect(row.get_by_text("Succeeded")).to_be_visible(timeout=INGEST_MS)

    page.get_by_role("tab", name="Documents").click()
    expect(page.locator("[data-document][data-state='ready']")).to_contain_text("rain.md")
    page.get_by_role("tab", name="Test query").click()
    page.get_by_role("searchbox", name="Query").fill("how much does the cistern hold")
    page.get_by_role("button", name="Search").click()
    first = page.get_by_role("main").get_by_role("listitem").first
    expect(first).to_contain_text("forty thousand litres")
    expect(first).to_contain_text("#1")
    expect(page).to_have_url(re.compile("q=how"))
    first.get_by_role("link", name="rain.md").click()
    expect(page.locator("[data-cited]").first).to_contain_text("cistern")
