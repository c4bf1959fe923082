"""What a job has made: read, traced to its source, taken away."""

import hashlib
import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.seeds import Seeds


def test_a_citation_opens_its_source_at_the_cited_span(page: Page, site: Site, seeds: Seeds) -> None:
    page.goto(f"jobs/{seeds.report}")
    page.locator("[data-citation='1']").click()
    source = page.get_by_role("complementary", name="Source")
    expect(source.get_by_text("Found word for word at this place")).to_be_visible()
    quote = source.locator("mark")
    expect(quote.first).to_be_in_viewport()
    text = "".join(quote.all_text_contents())
    kept = json.loads(site.http.get(f"/api/v1/jobs/{seeds.report}/artifacts/citations.json").text)
    assert text in json.dumps(kept, ensure_ascii=False)
    assert "citation=1" in page.url

    source.get_by_role("link", name="Open the document").click()
    expect(page).to_have_url(re.compile(r"/ui/documents/.*start=\d+&end=\d+"))
    cited = page.locator("[data-cited]")
    expect(cited.first).to_be_in_viewport()
    assert "".join(cited.all_text_contents()) == text
    page.go_back()
    expect(source.locator("mark").first).to_be_visible()


def test_a_file_is_taken_away_as_it_is(page: Page, site: Site, seeds: Seeds, tmp_path: Path) -> None:
    page.goto(f"jobs/{seeds.report}")
    [kept] = [each for each in site.client.artifacts(seeds.report) if each.name == "report.docx"]
    with page.expect_download() as download:
        page.get_by_role("list", name="Downloads").get_by_role("link", name="report.docx").click()
    assert download.value.suggested_filename == "report.docx"
    download.value.save_as(tmp_path / "report.docx")
    assert hashlib.sha256((tmp_path / "report.docx").read_bytes()).hexdigest() == kept.sha256


def test_converted_code_stands_beside_its_source(page: Page, seeds: Seeds) -> None:
    page.goto(f"jobs/{seeds.conversion}")
    expect(page.get_by_text("Nothing was executed")).to_be_visible()
    row = page.get_by_role("table", name="Equivalence with the original").locator("[data-file='shop/fetch.py']")
    expect(row).to_contain_text("NOT VERIFIED")
    row.get_by_role("link", name="shop/fetch.py").click()
    before, after = page.get_by_label("shop/fetch.py before"), page.get_by_label("shop/fetch.py after")
    expect(before).to_contain_text("import urllib2")
    expect(after).to_contain_text("import urllib.request")
    expect(page.get_by_text("same SHA-256 as the uploaded file")).to_be_visible()

    page.get_by_role("button", name="Unified").click()
    expect(before).to_have_count(0)
    expect(after).to_contain_text("import urllib2")
    page.reload()
    expect(page.get_by_role("heading", name="shop/fetch.py")).to_be_visible()
    page.get_by_role("button", name="Side by side").click()
    expect(before).to_contain_text("import urllib2")
    page.get_by_role("link", name="Next file").click()
    expect(page.get_by_role("heading", name="shop/fetch.py")).to_have_count(0)
    assert "view=code" in page.url
