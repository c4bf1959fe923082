"""The client and the API: every operation of the one has a verb of the other, with the parameters it takes."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from mutirao.client import AsyncClient, Client
from mutirao.client.verbs import Following, Listing, Verb

PREFIX = "/api/v1"
DOCUMENT = json.loads((Path(__file__).parents[2] / "deploy" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path.removeprefix(PREFIX)}": operation
    for path, found in DOCUMENT["paths"].items()
    if path.startswith(PREFIX)
    for method, operation in found.items()
}
VERBS: dict[str, Any] = {
    name: found
    for name in dir(Client)
    if isinstance(found := inspect.getattr_static(Client, name), Verb | Listing | Following)
}


def test_every_operation_has_a_verb_and_every_verb_an_operation() -> None:
    reached = {route for verb in VERBS.values() for route in verb.routes}
    assert sorted(OPERATIONS.keys() - reached) == [], "the client lacks these"
    assert sorted(reached - OPERATIONS.keys()) == [], "the API has none of these"
    assert len(OPERATIONS) >= 79


def test_both_clients_have_the_same_verbs() -> None:
    for name, verb in VERBS.items():
        assert inspect.getattr_static(AsyncClient, name) is verb
        assert verb.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if isinstance(verb, Listing)])
def test_a_list_has_the_rows_of_its_page(name: str) -> None:
    verb = VERBS[name]
    answer = OPERATIONS[verb.routes[0]]["responses"]["200"]["content"]["application/json"]["schema"]
    page = DOCUMENT["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
    assert set(page["properties"]) == {verb.rows, "next"}


# What a filter is called here where the API's own word would not say what it is.
_NAMES = {"states": "state", "job_id": "job", "thread_id": "thread"}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_sends_only_what_its_operation_takes(name: str) -> None:
    """What it has beyond its path and the words of the client is a query parameter, or a field of the body."""
    verb = VERBS[name]
    taken = {"limit", "revision", "self", "idempotency_key", "folder", "path", "artifact", "seconds", "wait_seconds"}
    for route in verb.routes:
        operation = OPERATIONS[route]
        taken |= {parameter["name"] for parameter in operation.get("parameters", ())}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            taken |= _fields(content["schema"])
    wanted = {_NAMES.get(word, word) if _NAMES.get(word) in taken else word for word in words(verb)}
    own = {"submit_batch": {"jobs"}, "add_document": {"name"}, "upload": {"name"}, "change_assistant": {"version"}}
    renamed = {"create_thread": {"thread_id"}, "deliveries": {"job"}, "settle_many": {"ids"}}
    assert wanted - taken - own.get(name, set()) - renamed.get(name, set()) == set()


def _fields(schema: dict[str, Any]) -> set[str]:
    schemas = [schema, *schema.get("anyOf", ())]
    named = [DOCUMENT["components"]["schemas"][one["$ref"].rpartition("/")[2]] for one in schemas if "$ref" in one]
    return {field for one in named for field in one.get("properties", {})}


def words(verb: Any) -> set[str]:
    """The names of its arguments, those of a typed `**` among them."""
    function = verb.described
    found: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found.add(name)
            continue
        [typed] = parameter.annotation.__args__
        found |= set(typed.__annotations__)
    return found
