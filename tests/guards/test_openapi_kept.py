"""The committed OpenAPI document is the API's: who changes one sees what that does to clients."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mutirao.api.examples import EXAMPLES
from mutirao.api.schema import breaks, document, main, written

DOCUMENT = document()
KEPT = Path(__file__).parents[2] / "deploy" / "openapi.json"


def test_the_kept_document_is_that_of_this_version() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert breaks(kept, DOCUMENT) == [], "clients would break; `make schema SCHEMA=--breaking` if that is meant"
    assert KEPT.read_text(encoding="utf-8") == written(DOCUMENT), "run `make schema`"


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation that takes JSON: its name, and the schema and example of its body."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield f"{method.upper()} {path}", content["application/json"]


@pytest.mark.parametrize(("name", "body"), [*bodies()])
def test_every_body_has_an_example_that_fits_its_schema(name: str, body: dict[str, Any]) -> None:
    schema = body["schema"]
    model = DOCUMENT["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    found = body["example"] if "example" in body else model.get("example", (model.get("examples") or [None])[0])
    assert found is not None, f"{name} has no example: give one in mutirao.api.examples"
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(found)


def test_no_example_is_left_over() -> None:
    assert set(EXAMPLES) <= {name for name, _ in bodies()}


def _gone(found: dict[str, Any]) -> None:
    del found["paths"]["/api/v1/jobs"]["get"]


def _field(found: dict[str, Any]) -> None:
    del found["components"]["schemas"]["Job"]["properties"]["thread_id"]


def _kind(found: dict[str, Any]) -> None:
    found["components"]["schemas"]["Job"]["properties"]["workflow"] = {"type": "integer"}


def _asked(found: dict[str, Any]) -> None:
    found["components"]["schemas"]["JobRequest"]["required"].append("colour")


def _parameter(found: dict[str, Any]) -> None:
    for parameter in found["paths"]["/api/v1/jobs"]["get"]["parameters"]:
        parameter["required"] = parameter["required"] or parameter["name"] == "limit"


def _state(found: dict[str, Any]) -> None:
    found["components"]["schemas"]["JobState"]["enum"].remove("dead")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_gone, "GET /api/v1/jobs is gone"),
        (_field, "Job.thread_id is gone"),
        (_kind, "Job.workflow was string and is integer"),
        (_asked, "JobRequest.colour must be sent now"),
        (_parameter, "GET /api/v1/jobs: parameter 'limit' must be sent now"),
        (_state, "JobState has no value 'dead' any more"),
    ],
)
def test_what_breaks_a_client_is_named(change: Callable[[dict[str, Any]], None], said: str) -> None:
    new = copy.deepcopy(DOCUMENT)
    change(new)
    assert breaks(DOCUMENT, new) == [said]
    assert breaks(DOCUMENT, DOCUMENT) == []


def test_the_command_refuses_what_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mutirao.api.schema.document", lambda: DOCUMENT)  # it takes seconds to be made
    kept = tmp_path / "openapi.json"
    before = copy.deepcopy(DOCUMENT)
    before["paths"]["/api/v1/was"] = {"get": DOCUMENT["paths"]["/api/v1/workers"]["get"]}
    kept.write_text(json.dumps(before), encoding="utf-8")
    assert main([str(kept)]) == 1
    assert "GET /api/v1/was is gone" in capsys.readouterr().err
    assert main([str(kept), "--breaking"]) == 0
    assert json.loads(kept.read_text(encoding="utf-8")) == DOCUMENT
