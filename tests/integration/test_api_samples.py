"""The sample documents over HTTP: what a page needs to do what `mutirao demo` does."""

import pytest
from mutirao.samples import DEMO_COLLECTION, DEMO_TOPIC, DEMO_WORKFLOW, sample_documents

from tests.driven import Driven

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


async def test_samples_are_those_of_the_package(driven: Driven) -> None:
    answer = await driven.call("GET", "/samples")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["collection"] == DEMO_COLLECTION
    assert told["workflow"] == DEMO_WORKFLOW
    assert told["input"] == {"topic": DEMO_TOPIC, "collections": [DEMO_COLLECTION]}
    assert [sample["name"] for sample in told["documents"]] == [path.name for path in sample_documents()]
    for path, sample in zip(sample_documents(), told["documents"], strict=True):
        text = await driven.call("GET", f"/samples/{path.name}")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert text.content == path.read_bytes()
        assert sample == {"name": path.name, "language": path.parent.name, "size": len(text.content)}


@pytest.mark.parametrize("name", ["nothing.md", "..", "%2e%2e%2f__init__.py", "en%2fvisitor-questions.md"])
async def test_nothing_else_is_read(driven: Driven, name: str) -> None:
    answer = await driven.call("GET", f"/samples/{name}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_samples_need_a_key(driven: Driven) -> None:
    answer = await driven.call("GET", "/samples", headers={"Authorization": "Bearer mk_00000000.wrong"})
    assert answer.status_code == 401
