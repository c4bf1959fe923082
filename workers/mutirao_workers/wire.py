"""What graphs produce as JSON, in the form that clients of a LangGraph server know: messages as dictionaries of their
fields, sets as lists, bytes as base64, an exception as its class and its message, what has no such form as null."""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from re import Pattern
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from langgraph.types import Interrupt, Send
from mutirao.db.jsonb import dumps


def encoded(value: Any) -> bytes:
    """`value` as JSON that the database can keep; never raises."""
    return dumps(value, _plain)


def fragment(value: Any) -> orjson.Fragment:
    """`value` as JSON that is encoded once and for all, wherever it is put into."""
    return orjson.Fragment(encoded(value))


def plain(value: Any) -> Any:
    """`value` as what JSON can say: dictionaries, lists, text, numbers."""
    return orjson.loads(encoded(value))


def asked(interrupts: Iterable[Interrupt]) -> list[dict[str, Any]]:
    """Questions as a thread keeps them."""
    return [{"id": interrupt.id, "value": interrupt.value} for interrupt in interrupts]


_FORMS: tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((set, frozenset, deque), list),
    ((Send,), lambda send: {"node": send.node, "args": send.arg}),
    ((BaseException,), lambda error: {"error": type(error).__name__, "message": str(error)}),
    ((bytes, bytearray, memoryview), lambda data: b64encode(data).decode()),
    ((Decimal,), float),
    ((timedelta,), timedelta.total_seconds),
    ((PurePath, timezone, ZoneInfo, IPv4Address, IPv6Address), str),
    ((Pattern,), lambda pattern: pattern.pattern),
    ((Mapping,), dict),
)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump()
    return next((form(value) for types, form in _FORMS if isinstance(value, types)), None)
