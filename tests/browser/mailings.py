"""Jobs that ask before they send a mail, and what they were told."""

from typing import Any

from mutirao.jobs.records import Job

from tests.browser.installed import Site

TOPIC = "the summer fair"


def asking(site: Site) -> tuple[Job, str]:
    """A job that asks whether its mail may be sent, and the id of what it asks."""
    job = site.ran("mailing", {"topic": TOPIC}, "paused")
    [approval] = site.client.approvals_of(job.id)
    return job, str(approval.id)


def decision(site: Site, job: Job) -> dict[str, Any]:
    """What the graph was told."""
    output = site.until(job, "succeeded").output
    assert isinstance(output, dict)
    [told] = output["decisions"]
    return dict(told)
