"""The database allows exactly the moves that `TRANSITIONS` lists."""

from collections.abc import AsyncIterator, Iterator
from itertools import product

import psycopg
import pytest
from mutirao.ids import new_id
from mutirao.jobs.states import TRANSITIONS, JobState

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


@pytest.fixture
def connection(store: Stores) -> Iterator[psycopg.Connection[tuple[str, ...]]]:
    with psycopg.connect(store.db.url, autocommit=True) as found:
        yield found


def refusal(
    connection: psycopg.Connection[tuple[str, ...]], project: object, old: JobState, new: JobState
) -> tuple[str | None, str] | None:
    """Code and message with which the database keeps a job in the state `old` from the state `new`; None: it may move."""
    job, thread = new_id(), new_id()
    connection.execute("INSERT INTO threads (id, project_id) VALUES (%s, %s)", (thread, project))
    connection.execute(
        "INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, max_attempts) "
        "VALUES (%s, %s, %s, 'flow', '1', 'default', %s, 3)",
        (job, project, thread, old.value),
    )
    try:
        connection.execute("UPDATE jobs SET state = %s WHERE id = %s", (new.value, job))
    except psycopg.Error as error:
        return error.sqlstate, str(error)
    return None


async def test_the_database_allows_the_listed_moves_and_no_other(
    store: Stores, connection: psycopg.Connection[tuple[str, ...]]
) -> None:
    pairs = [(old, new) for old, new in product(JobState, JobState) if old is not new]
    answers = {pair: refusal(connection, store.project, *pair) for pair in pairs}
    assert {pair for pair, refused in answers.items() if refused is None} == set(TRANSITIONS)
    for (old, new), refused in answers.items():
        assert refused is None or refused[0] == "MU002"
        assert refused is None or f"may not move from {old} to {new}" in refused[1]


async def test_no_job_has_a_state_that_is_not_listed(
    store: Stores, connection: psycopg.Connection[tuple[str, ...]]
) -> None:
    job = await store.accept()
    with pytest.raises(psycopg.Error):
        connection.execute("UPDATE jobs SET state = 'lost' WHERE id = %s", (job.id,))
