"""Every page in both themes, on a desktop and on a phone, in both languages: it loads, nobody is kept out, nothing moves
sideways, no word is missing (the page says so on the console), and a picture is kept."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import SCREENSHOTS
from tests.browser.places import MISSING, PLACES, settled
from tests.browser.seeds import Seeds
from tests.browser.views import too_wide
from tests.browser.visitors import DESKTOP, PHONE, Visitor, Visitors

SCREENS = {"desktop": DESKTOP, "phone": PHONE}
# Each theme and each screen is looked at; what is the same in both is not looked for twice.
LOOKS = [("light", "desktop", True), ("dark", "desktop", True), ("dark", "phone", True), ("light", "phone", False)]


def picture(page: Page, name: str, look: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name.replace(', ', '-').replace(' ', '-')}-{look}.png")


def look(page: Page, name: str) -> list[str]:
    """What is wrong with a page that is shown, in each theme and on each screen."""
    problems: list[str] = []
    for theme, screen, searched in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(SCREENS[screen])
        settled(page)
        where = f"{theme}, {screen}"
        if searched:
            problems += [f"{where}: {each}" for each in axe.violations(page)]
        problems += [f"{where}: moves sideways: {each}" for each in too_wide(page)]
        picture(page, name, f"{screen}-{theme}")
    return problems


def in_portuguese(visitor: Visitor, name: str) -> list[str]:
    """The same address in the other language: longer words must have room, too."""
    page = visitor.page
    page.evaluate("localStorage.setItem('mutirao.language', 'pt-BR')")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    settled(page)
    picture(page, name, "phone-light-pt")
    problems = [f"Portuguese: moves sideways: {each}" for each in too_wide(page)]
    page.set_viewport_size(DESKTOP)
    settled(page)
    picture(page, name, "desktop-light-pt")
    return problems


@pytest.mark.parametrize("name", PLACES)
def test_a_page_is_for_everybody(visitors: Visitors, seeds: Seeds, name: str) -> None:
    visitor = visitors.visitor(script=axe.script())
    if name in MISSING:
        visitor.watch.expects(MISSING[name])
    visitor.page.goto(PLACES[name](seeds))
    settled(visitor.page)
    problems = look(visitor.page, name) + in_portuguese(visitor, name)
    assert problems == [], "\n".join(problems)


def test_signing_in_is_for_everybody(visitors: Visitors) -> None:
    visitor = visitors.visitor(stranger=True, script=axe.script())
    visitor.watch.expects(r"^401 GET /api/v1/session$")
    visitor.page.goto("jobs")
    problems = look(visitor.page, "sign-in") + in_portuguese(visitor, "sign-in")
    assert problems == [], "\n".join(problems)
