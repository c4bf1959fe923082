"""Importing a project's files and what is in them."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")


def import_file(path: Path) -> ModuleType:
    """The module of a Python file, under a name of its own. Raises what its code raises, FileNotFoundError, ImportError."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    # A name of its own per path: two files of the same name are two modules. Registered, as dataclasses and
    # postponed annotations look their module up.
    name = f"mutirao_project_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def import_target(folder: Path, target: str) -> tuple[ModuleType, Any]:
    """Module and value of `path.py:variable` or `module:variable`."""
    place, _, variable = target.rpartition(":")
    if not place or place.endswith(_SCRIPTS):
        raise ImportError(f"{target!r}: give `path.py:variable` or `module:variable`; only Python is run")
    module = _of_place(folder, place)
    try:
        return module, getattr(module, variable)
    except AttributeError:
        raise AttributeError(f"{place!r} has no {variable!r}") from None


def add_path(folder: Path) -> None:
    """Let a folder's modules be imported, before those of other folders."""
    if folder.is_dir() and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _of_place(folder: Path, place: str) -> ModuleType:
    if not place.endswith(".py") and "/" not in place:
        return importlib.import_module(place)
    path = (folder / place).resolve()
    if path.is_dir():
        path = path / "__init__.py"
    if not (path.parent / "__init__.py").is_file():
        return import_file(path)
    # In a package: by its full name, so that its relative imports work.
    names = [] if path.stem == "__init__" else [path.stem]
    top = path.parent
    while (top / "__init__.py").is_file():
        names.insert(0, top.name)
        top = top.parent
    add_path(top)
    return importlib.import_module(".".join(names))
