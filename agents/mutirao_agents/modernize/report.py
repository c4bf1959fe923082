"""What a conversion hands over: the report, the inventory, the diff, the zip and the manifest."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mutirao_agents.modernize.rules.findings import EXPLAINED, Construct

VERDICT = "NOT VERIFIED"
_WHY = (
    "Nothing was executed. This version converts and compiles; it does not yet run the original and the converted "
    "program on the same inputs, so it cannot say that they do the same. Every verdict is NOT VERIFIED until it can."
)
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_MOST_RISKS = 40


def report_markdown(files: Sequence[Mapping[str, Any]], missing: Sequence[Mapping[str, Any]]) -> str:
    """`report.md`: one row a file, then what a person has to look at, with its lines."""
    python = [file for file in files if file["python"]]
    changed = sum(bool(file["fixers"]) for file in python)
    compiles = sum(bool(file["compiles"]) for file in python)
    lines = [
        "# Python 2 to Python 3", "",
        f"{len(files)} files, {len(python)} of them Python; {changed} changed; {compiles} of {len(python)} compile under "
        "Python 3.", "",
        f"**Verdict of every file: {VERDICT}.** {_WHY}", "",
        "| file | lines | was | fixers | compiles | verdict |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [_row(file) for file in files]
    for file in python:
        lines += _details(file)
    if missing:
        lines += ["", "## Modules that were not found", ""]
        lines += [f"- `{entry['module']}` in {entry['file']}:{entry['line']}" for entry in missing]
    return "\n".join(lines) + "\n"


def _row(file: Mapping[str, Any]) -> str:
    if not file["python"]:
        return f"| {_cell(file['path'])} | {file['lines']} | copied | | | |"
    fixers = ", ".join(f"{name} × {count}" for name, count in file["fixers"].items()) or "none"
    compiles = "yes" if file["compiles"] else f"no: line {file['error_line']}"
    return f"| {_cell(file['path'])} | {file['lines']} | {file['grammar']} | {fixers} | {compiles} | {VERDICT} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _details(file: Mapping[str, Any]) -> list[str]:
    risks = Counter(finding["construct"] for finding in file["findings"] if not finding["fixer"])
    said = [file["reason"]] if file["reason"] else []
    said += [f"it does not compile: {file['error']}"] if not file["compiles"] else []
    said += [_risk(file, construct) for construct in risks]
    said += [f"fissix: {note}" for note in file["notes"]]
    said += [
        f"line {found['line']}: looks like a secret ({found['kind']}, {found['masked']})"
        for found in file["credentials"]
    ]
    if not said:
        return []
    return ["", f"## {file['path']}", "", *[f"- {line}" for line in said[:_MOST_RISKS]]]


def _risk(file: Mapping[str, Any], construct: str) -> str:
    places = [
        str(found["line"]) for found in file["findings"] if found["construct"] == construct and not found["fixer"]
    ]
    return f"{EXPLAINED[Construct(construct)]}: line {', '.join(places[:12])}{' …' if len(places) > 12 else ''}"


def inventory_json(
    files: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], missing: Sequence[Mapping[str, Any]]
) -> bytes:
    """`inventory.json`: files with their constructs and secrets (masked), the import graph, what is missing."""
    return as_json({"schema": 1, "files": list(files), "imports": list(edges), "missing": list(missing)})


def manifest_json(files: Sequence[Mapping[str, Any]]) -> bytes:
    """`manifest.json`: SHA-256 of every file before and after."""
    rows = [{"path": f["path"], "sha256_before": f["before"], "sha256_after": f["after"]} for f in files]
    return as_json({"schema": 1, "verdict": VERDICT, "executed": False, "files": rows})


def as_json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def zipped(contents: Sequence[tuple[str, int, bytes]]) -> bytes:
    """A zip of (path, permission bits, content), the same for the same contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, mode, data in contents:
            info = zipfile.ZipInfo(path, _FIXED_TIME)
            info.external_attr = (mode or 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return file.getvalue()
