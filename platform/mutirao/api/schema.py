"""`python -m mutirao.api.schema PATH`: write the API's OpenAPI document, and refuse what would break a client.

A document that is there already is what clients were built on. With `--breaking` it is replaced all the same.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mutirao.api.app import create_app
from mutirao.settings import Settings

_METHODS = ("get", "put", "post", "delete", "patch")
Schema = Mapping[str, Any]


def document() -> dict[str, Any]:
    """The document of this version, as every API serves it."""
    return create_app(Settings()).openapi()


def written(found: Schema) -> str:
    """The document as it is kept: one order, one form."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a client of `old` can no longer rely on: operations, parameters and fields that are gone or newly asked for."""
    return [*_operations(old, new), *_models(old, new)]


def _operations(old: Schema, new: Schema) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            name = f"{method.upper()} {path}"
            operation = new["paths"].get(path, {}).get(method)
            if operation is None:
                yield f"{name} is gone"
                continue
            yield from (f"{name}: {what}" for what in _parameters(methods[method], operation))
            gone = _successes(methods[method]) - _successes(operation)
            yield from (f"{name}: answers no more with {status}" for status in sorted(gone))


def _parameters(old: Schema, new: Schema) -> Iterator[str]:
    before = {(one["in"], one["name"]): one for one in old.get("parameters", ())}
    after = {(one["in"], one["name"]): one for one in new.get("parameters", ())}
    yield from (f"parameter {name!r} is gone" for place, name in before if (place, name) not in after)
    for key, one in after.items():
        if one.get("required") and not before.get(key, {}).get("required"):
            yield f"parameter {key[1]!r} must be sent now"
    if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
        yield "a body must be sent now"


def _successes(operation: Schema) -> set[str]:
    return {status for status in operation["responses"] if status.startswith("2")}


def _models(old: Schema, new: Schema) -> Iterator[str]:
    after = new["components"]["schemas"]
    for name, model in old["components"]["schemas"].items():
        found = after.get(name)
        if found is None:
            continue  # who uses it is told of what became of its fields
        fields, now = model.get("properties", {}), found.get("properties", {})
        yield from (f"{name}.{field} is gone" for field in fields if field not in now)
        yield from (
            (f"{name}.{field} must be sent now" for field in found.get("required", ()) if field not in fields)
            if _sent(new, name)
            else ()
        )
        for field in fields.keys() & now.keys():
            if _kind(fields[field]) != _kind(now[field]):
                yield f"{name}.{field} was {_kind(fields[field])} and is {_kind(now[field])}"
        gone = set(model.get("enum", ())) - set(found.get("enum", ()))
        yield from (f"{name} has no value {value!r} any more" for value in sorted(map(str, gone)))


def _sent(found: Schema, name: str) -> bool:
    """Whether clients send this model: a request's body is it."""
    reference = f'"#/components/schemas/{name}"'
    bodies = (
        operation.get("requestBody")
        for methods in found["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict)
    )
    return any(reference in json.dumps(body) for body in bodies if body)


def _kind(schema: Schema) -> str:
    """A field's type in a few words; that it may be null besides is no other type."""
    if "anyOf" in schema:
        kinds = sorted(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
        return " or ".join(kinds)
    reference = schema.get("$ref", "").rpartition("/")[2]
    return str(reference or schema.get("type", "anything"))


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1: a client would break, and nothing was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--breaking", action="store_true", help="write it even when clients will break")
    options = parser.parse_args(arguments)
    new = document()
    if options.path.is_file() and not options.breaking:
        broken = breaks(json.loads(options.path.read_text(encoding="utf-8")), new)
        if broken:
            sys.stderr.write("\n".join(["clients of the API would break:", *broken, "(--breaking writes it)"]) + "\n")
            return 1
    options.path.write_text(written(new), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
