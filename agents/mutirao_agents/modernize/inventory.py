"""The inventory of a source tree, made without a model: `inventory.json`.

::

    {"schema": 1,
     "archive": {"name", "size", "sha256"},
     "totals": {"files", "python", "lines", "python2", "python3", "either", "broken", "unknown", "secrets",
                "missing_modules"},
     "files": [{"path", "size", "sha256", "lines", "binary", "credentials": [{"line", "kind", "masked"}],
                and for Python files "grammar", "reason", "encoding", "newline", "entry",
                "imports": [{"module", "names", "line", "guarded"}], "constructs": {construct: [line, …]}}],
     "imports": [{"source", "target", "line"}],
     "missing": [{"module", "path", "line", "guarded"}],
     "unimported": [path, …],
     "explained": {construct: words}}

Sizes are bytes, lines count from 1, hashes are SHA-256 in hex, `grammar` is one of `rules.answers.Grammar`, and `reason`
says why a file is broken or unknown.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, cast

from mutirao_agents.modernize.archive import Archive, Entry
from mutirao_agents.modernize.graph import ImportGraph
from mutirao_agents.modernize.pool import ConverterFailed, ConverterPool
from mutirao_agents.modernize.records import Inventory
from mutirao_agents.modernize.rules.answers import Grammar, Inspected
from mutirao_agents.modernize.rules.findings import EXPLAINED

_PROGRESS_EVERY = 25


async def take_inventory(
    archive: Archive, pool: ConverterPool, *, seconds: float, progress: Callable[[int, int], None]
) -> Inventory:
    """Look at every file of the archive; `seconds` is the time limit of each, `progress` hears how many are done."""
    done = 0

    async def inspect(entry: Entry) -> Inspected:
        nonlocal done
        found = await _inspect(archive, entry, pool, seconds)
        done += 1
        if done % _PROGRESS_EVERY == 0 or done == len(archive.entries):
            progress(done, len(archive.entries))
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(inspect(entry)) for entry in archive.entries]
    return _assemble(archive, [task.result() for task in tasks])


async def _inspect(archive: Archive, entry: Entry, pool: ConverterPool, seconds: float) -> Inspected:
    header = {
        "op": "inspect",
        "path": entry.path,
        "python": entry.python,
        "siblings": archive.siblings(entry.path) if entry.python else [],
    }
    try:
        answer = await pool.ask(header, lambda: archive.read(entry.path), seconds=seconds)
    except ConverterFailed as error:
        return _unknown(str(error)) if entry.python else Inspected(lines=0, binary=False, credentials=[])
    return cast("Inspected", answer.header)


def _unknown(reason: str) -> Inspected:
    return Inspected(
        lines=0,
        binary=False,
        credentials=[],
        grammar=Grammar.UNKNOWN.value,
        reason=reason,
        encoding="",
        newline="",
        entry=False,
        imports=[],
        findings=[],
    )


def _assemble(archive: Archive, inspected: Sequence[Inspected]) -> Inventory:
    files = [_file(entry, found) for entry, found in zip(archive.entries, inspected, strict=True)]
    python = [file for file in files if "grammar" in file]
    graph = ImportGraph([entry.path for entry in archive.entries], {file["path"]: file["imports"] for file in python})
    return {
        "schema": 1,
        "archive": {"name": archive.name, "size": archive.size, "sha256": archive.sha256},
        "totals": {
            "files": len(files),
            "python": len(python),
            "lines": sum(file["lines"] for file in python),
            **{grammar.value: sum(file["grammar"] == grammar for file in python) for grammar in Grammar},
            "secrets": sum(len(file["credentials"]) for file in files),
            "missing_modules": len({missing.module for missing in graph.missing}),
        },
        "files": files,
        "imports": [asdict(edge) for edge in graph.edges],
        "missing": [asdict(missing) for missing in graph.missing],
        "unimported": graph.unimported(frozenset(file["path"] for file in python if file["entry"])),
        "explained": {construct.value: words for construct, words in EXPLAINED.items()},
    }


def _file(entry: Entry, found: Inspected) -> dict[str, Any]:
    file: dict[str, Any] = {"path": entry.path, "size": entry.size, "sha256": entry.sha256, **found}
    constructs: dict[str, list[int]] = {}
    for finding in file.pop("findings", []):
        constructs.setdefault(finding["construct"], []).append(finding["line"])
    if "grammar" in file:
        file["constructs"] = dict(sorted(constructs.items()))
    return file
