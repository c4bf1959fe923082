"""Which file imports which: the imports of a source tree, resolved as Python 2 would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mutirao_agents.modernize.rules.answers import ImportRecord
from mutirao_agents.modernize.rules.modules import PYTHON2_MODULES, in_python3


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`source` imports `target` (both paths of the tree) in `line`."""

    source: str
    target: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A module that is neither in the tree nor in a standard library.

    `guarded` when a `try` expects the import to fail.
    """

    module: str
    path: str
    line: int
    guarded: bool


class ImportGraph:
    """Imports of a tree, by path. `edges` and `missing` are in the order of paths and lines."""

    def __init__(self, paths: Sequence[str], imports: Mapping[str, Sequence[ImportRecord]]) -> None:
        self._paths = frozenset(paths)
        self._roots = _roots(self._paths)
        self.edges: list[Edge] = []
        self.missing: list[Missing] = []
        for path in sorted(imports):
            for record in imports[path]:
                self._add(path, record)

    def unimported(self, entries: frozenset[str]) -> list[str]:
        """Python files that no other file imports and that do not look like a program (`entries`), a test, a set-up
        script or a package."""
        imported = {edge.target for edge in self.edges if edge.target != edge.source}
        return sorted(
            path
            for path in self._paths
            if path.endswith(".py") and path not in imported and path not in entries and not _called_by_name(path)
        )

    def _add(self, path: str, record: ImportRecord) -> None:
        targets = list(dict.fromkeys(self._targets(path, record)))
        self.edges += [Edge(source=path, target=target, line=record["line"]) for target in targets]
        top = record["module"].split(".")[0]
        known = top in PYTHON2_MODULES or in_python3(top)
        if not targets and top and not known:
            missing = Missing(module=record["module"], path=path, line=record["line"], guarded=record["guarded"])
            self.missing.append(missing)

    def _targets(self, path: str, record: ImportRecord) -> Iterator[str]:
        module = record["module"]
        for base in self._bases(path, module):
            parts = [part for part in module.lstrip(".").split(".") if part]
            found = self._file(base, parts)
            if found is None and (parts or not module.startswith(".")):
                continue
            if found:
                yield found
            for name in record["names"]:
                member = self._file(base, [*parts, name])
                if member:
                    yield member
            return

    def _bases(self, path: str, module: str) -> list[str]:
        """Folders (with a final slash, "" for the top) in which a module is looked for, in Python 2's order."""
        folder = path.rpartition("/")[0]
        dots = len(module) - len(module.lstrip("."))
        if dots:
            for _ in range(dots - 1):
                folder = folder.rpartition("/")[0]
            return [_slashed(folder)]
        return list(dict.fromkeys([_slashed(folder), *self._roots]))

    def _file(self, base: str, parts: Sequence[str]) -> str | None:
        if not parts:
            return base + "__init__.py" if base + "__init__.py" in self._paths else None
        stem = base + "/".join(parts)
        return next((p for p in (f"{stem}/__init__.py", f"{stem}.py") if p in self._paths), None)


def _roots(paths: frozenset[str]) -> list[str]:
    """Folders that may be on the module path: those with Python files or packages in them which are no packages."""
    folders = {_slashed(path.rpartition("/")[0]) for path in paths if path.endswith(".py")}
    packages = {folder for folder in folders if folder and folder + "__init__.py" in paths}
    above = {_slashed(package[:-1].rpartition("/")[0]) for package in packages}
    return sorted((folders | above) - packages, key=lambda folder: (folder.count("/"), folder))


def _slashed(folder: str) -> str:
    return folder + "/" if folder else ""


def _called_by_name(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in ("__init__.py", "__main__.py", "setup.py", "conftest.py") or "test" in path.lower()
