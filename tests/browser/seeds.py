"""What there is to see: made once for all tests, which change nothing of it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mutirao import samples

from tests.browser.installed import Site

COLLECTION = "library"
SHOP = Path(__file__).parents[1] / "fixtures" / "py2" / "shop"
NAMES = ("composting-handbook.md", "garden-agreement.md", "agua-para-beber.md")


@dataclass(frozen=True)
class Seeds:
    """Ids of jobs by what they show, and of what belongs to them."""

    report: UUID
    document: UUID
    failed: UUID
    asks: UUID
    approval: UUID
    nested: UUID
    files: UUID
    children: UUID
    spoken: UUID
    cancelled: UUID
    delayed: UUID
    exhausted: UUID
    conversion: UUID
    thread: UUID


def seed(site: Site) -> Seeds:
    """Submit all, then wait for all."""
    documents = [path for path in samples.sample_documents() if path.name in NAMES]
    added = [site.client.add_document(COLLECTION, path).document for path in documents]
    failed = site.submit("boom", {"n": 1})
    asks = site.submit("mailing", {"topic": "the summer fair"})
    nested, files = site.submit("nested", {"n": 1}), site.submit("files", {"n": 1})
    children = site.submit("spread", {"count": 4})
    spoken = site.submit("speaks", {"text": "Many hands make light work."})
    delayed = site.submit("noop", {"n": 1}, delay_seconds=86_400)
    exhausted = site.submit("consults", {"calls": 3}, budget={"model_calls": 1})
    cancelled = site.submit("noop", {"n": 2}, delay_seconds=86_400)
    site.client.cancel(cancelled.id)
    conversion = site.submit("modernize", {"upload_id": str(_uploaded(site, SHOP))})
    chatted = site.submit("echo_chat", {"messages": [{"role": "user", "content": "Good morning"}]})
    for document in added:
        assert document.job_id is not None
        site.until(document.job_id)
    report = site.submit("report", {"topic": "How a garden is run together", "collections": [COLLECTION]})
    for job in (failed, nested, files, children, spoken, exhausted, cancelled, conversion, chatted, report):
        site.until(job)
    site.until(asks, "paused")
    [approval] = site.client.approvals_of(asks.id)
    return Seeds(
        report=report.id, document=added[0].id, failed=failed.id, asks=asks.id, approval=approval.id, nested=nested.id,
        files=files.id, children=children.id, spoken=spoken.id, cancelled=cancelled.id, delayed=delayed.id,
        exhausted=exhausted.id, conversion=conversion.id, thread=chatted.thread_id,
    )  # fmt: skip


def _uploaded(site: Site, tree: Path) -> UUID:
    """An archive of the files of a folder, sent to the API."""
    with tempfile.TemporaryDirectory() as folder:
        archive = shutil.make_archive(str(Path(folder) / tree.name), "zip", tree)
        return site.client.upload(Path(archive)).id
