"""Places in a thread: `values.messages[-1].content`."""

import re
from collections.abc import Mapping
from typing import Any

ROOTS = ("values", "metadata", "interrupts", "config", "error")
_MOST_PARTS = 32
_PATH = re.compile(r"[^.\[\]]+(?:\[-?\d{1,9}\])*(?:\.[^.\[\]]+(?:\[-?\d{1,9}\])*)*")
_PART = re.compile(r"\[(-?\d+)\]|([^.\[\]]+)")


def known_path(path: str) -> str:
    """The path itself. Raises ValueError, saying what is wrong with it."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"path {path!r}: write it as values.messages[-1].content")
    parts = _PART.findall(path)
    if parts[0][1] not in ROOTS:
        raise ValueError(f"path {path!r} begins with {parts[0][1]!r}; it may begin with {', '.join(ROOTS)}")
    if len(parts) > _MOST_PARTS:
        raise ValueError(f"path {path[:80]!r} has {len(parts)} parts; at most {_MOST_PARTS}")
    return path


def extract(row: Mapping[str, Any], path: str) -> Any:
    """What is there; None when nothing is."""
    found: Any = row
    for number, name in _PART.findall(path):
        if number:
            place = int(number)
            there = isinstance(found, list) and -len(found) <= place < len(found)
            found = found[place] if there else None
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found
