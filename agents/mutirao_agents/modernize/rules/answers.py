"""What a converter process answers, as plain JSON: these records are also what the job keeps in its state."""

from enum import StrEnum
from typing import NotRequired, TypedDict


class Grammar(StrEnum):
    """Which Python's grammar a file follows. It says nothing about the library or the meaning the file relies on."""

    PYTHON2 = "python2"  # parses as Python 2; Python 3 does not compile it
    PYTHON3 = "python3"  # Python 3 compiles it, and it uses syntax that Python 2 has not
    EITHER = "either"  # Python 3 compiles it, and nothing in its syntax is new in Python 3
    BROKEN = "broken"  # neither reads it
    UNKNOWN = "unknown"  # it could not be read within the limits of a converter process


class ImportRecord(TypedDict):
    """See `imports.Import`."""

    module: str
    names: list[str]
    line: int
    guarded: bool


class FindingRecord(TypedDict):
    """See `findings.Finding`."""

    construct: str
    line: int
    fixer: str


class CredentialRecord(TypedDict):
    """See `credentials.Credential`."""

    line: int
    kind: str
    masked: str


class Inspected(TypedDict):
    """Answer to `inspect`. The fields after `credentials` are there for Python files only.

    `reason` says why a file is broken; `entry` that it looks like a program or a test rather than a library.
    """

    lines: int
    binary: bool
    credentials: list[CredentialRecord]
    grammar: NotRequired[str]
    reason: NotRequired[str]
    encoding: NotRequired[str]
    newline: NotRequired[str]
    entry: NotRequired[bool]
    imports: NotRequired[list[ImportRecord]]
    findings: NotRequired[list[FindingRecord]]


class CompiledRecord(TypedDict):
    """See `grammar.Compiled`."""

    ok: bool
    line: int | None
    message: str
    warnings: list[str]


class Converted(TypedDict):
    """Answer to `convert`; the frame's body is the new content, equal to the old when it is not `changed`.

    `fixers` counts the places that each fixer changed. `reason` is empty when the rules were applied, else it says why
    the file was kept as it is.
    """

    grammar: str
    reason: str
    changed: bool
    fixers: dict[str, int]
    notes: list[str]
    compiled: CompiledRecord
    findings: list[FindingRecord]
