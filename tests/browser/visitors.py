"""Browsers of people: each with a context of its own, watched, and signed in unless it is a stranger."""

import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Error, Page

from tests.browser.installed import Site
from tests.browser.watch import Watch

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PICTURE_MS = 5_000


class Visitor:
    """A context with one page. `watch` says what went wrong in it."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.context = context
        self.watch = Watch(context, origin)
        self.page: Page = context.new_page()


class Visitors:
    """Opens contexts on one site and closes them all."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self._browser = browser
        self.site = site
        self.all: list[Visitor] = []

    def visitor(
        self, *, key: str | None = None, stranger: bool = False, at: str | None = None, script: str = "", **options: Any
    ) -> Visitor:
        """A new one: signed in with `key` (the site's own unless it is given) by a one-time link, unless a `stranger`.

        `at` is where the site is seen from: its own address, or that of a proxy, with its prefix. `script` runs in each page
        before its own.
        """
        base = (at or self.site.url).rstrip("/")
        chosen = {
            "viewport": DESKTOP, "locale": "en-US", "timezone_id": "UTC", "color_scheme": "light", "reduced_motion": "reduce",
        }  # fmt: skip
        context = self._browser.new_context(base_url=f"{base}/ui/", **(chosen | options))
        if script:
            context.add_init_script(script)
        if not stranger:
            token = urlsplit(self.site.link(key)).fragment
            entered = context.request.post(f"{base}/api/v1/session", data={"link": token})
            assert entered.ok, entered.text()
        origin = urlsplit(base)
        visitor = Visitor(context, f"{origin.scheme}://{origin.netloc}")
        self.all.append(visitor)
        return visitor

    def picture(self, folder: Path, name: str) -> None:
        """What each of them sees, as files of `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, visitor in enumerate(self.all):
            # A page that hangs has no picture, and what is wrong is known without one.
            with contextlib.suppress(Error):
                visitor.page.screenshot(path=folder / f"{name}-{number}.png", timeout=PICTURE_MS)

    def close(self) -> list[str]:
        """Close all; what went wrong in any of them."""
        for visitor in self.all:
            visitor.context.close()
        return [problem for visitor in self.all for problem in visitor.watch.problems]
