"""What a converter process answers, as plain JSON: these records are also what the job keeps in its state."""

from typing import NotRequired, TypedDict


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
    """Answer to `convert`; the frame's body is the new content, equal to the old when nothing changed.

    `reason` is empty when the rules were applied, else it says why the file was kept as it is.
    """

    grammar: str
    reason: str
    fixers: dict[str, int]
    notes: list[str]
    compiled: CompiledRecord
    findings: list[FindingRecord]
