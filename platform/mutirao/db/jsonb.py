"""JSON as PostgreSQL's `jsonb` can keep it, and every client can read it.

It cannot keep NUL characters, halves of surrogate pairs and endless nesting; integers beyond 64 bits would come back as
floats. What clients send is refused where it has any of these; what running steps produce is changed as little as
possible, so that an odd value never costs a job its journal or its output.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

DEEPEST = 100
_HALF = re.compile("[\ud800-\udfff]")
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1
_DECIMAL_BITS = 10_000  # Python writes longer integers in decimal only when asked twice
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def dumps(value: Any, default: Callable[[Any], Any] = repr) -> bytes:
    """`value` as JSON that can be kept; never raises. `default` makes something plain of an object.

    NUL becomes U+FFFD, half a surrogate pair `?`, an integer beyond 64 bits its digits as text, what is nested deeper
    than `DEEPEST` `…`.
    """
    try:
        encoded = orjson.dumps(value, default=default, option=_OPTIONS)
    except TypeError:
        encoded = orjson.dumps(_plain(value, default, ()), option=_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", encoded) if rb"\u0000" in encoded else encoded


def unkeepable(value: Any) -> str | None:
    """What of a JSON value cannot be kept as it is, with its path; None when all can."""
    try:
        encoded = orjson.dumps(value)
        if rb"\u0000" not in encoded and orjson.loads(encoded) == value:
            return None
    except TypeError:
        pass
    return _unkeepable(value, "")


def _unkeepable(value: Any, path: str) -> str | None:
    if path.count("/") > DEEPEST:
        return f"{path[:80]}…: nested deeper than {DEEPEST} levels"
    if isinstance(value, str):
        return _unkeepable_text(value, path)
    if isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
        return f"{path}: an integer beyond 64 bits; send it as text"
    if isinstance(value, float) and value - value != 0:
        return f"{path}: {value} is not JSON"
    if isinstance(value, dict):
        found = (
            _unkeepable(part, f"{path}/{_short(key)}") or _unkeepable_text(key, path) for key, part in value.items()
        )
        return next(filter(None, found), None)
    if isinstance(value, list):
        return next(filter(None, (_unkeepable(part, f"{path}/{at}") for at, part in enumerate(value))), None)
    return None


def _short(key: str) -> str:
    return key[:80].encode(errors="replace").decode().replace("\x00", "?").replace("/", "~1")


def _unkeepable_text(text: str, path: str) -> str | None:
    if "\x00" in text:
        return f"{path}: text with a NUL character"
    return f"{path}: text with half a surrogate pair" if _HALF.search(text) else None


def _plain(value: Any, default: Callable[[Any], Any], around: tuple[int, ...]) -> Any:
    """`around`: ids of what the value is in."""
    if len(around) > DEEPEST or id(value) in around:
        return "…"
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, str):
        return str(value).encode(errors="replace").decode()
    if isinstance(value, int):
        return int(value) if _LOWEST <= value <= _HIGHEST else _digits(value)
    around = (*around, id(value))
    if isinstance(value, dict):
        return {_key(key): _plain(part, default, around) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part, default, around) for part in value]
    return _plain(_defaulted(value, default), default, around)


def _key(key: Any) -> str:
    return (key if isinstance(key, str) else repr(key)).encode(errors="replace").decode()


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < _DECIMAL_BITS else f"{value:#x}"


def _defaulted(value: Any, default: Callable[[Any], Any]) -> Any:
    try:
        return orjson.loads(orjson.dumps(value, default=default, option=_OPTIONS))
    except TypeError:
        pass
    try:
        return default(value)
    except Exception:  # noqa: BLE001 (a user's object may fail at anything, even at saying what it is)
        return f"<{type(value).__name__}>"
