"""The system as a project sees it: what waits where, and what nobody serves."""

import secrets
from typing import Any

import httpx
import pytest
from mutirao.catalogue import WorkflowEntry
from mutirao.ids import new_id

from tests.driven import Driven
from tests.stores import entry

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


async def system(driven: Driven) -> dict[str, Any]:
    answer = await driven.call("GET", "/system")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def queue(found: dict[str, Any], name: str) -> dict[str, Any]:
    [one] = [one for one in found["queues"] if one["name"] == name]
    return dict(one)


async def test_a_queue_says_what_waits_and_runs_and_who_serves_it(driven: Driven) -> None:
    before = queue(await system(driven), "default")
    await driven.running()
    await driven.submit()
    after = queue(await system(driven), "default")
    assert (after["running"], after["queued"]) == (before["running"] + 1, before["queued"] + 1)
    assert after["oldest_queued_at"] is not None
    assert after["workers"] >= 1
    assert after["slots"] >= 100


async def test_jobs_that_no_worker_serves_are_named_with_their_queue(driven: Driven) -> None:
    name, workflow = f"q-{secrets.token_hex(4)}", f"w-{secrets.token_hex(4)}"
    gone = new_id()
    await driven.stores.workers.register(
        gone, name=name, host="test", pid=1, kind="shared", queues=[name], slots=7, lease_seconds=60
    )
    lonely: WorkflowEntry = entry(workflow).model_copy(update={"queue": name})
    await driven.stores.catalogue.publish(gone, [lonely])
    for _ in range(2):
        answer = await driven.call("POST", "/jobs", json={"workflow": workflow})
        assert answer.status_code == 202, answer.text
    found = await system(driven)
    assert (queue(found, name)["workers"], queue(found, name)["slots"]) == (1, 7)
    assert name not in [one["queue"] for one in found["starved"]]
    await driven.stores.workers.stop(gone)
    found = await system(driven)
    assert [one for one in found["starved"] if one["queue"] == name] == [
        {"queue": name, "workflows": [workflow], "queued": 2}
    ]
    assert queue(found, name)["workers"] == 0
    with await driven.stranger() as stranger:
        theirs = stranger.get("/system").json()
    assert name not in str(theirs)


async def test_the_model_is_what_health_knows_of_it(driven: Driven) -> None:
    found = await system(driven)
    assert found["model"] == {"name": "none", "url_kind": "builtin", "healthy": True, "detail": None}
    assert found["version"] == httpx.get(f"{driven.servers.url}/livez", trust_env=False).json()["version"]
