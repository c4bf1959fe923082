"""fissix's standard fixers, watched: which of them changed what, in which line, and what they warned about."""

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from fissix.refactor import RefactoringTool

from .names import STANDARD_FIXERS

_QUOTED_CODE = re.compile(r"could not convert: .*", re.DOTALL)
MAX_NOTES = 50
MAX_NOTE_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """What the fixers did to a tree: for each one that changed something the lines of the original where it did, in
    order, and the warnings of all of them."""

    lines: dict[str, list[int]]
    notes: list[str]


class Fixers:
    """The standard fixers but `skipped`. Building them takes 0.2 s; `rewrite` may then be called any number of times."""

    def __init__(self, skipped: Collection[str] = ()) -> None:
        logging.getLogger("RefactoringTool").setLevel(logging.ERROR)
        self._tool: Any = RefactoringTool(
            [f"fissix.fixes.fix_{name}" for name in STANDARD_FIXERS if name not in skipped]
        )
        self._siblings: frozenset[str] = frozenset()
        self._lines: dict[str, list[int]] = {}
        for fixer in (*self._tool.pre_order, *self._tool.post_order):
            self._watch(fixer)

    def rewrite(self, tree: Any, siblings: Collection[str] = ()) -> Rewritten:
        """Apply the fixers to `tree` in place.

        Args:
            siblings: names that `import name` finds beside the file, when the file is in a package: Python 2 takes
                those first, so they become relative imports.
        """
        self._siblings = frozenset(siblings)
        self._lines = {}
        self._tool.fixer_log.clear()
        self._tool.refactor_tree(tree, "this file")
        notes = [_without_code(note) for note in self._tool.fixer_log if not note.startswith("### In file")]
        lines = {name: sorted(found) for name, found in sorted(self._lines.items())}
        return Rewritten(lines=lines, notes=notes[:MAX_NOTES])

    def _watch(self, fixer: Any) -> None:
        name = type(fixer).__module__.rpartition(".fix_")[2]
        fixer.transform = self._watched(name, fixer.transform)
        if name == "import":
            # The fixer looks on the disk, where nothing of the project is.
            fixer.probably_a_local_import = self._is_sibling

    def _watched(self, name: str, transform: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def watched(node: Any, results: Any) -> Any:
            # A fixer gives a new node, puts one in the place of this, or changes this; some touch it without effect.
            line, before, parent = node.get_lineno(), str(node), node.parent
            new = transform(node, results)
            replaced = parent is not None and node.parent is None
            if replaced or str(node if new is None else new) != before:
                self._lines.setdefault(name, []).append(line)
            return new

        return watched

    def _is_sibling(self, imported: str) -> bool:
        return not imported.startswith(".") and imported.split(".")[0] in self._siblings


def _without_code(note: str) -> str:
    """A warning without the code it quotes: notes travel in events, and code may hold secrets."""
    return _QUOTED_CODE.sub("could not convert", note)[:MAX_NOTE_CHARS]
