"""The OpenAPI document says what the API does: checked by hand, against the specification and against the app."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from mutirao.api.app import create_app
from mutirao.api.problems import speaks_a2a, speaks_langgraph
from mutirao.settings import Settings
from pydantic import TypeAdapter

from tests.servers import Servers

pytestmark = pytest.mark.integration

METHODS = {"get", "post", "put", "patch", "delete"}
PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
DETAIL = {"$ref": "#/components/schemas/Detail"}
RPC_FAILURE = {"$ref": "#/components/schemas/RpcFailure"}
OPEN = {("/livez", "get"), ("/readyz", "get"), ("/ok", "get"), ("/info", "get"), ("/api/v1/session", "post")}


@pytest.fixture(scope="module")
def document(servers: Servers) -> dict[str, Any]:
    answer = servers.http.get(f"{servers.url}/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_the_document_says_what_it_is(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Mutirão"
    assert document["info"]["version"]


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 10
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert operation["tags"], (path, method)


def test_every_reference_resolves_and_every_schema_is_used(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    used = set(references(document))
    assert {reference.rpartition("/")[2] for reference in used} == set(schemas)
    assert {reference.rpartition("/")[0] for reference in used} == {"#/components/schemas"}


def test_every_schema_is_a_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_parameter_of_a_path_is_declared(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        declared = {part["name"] for part in operation.get("parameters", []) if part["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), (path, method)


def error_of(path: str) -> dict[str, Any]:
    if speaks_langgraph(path):
        return {"application/json": {"schema": DETAIL}}
    if speaks_a2a(path):
        return {"application/json": {"schema": RPC_FAILURE}}
    return {"application/problem+json": {"schema": PROBLEM}}


def test_every_error_is_a_problem_and_nothing_else(document: dict[str, Any]) -> None:
    checked = 0
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            assert response["description"], (path, method, status)
            if status[0] in "45" and (path.startswith(("/api/", "/a2a/")) or speaks_langgraph(path)):
                assert response["content"] == error_of(path), (path, method, status)
                checked += 1
    assert checked > 30
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_of_the_api_needs_a_key_and_says_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    for path, method, operation in operations(document):
        if (path, method) not in OPEN:
            # Either of the two is enough.
            assert sorted(next(iter(way)) for way in operation["security"]) == sorted(schemes), (path, method)
            assert "401" in operation["responses"], (path, method)
        else:
            assert "security" not in operation, (path, method)


def test_every_operation_with_input_says_what_happens_when_it_is_wrong(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "parameters" in operation or "requestBody" in operation:
            assert "422" in operation["responses"], (path, method)
        if "requestBody" in operation:
            assert "413" in operation["responses"], (path, method)


def test_every_success_has_a_schema_or_a_media_type(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        success = {status: response for status, response in operation["responses"].items() if status[0] == "2"}
        assert len(success) == 1 or speaks_langgraph(path) or speaks_a2a(path), (path, method)
        for status, response in success.items():
            empty = status == "204" or (speaks_langgraph(path) and status == "202")
            assert empty or response.get("content"), (path, method, status)


def test_the_event_stream_is_declared_as_one(document: dict[str, Any]) -> None:
    responses = document["paths"]["/api/v1/jobs/{job_id}/events"]["get"]["responses"]
    assert list(responses["200"]["content"]) == ["text/event-stream"]


def test_the_document_covers_every_route_of_the_app(document: dict[str, Any], servers: Servers) -> None:
    unlisted = {"/metrics", "/openapi.json", "/docs", "/redoc"}
    listed = {(path, method) for path, method, _ in operations(document)}
    app = create_app(Settings())
    fresh = {(path, method) for path, method, _ in operations(app.openapi())}
    assert listed == fresh
    for path in unlisted:
        assert path not in document["paths"]
        assert servers.http.get(f"{servers.url}{path}").status_code == 200


def test_real_answers_fit_the_schemas_they_are_declared_with(document: dict[str, Any], servers: Servers) -> None:
    job = servers.run("files")
    failed = servers.run("boom")
    schedule = {"name": "validated", "workflow": "noop", "cron": "0 0 1 1 *", "input": {"n": 1}}
    made = servers.http.post("/schedules", json=schedule).json()
    gets = {
        "/api/v1/jobs/{job_id}/checkpoints": f"/jobs/{job['id']}/checkpoints",
        "/api/v1/jobs/{job_id}/children": f"/jobs/{job['id']}/children",
        "/api/v1/jobs/{job_id}/usage": f"/jobs/{job['id']}/usage",
        "/api/v1/jobs/{job_id}/approvals": f"/jobs/{job['id']}/approvals",
        "/api/v1/approvals": "/approvals",
        "/api/v1/schedules": "/schedules",
        "/api/v1/schedules/{schedule_id}": f"/schedules/{made['id']}",
        "/api/v1/project": "/project",
        "/api/v1/session": "/session",
        "/api/v1/system": "/system",
        "/api/v1/workflows/{name}/versions": "/workflows/noop/versions",
        "/api/v1/jobs": "/jobs",
        "/api/v1/jobs/{job_id}": f"/jobs/{failed['id']}",
        "/api/v1/jobs/{job_id}/attempts": f"/jobs/{failed['id']}/attempts",
        "/api/v1/jobs/{job_id}/journal": f"/jobs/{job['id']}/journal",
        "/api/v1/jobs/{job_id}/artifacts": f"/jobs/{job['id']}/artifacts",
        "/api/v1/workflows": "/workflows",
        "/api/v1/workflows/{name}": "/workflows/noop",
        "/api/v1/workers": "/workers",
    }
    for path, url in gets.items():
        answer = servers.http.get(url)
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validate(document, schema, answer.json())
    validate(document, PROBLEM, servers.http.get("/jobs/x").json())
    assert servers.http.delete(f"/schedules/{made['id']}").status_code == 204


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    TypeAdapter(dict[str, Any] | list[Any]).validate_python(value)
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)
