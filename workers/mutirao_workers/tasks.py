"""The one Celery task: a hint that some jobs may be claimed."""

from collections.abc import Callable
from uuid import UUID

from celery import Celery
from mutirao.hints import TASK_NAME


def register_tasks(app: Celery, hint: Callable[[UUID], None]) -> None:
    """Hand every hint that arrives to `hint`, which must return at once."""

    def on_hint(*job_ids: str) -> None:
        for job_id in job_ids:
            hint(UUID(job_id))

    app.task(on_hint, name=TASK_NAME, ignore_result=True)
