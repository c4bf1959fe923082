"""What is done to jobs: cancel, pause, resume, retry, fork; to one, and to many."""

import re
from pathlib import Path

from mutirao.jobs.records import Job
from playwright.sync_api import Page, expect

from tests.browser.installed import Site
from tests.browser.places import settled
from tests.browser.views import expect_state, job_at, shown


def select(page: Page, *jobs: Job) -> None:
    """Check the boxes of rows."""
    for job in jobs:
        shown(page, job).get_by_role("checkbox").check()
    expect(page.get_by_role("toolbar").get_by_role("status")).to_have_text(f"{len(jobs)} selected")


def test_a_running_job_is_cancelled(page: Page, site: Site, gate: Path) -> None:
    job = site.submit("counts", {"until": 2, "gate": str(gate)})
    page.goto(f"jobs/{job.id}")
    expect_state(page, job, "running")
    page.get_by_role("button", name="Cancel the job").click()
    question = page.get_by_role("dialog")
    question.get_by_role("button", name="Let it go on").click()
    expect(question).to_have_count(0)
    page.get_by_role("button", name="Cancel the job").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect_state(page, job, "cancelled")
    expect(page.get_by_text(re.compile("^Cancelled on .+ by key:"))).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the job")).to_have_count(0)


def test_a_running_job_is_paused_and_goes_on(page: Page, site: Site, gate: Path) -> None:
    job = site.submit("notes", {"gate": str(gate)})
    page.goto(f"jobs/{job.id}")
    expect(page.locator("[data-step='wait'][data-state='running']").first).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("It will pause after the step it is in")).to_be_visible()
    gate.touch()
    expect_state(page, job, "paused")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect_state(page, job, "succeeded")
    events = [event.type for event in site.client.journal(job.id)]
    assert events.index("job.paused") < events.index("job.resumed")


def test_a_failed_job_goes_on_from_the_step_that_failed(page: Page, site: Site, gate: Path) -> None:
    job = site.ran("shaky", {"gate": str(gate)})
    page.goto(f"jobs/{job.id}")
    expect(page.get_by_role("alert").filter(has_text="the bank does not answer")).to_be_visible()
    gate.touch()
    page.get_by_role("button", name="Retry from step tries").click()
    expect_state(page, job, "succeeded")
    assert [event.step for event in site.client.journal(job.id) if event.type == "step.started"] == [
        "fine", "tries", "tries",
    ]  # fmt: skip


def test_a_job_is_forked_from_a_checkpoint_with_another_state(page: Page, site: Site) -> None:
    job = site.ran("noop", {"n": 1})
    page.goto(f"jobs/{job.id}")
    page.get_by_role("button", name="Fork…").click()
    dialog = page.get_by_role("dialog")
    places = dialog.get_by_label("Begin at")
    after_a = places.locator("option", has_text="after a ·").get_attribute("value")
    places.select_option(after_a)
    dialog.get_by_role("button", name="Change n").click()
    dialog.locator("textarea").fill("40")
    dialog.get_by_role("button", name="Fork", exact=True).click()
    fork = job_at(page, but=job)
    expect_state(page, fork, "succeeded")
    expect(page.get_by_text("Fork of")).to_be_visible()
    assert site.client.job(fork).output == {"n": 42}
    assert site.client.job(job.id).output == {"n": 4}


def test_several_are_cancelled_together(page: Page, site: Site) -> None:
    jobs = [site.submit("noop", {"n": n}, delay_seconds=86_400) for n in range(3)]
    over = site.ran("noop", {"n": 3})
    page.goto("jobs?workflow=noop")
    settled(page)
    select(page, *jobs, over)
    page.get_by_role("toolbar").get_by_role("button", name="Cancel jobs").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("1 of them has ended already")).to_be_visible()
    dialog.get_by_role("button", name="Cancel 4 jobs").click()
    expect(dialog.get_by_text("1 was refused")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_contain_text(str(over.id)[-8:])
    dialog.get_by_role("button", name="Close").last.click()
    for job in jobs:
        expect_state(page, job, "cancelled")
    expect_state(page, over, "succeeded")


def test_several_are_retried_together(page: Page, site: Site, gate: Path) -> None:
    jobs = [site.submit("shaky", {"gate": str(gate)}) for _ in range(3)]
    for job in jobs:
        site.until(job, "failed")
    gate.touch()
    page.goto("jobs?state=failed&workflow=shaky")
    settled(page)
    select(page, *jobs)
    page.get_by_role("toolbar").get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry 3 jobs").click()
    expect(page.get_by_text("3 jobs begin anew").first).to_be_visible()
    for job in jobs:
        expect_state(page, job, "succeeded")
