"""How the page is served: from the wheel, under a strict policy, behind a prefix, to whoever asks for a head only."""

import re
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.proxies import prefixed
from tests.browser.seeds import Seeds
from tests.browser.visitors import Visitors

VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
FIRST_LOAD_BYTES = 200_000


def test_the_page_is_the_wheel_s(site: Site, installed: Path) -> None:
    assert psutil.Process(site.pid_of("api")).environ()["PYTHONPATH"] == str(installed)
    index = installed / "mutirao" / "dashboard" / "dist" / "index.html"
    assert set(re.findall(r'src="([^"]+)"', index.read_text())) == set(
        re.findall(r'src="([^"]+)"', httpx.get(f"{site.url}/ui/").text)
    )


@pytest.mark.parametrize("path", ["/ui/", "/ui/jobs", "/ui/jobs/some/where", "/ui/icon.svg"])
def test_a_head_is_what_a_get_would_say(site: Site, path: str) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as stranger:
        got, head = stranger.get(path), stranger.head(path)
    assert got.status_code == head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-security-policy", "cache-control", "etag"):
        assert head.headers.get(name) == got.headers.get(name), name


def test_the_policy_allows_nothing_that_is_not_ours(site: Site) -> None:
    policy = httpx.get(f"{site.url}/ui/", trust_env=False).headers["content-security-policy"]
    allowed = {name: values.split() for name, _, values in (each.strip().partition(" ") for each in policy.split(";"))}
    assert allowed["default-src"] in (["'self'"], ["'none'"])
    scripts = allowed.get("script-src", allowed["default-src"])
    assert scripts == ["'self'"]
    assert allowed["frame-ancestors"] == ["'none'"]
    assert "http" not in policy


def test_no_page_breaks_the_policy(visitors: Visitors, seeds: Seeds) -> None:
    page = visitors.visitor(script=VIOLATIONS).page
    for place in ("jobs", f"jobs/{seeds.report}", "submit/order", f"approvals?open={seeds.approval}", "system"):
        page.goto(place)
        settled(page)
        assert page.evaluate("violations") == [], place


def test_the_page_works_behind_a_prefix(visitors: Visitors, site: Site, seeds: Seeds) -> None:
    with prefixed(site.url, "/tools/mutirao") as url:
        visitor = visitors.visitor(at=url)
        page = visitor.page
        page.goto(f"jobs/{seeds.nested}")
        settled(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.get_by_role("navigation").first.get_by_role("link", name="Workflows").click()
        expect(page).to_have_url(f"{url}/ui/workflows")
        expect(page.get_by_text("noop").first).to_be_visible()
        page.reload()
        expect(page.get_by_text("noop").first).to_be_visible()
        visitor.page.close()


def test_the_first_load_is_small(visitors: Visitors) -> None:
    """What is fetched before the list of jobs is there, scripts and styles, as a browser gets it that knows gzip only."""
    visitor = visitors.visitor()
    fetched: set[str] = set()
    visitor.context.on("requestfinished", lambda request: fetched.add(request.url))
    visitor.page.goto("jobs")
    settled(visitor.page)
    assets = sorted(url for url in fetched if re.search(r"/ui/.*\.(js|css|svg)$", url))
    assert len(assets) >= 3
    with httpx.Client(headers={"Accept-Encoding": "gzip"}, trust_env=False) as browser:
        sizes = {url: int(browser.head(url).headers["content-length"]) for url in assets}
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes
