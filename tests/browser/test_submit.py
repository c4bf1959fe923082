"""A job is submitted by a form, and again with another input."""

from mutirao.client import Client
from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.views import expect_state, job_at
from tests.browser.visitors import Visitors

BEANS = {"crop": "beans", "quality": "seed", "kilos": 20, "organic": False, "notes": ["before the rain"]}


def input_of(client: Client, page: Page) -> dict[str, object]:
    """What the job whose page is shown was asked for."""
    given = client.job(job_at(page)).input
    assert isinstance(given, dict)
    return given


def test_a_form_makes_a_job(page: Page, site: Site) -> None:
    page.goto("submit")
    page.get_by_label("Search workflows").fill("takes an ord")
    page.get_by_role("link", name="order").click()
    settled(page)
    page.get_by_label("Crop").fill("beans")
    page.locator("label", has_text="seed").click()
    page.get_by_label("Kilos").fill("20")
    page.get_by_label("Organic").uncheck()
    notes = page.get_by_role("group", name="Notes")
    notes.get_by_role("button", name="Add an entry").click()
    notes.get_by_label("Entry 1").fill("before the rain")
    page.get_by_role("button", name="Submit").click()
    expect_state(page, job_at(page), "succeeded")
    assert input_of(site.client, page) == BEANS
    assert site.client.job(job_at(page)).output == BEANS | {"notes": ["before the rain", "20 kg of beans"]}


def test_what_does_not_fit_is_said_at_its_field(visitors: Visitors) -> None:
    visitor = visitors.visitor()
    page = visitor.page
    page.goto("submit/order")
    crop, kilos = page.get_by_label("Crop"), page.get_by_label("Kilos")
    crop.fill("x")
    kilos.fill("many")
    page.get_by_role("button", name="Submit").click()
    expect(crop).to_be_focused()
    expect(crop).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"[id='{crop.get_attribute('id')}-error']")).to_have_text("At least 2 characters")
    expect(page.locator(f"[id='{kilos.get_attribute('id')}-error']")).to_have_text("This is no number")
    expect(page.get_by_text("2 fields need another look")).to_be_visible()


def test_what_the_api_refuses_is_said_at_its_field(visitors: Visitors, site: Site) -> None:
    """The page does not know `not` of a schema: the API has the last word."""
    visitor = visitors.visitor()
    visitor.watch.expects(r"^422 POST /api/v1/jobs$")
    page = visitor.page
    page.goto("submit/order")
    crop = page.get_by_label("Crop")
    crop.fill("mint")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("The API has refused it")).to_be_visible()
    expect(crop).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"[id='{crop.get_attribute('id')}-error']")).to_contain_text("mint")
    crop.fill("maize")
    page.get_by_role("button", name="Submit").click()
    assert input_of(site.client, page)["crop"] == "maize"


def test_a_job_is_run_again_with_another_input(page: Page, site: Site) -> None:
    job = site.ran("order", BEANS)
    page.goto(f"jobs/{job.id}")
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_label("Crop")).to_have_value("beans")
    expect(page.get_by_label("Organic")).not_to_be_checked()
    page.get_by_label("Kilos").fill("35")
    page.get_by_role("button", name="Submit").click()
    job_at(page, but=job)
    assert input_of(site.client, page) == BEANS | {"kilos": 35}
