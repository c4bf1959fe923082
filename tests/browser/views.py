"""What several tests look for on a page."""

import re
from uuid import UUID

from mutirao.jobs.records import Job
from playwright.sync_api import Locator, Page, expect

UUID_PATTERN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
JOB_PAGE = re.compile(rf"/ui/jobs/({UUID_PATTERN})")


def shown(page: Page, job: Job | UUID) -> Locator:
    """The state of a job in the head of its page, or its row of a list."""
    return page.locator(f"[data-job='{job if isinstance(job, UUID) else job.id}']").first


def expect_state(page: Page, job: Job | UUID, state: str) -> None:
    """Wait until the page says that a job is in this state."""
    expect(shown(page, job)).to_have_attribute("data-state", state)


def job_at(page: Page, *, but: Job | UUID | None = None) -> UUID:
    """The job whose page is opened; another one than the one that is left, where that is one."""
    left = "" if but is None else f"(?!{but if isinstance(but, UUID) else but.id})"
    expect(page).to_have_url(re.compile(rf"/ui/jobs/{left}{UUID_PATTERN}"))
    found = JOB_PAGE.search(page.url)
    assert found is not None
    return UUID(found.group(1))


def mark(page: Page) -> None:
    """Write something on a page that is gone as soon as it is loaded anew."""
    page.evaluate("window.marked = true")


def is_marked(page: Page) -> bool:
    """Whether the page is the one that was marked."""
    return bool(page.evaluate("window.marked === true"))


def tab_to(page: Page, wanted: Locator, most: int = 80) -> None:
    """Press Tab until something has the focus; there is no other way to it for whoever has no mouse."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached in {most} steps")


def too_wide(page: Page) -> list[str]:
    """What reaches beyond the right edge, when the page can be moved sideways."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
            .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
            .map(each => `<${each.tagName.toLowerCase()} class="${each.getAttribute("class")}">`)"""
    )
    return found
