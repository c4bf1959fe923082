"""Log files of the parts: capped when a part starts, shown when it fails."""

from pathlib import Path

MAX_BYTES = 5 << 20
KEPT = 2
"""Older files kept beside each log."""
TAIL_LINES = 15
TAIL_BYTES = 16 << 10


def rotate(log: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move a log that has grown past `max_bytes` aside (`.1`, then `.2`, then gone). Call it before a part starts."""
    if not log.exists() or log.stat().st_size < max_bytes:
        return
    for number in range(KEPT, 0, -1):
        older = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented; a word in brackets when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return "  (no log)"
    found = text.rstrip().splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in found) or "  (the log is empty)"
