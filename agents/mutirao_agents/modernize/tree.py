"""The sources as a tree: who imports whom, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mutirao_agents.modernize.rules.answers import ImportRecord
from mutirao_agents.modernize.rules.modules import in_python3


def import_graph(imports: Mapping[str, Sequence[ImportRecord]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Edges between files of the tree, and imports that nothing there or in Python 3's library answers.

    Returns:
        edges `{"from", "to", "line"}` and missing `{"file", "module", "line"}`.
    """
    modules = _modules(imports)
    edges, missing = [], []
    for path, found in sorted(imports.items()):
        for record in found:
            target = _target(path, record, modules)
            if target is not None:
                edges.append({"from": path, "to": target, "line": record["line"]})
            elif not record["guarded"] and not record["module"].startswith(".") and not in_python3(record["module"]):
                missing.append({"file": path, "module": record["module"], "line": record["line"]})
    return edges, missing


def _modules(paths: Iterable[str]) -> dict[str, str]:
    """File of each dotted module name, for every folder the tree might be rooted in."""
    modules: dict[str, str] = {}
    for path in sorted(paths):
        parts = list(PurePosixPath(path).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        for start in range(len(parts)):
            modules.setdefault(".".join(parts[start:]), path)
    return modules


def _target(path: str, record: ImportRecord, modules: Mapping[str, str]) -> str | None:
    module = record["module"]
    if module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        base = PurePosixPath(path).parents[min(dots - 1, len(PurePosixPath(path).parents) - 1)]
        rest = [part for part in module.lstrip(".").split(".") if part]
        module = ".".join([*base.parts, *rest])
    return modules.get(module) or modules.get(module.rpartition(".")[0])
