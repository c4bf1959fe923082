"""What a person chooses for a browser stays: theme, language, time zone."""

import re

from playwright.sync_api import Page, expect

from tests.browser.places import settled


def test_theme_language_and_time_zone_are_kept(page: Page) -> None:
    page.goto("settings")
    settled(page)
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.locator("label", has=page.locator("input[name=theme][value=dark]")).click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_label("Time zone").first.fill("noronha")
    page.get_by_role("option", name="America/Noronha").click()
    expect(page.get_by_label("Time zone").first).to_have_value("America/Noronha")
    page.get_by_label("Language").select_option("pt-BR")
    expect(page.get_by_role("heading", level=1)).to_have_text("Preferências")
    expect(root).to_have_attribute("lang", "pt-BR")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preferências")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label("Fuso horário").first).to_have_value("America/Noronha")

    # Another page, of which all times are of that zone: two hours behind UTC.
    page.goto("jobs?workflow=boom")
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Tarefas")
    told = page.locator("[data-job] time").first
    instant, said = told.get_attribute("datetime"), told.get_attribute("title")
    assert instant is not None
    assert said is not None
    there = page.evaluate(
        """at => new Intl.DateTimeFormat("pt-BR", {timeZone: "America/Noronha", hour: "2-digit", minute: "2-digit"})
            .format(new Date(at))""",
        instant,
    )
    assert re.search(there, said), f"{there} in {said}"
