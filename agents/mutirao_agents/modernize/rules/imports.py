"""The import statements of a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fissix.pgen2 import token

from .grammar import SYMBOLS


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module. `module` keeps its leading dots; `names` is what `from module import …` takes ("*" too),
    empty for `import module`; `guarded` when a `try` around it expects the import to fail."""

    module: str
    names: list[str]
    line: int
    guarded: bool


def find_imports(tree: Any) -> Iterator[Import]:
    """The imports of a tree, in the order of their lines."""
    for node in tree.pre_order():
        if node.type == SYMBOLS.import_name:
            for module in _modules(node.children[1]):
                yield Import(module=module, names=[], line=node.get_lineno(), guarded=_guarded(node))
        elif node.type == SYMBOLS.import_from:
            words = [plain(child) for child in node.children]
            split = words.index("import")
            module = "".join(words[1:split])
            yield Import(module=module, names=_names(node, split), line=node.get_lineno(), guarded=_guarded(node))


def plain(node: Any, between: str = "") -> str:
    """The words of a node without blanks, comments and line ends."""
    return between.join(leaf.value for leaf in node.leaves())


def _modules(node: Any) -> Iterator[str]:
    if node.type == SYMBOLS.dotted_as_names:
        for child in node.children[::2]:
            yield from _modules(child)
    elif node.type == SYMBOLS.dotted_as_name:
        yield from _modules(node.children[0])
    else:
        yield plain(node)


def _names(node: Any, split: int) -> list[str]:
    names = []
    for child in node.children[split + 1 :]:
        parts = child.children if child.type == SYMBOLS.import_as_names else [child]
        for part in parts:
            if part.type in (token.NAME, token.STAR):
                names.append(part.value)
            elif part.type == SYMBOLS.import_as_name:
                names.append(part.children[0].value)
    return names


def _guarded(node: Any) -> bool:
    while node.parent is not None:
        if node.parent.type == SYMBOLS.try_stmt and _expects_failure(node.parent):
            return True
        node = node.parent
    return False


def _expects_failure(statement: Any) -> bool:
    # A bare `except` is a leaf of the statement, one that names an exception is a node.
    for child in statement.children:
        if child.type == SYMBOLS.except_clause:
            words = {leaf.value for leaf in child.leaves()}
            if words & {"ImportError", "ModuleNotFoundError", "Exception", "StandardError"}:
                return True
        elif getattr(child, "value", "") == "except":
            return True
    return False
