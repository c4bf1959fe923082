"""A job's input as people type it: JSON, or `key=value` pairs read by the workflow's schema."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mutirao.cli.output import stdin_text
from mutirao.errors import InvalidInput

Schema = Mapping[str, Any]
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class NoValue(ValueError):
    """Raised when a text is no value of the schema's type; the message says which type that is."""


def read_object(text: str, option: str = "--input") -> dict[str, Any]:
    """The value of an option as one JSON object: `text` itself, `@FILE`, or `-` for stdin.

    Raises:
        InvalidInput: it is not JSON, or not an object, or the file cannot be read.
    """
    source, content = _source(text, option)
    found = read_json(content, source)
    if not isinstance(found, dict):
        raise InvalidInput(f"{source} is not a JSON object but {type(found).__name__}: {content.strip()[:80]!r}")
    return found


def read_any(text: str, option: str) -> Any:
    """The value of an option as any JSON. Raises InvalidInput, which says what a text needs."""
    source, content = _source(text, option)
    try:
        return read_json(content, source)
    except InvalidInput as error:
        raise InvalidInput(f"{error.message}; a text needs quotes: {option} '\"yes\"'") from None


def read_json(text: str, source: str) -> Any:
    """`text` as JSON. Raises InvalidInput, which names the source."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{source} is not JSON: {error}") from None


def _source(text: str, option: str) -> tuple[str, str]:
    if text == "-":
        return "stdin", stdin_text()
    if text.startswith("@"):
        path = text.removeprefix("@")
        return path, _content(path, option)
    return option, text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _content(path: str, option: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{option} @{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{option} @{path}: not UTF-8 text") from None


def read_pairs(pairs: Iterable[str], schema: Schema, workflow: str) -> dict[str, Any]:
    """Input fields of `key=value` pairs; a list grows by repetition.

    A value is read as the type the schema gives the field; where it gives none, as JSON if it is that, else as text.

    Raises:
        InvalidInput: a pair has no `=`, the workflow has no such field, a value is of another type, or a field that
            holds one value is given twice.
    """
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"-i {pair!r} is not KEY=VALUE")
        wanted = _field(name, schema, workflow)
        try:
            if _holds_list(wanted, schema):
                fields.setdefault(name, []).extend(_items(value, wanted, schema))
            elif name in fields:
                raise InvalidInput(f"-i {name} is given twice and workflow {workflow!r} takes one value")
            else:
                fields[name] = read_value(value, wanted, schema)
        except NoValue as error:
            raise InvalidInput(f"-i {name}={value!r}: {error}", path=f"/{name}") from None
    return fields


def _field(name: str, schema: Schema, workflow: str) -> Schema:
    properties = resolved(schema, schema).get("properties", {})
    if name in properties:
        found: Schema = properties[name]
        return found
    others = schema.get("additionalProperties", True)
    if others is False:
        known = ", ".join(map(repr, properties)) or "no fields at all"
        raise InvalidInput(f"the input of workflow {workflow!r} has no field {name!r}; it has {known}")
    return others if isinstance(others, Mapping) else {}


def resolved(wanted: Schema, root: Schema) -> Schema:
    """`wanted` with its `$ref` followed; a reference to nowhere allows everything."""
    for _ in range(16):
        reference = wanted.get("$ref")
        if not isinstance(reference, str):
            return wanted
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
        wanted = target if isinstance(target, Mapping) else {}
    return {}


def variants(wanted: Schema, root: Schema) -> list[Schema]:
    """The schemas one of which a value must fit: those of `anyOf` and `oneOf`, each of a list of types."""
    wanted = resolved(wanted, root)
    choices = [*wanted.get("anyOf", ()), *wanted.get("oneOf", ())]
    if choices:
        return [variant for choice in choices for variant in variants(choice, root)]
    kinds = wanted.get("type")
    return [{**wanted, "type": kind} for kind in kinds] if isinstance(kinds, list) else [wanted]


def _holds_list(wanted: Schema, root: Schema) -> bool:
    return any(variant.get("type") == "array" for variant in variants(wanted, root))


def _items(text: str, wanted: Schema, root: Schema) -> list[Any]:
    """One item, or all of a JSON list."""
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return found
    of_list = next(variant for variant in variants(wanted, root) if variant.get("type") == "array")
    return [read_value(text, of_list.get("items", {}), root)]


def read_value(text: str, wanted: Schema, root: Schema) -> Any:
    """`text` as a value of the schema. Raises NoValue."""
    options = variants(wanted, root)
    failures: list[NoValue] = []
    for option in sorted(options, key=lambda option: option.get("type") == "string"):  # text fits always, so last
        try:
            return _READERS.get(str(option.get("type")), _any)(text)
        except NoValue as error:
            failures.append(error)
    raise failures[0]


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise NoValue("not a whole number") from None


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise NoValue("not a number") from None
    if found - found != 0:
        raise NoValue("not a finite number")
    return found


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise NoValue("not one of true, false")
    return _BOOLEANS[text.lower()]


def _null(text: str) -> None:
    if text != "null":
        raise NoValue("not null")


def _object(text: str) -> Any:
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NoValue("not a JSON object") from None
    if not isinstance(found, dict):
        raise NoValue("not a JSON object")
    return found


def _any(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


_READERS: dict[str, Callable[[str], Any]] = {
    "string": str, "integer": _integer, "number": _number, "boolean": _boolean, "null": _null, "object": _object,
}  # fmt: skip
