"""What a shell is offered behind TAB: names and ids that the API knows. Where it does not answer at once, nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mutirao.client import Client

_SECONDS = 2.0
_MOST = 50


def _offered(find: "Callable[[Client], list[tuple[str, str]]]", begun: str) -> list[tuple[str, str]]:
    from mutirao.cli.session import connect
    from mutirao.errors import MutiraoError

    try:
        with connect(_SECONDS) as client:
            return [(name, about) for name, about in find(client) if name.startswith(begun)]
    except MutiraoError:
        return []


def workflow_names(incomplete: str) -> list[tuple[str, str]]:
    """Names of workflows, with what they are."""
    return _offered(
        lambda client: [(found.name, found.description.strip().partition("\n")[0]) for found in client.workflows()],
        incomplete,
    )


def job_ids(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest jobs, with workflow and state."""
    return _offered(
        lambda client: [(str(job.id), f"{job.workflow} {job.state}") for job in client.jobs(limit=_MOST)], incomplete
    )


def approval_ids(incomplete: str) -> list[tuple[str, str]]:
    """Ids of approvals that wait, with workflow and step."""
    return _offered(
        lambda client: [(str(row.id), f"{row.workflow} {row.step or ''}") for row in client.approvals(_MOST)],
        incomplete,
    )


def thread_ids(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest threads, with their status."""
    return _offered(
        lambda client: [(str(row.id), f"{row.workflow or ''} {row.status}") for row in client.threads(_MOST)],
        incomplete,
    )
