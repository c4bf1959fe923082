"""Unified diffs of bytes, as `git apply` and `patch -p1` take them."""

import difflib
from collections.abc import Iterable

_NO_NEWLINE = b"\n\\ No newline at end of file\n"


def unified(old: bytes, new: bytes, path: str) -> bytes:
    """The diff that turns `old` into `new`; empty when they are the same. Takes time for long, very different files."""
    if old == new:
        return b""
    hunks = difflib.diff_bytes(difflib.unified_diff, split_lines(old), split_lines(new), b"", b"", n=3)
    return _assemble(path, list(hunks)[2:])


def replacement(old: bytes, new: bytes, path: str) -> bytes:
    """The same in one hunk that takes all lines out and puts all lines in: long, but made in no time."""
    before, after = split_lines(old), split_lines(new)
    head = f"@@ -{_range(len(before))} +{_range(len(after))} @@\n".encode()
    return _assemble(path, [head, *(b"-" + line for line in before), *(b"+" + line for line in after)])


def split_lines(data: bytes) -> list[bytes]:
    """Lines as diff and patch see them: only "\\n" ends one."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _assemble(path: str, lines: Iterable[bytes]) -> bytes:
    # Tools cut a name at its first blank unless a tab follows it.
    tab = "\t" if " " in path else ""
    head = f"--- a/{path}{tab}\n+++ b/{path}{tab}\n".encode()
    return head + b"".join(line if line.endswith(b"\n") else line + _NO_NEWLINE for line in lines)


def _range(lines: int) -> str:
    return "0,0" if lines == 0 else f"1,{lines}"
