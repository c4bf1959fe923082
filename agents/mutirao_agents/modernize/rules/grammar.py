"""Reading a file as Python 2 and as Python 3, without running any of it."""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fissix import pytree
from fissix.pgen2 import driver as _driver

# fissix keeps its parser tables in a pickle beside its own files, written without care for other processes that start
# at the same moment. Building them anew costs 30 ms.
_driver.load_grammar = partial(_driver.load_grammar, save=False, force=True)

from fissix import pygram, refactor  # noqa: E402  (its import builds the tables)
from fissix.pgen2 import parse as _parse  # noqa: E402
from fissix.pgen2 import token, tokenize  # noqa: E402

from .answers import Grammar  # noqa: E402

SYMBOLS = pygram.python_symbols
NODE_NAMES: dict[int, str] = {number: name for name, number in pygram.python_grammar.symbol2number.items()}


class Unparsable(ValueError):
    """Raised when a file does not parse; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """Whether this interpreter compiles a file; `line` (from 1) and `message` say why not."""

    ok: bool
    line: int | None = None
    message: str = ""
    warnings: list[str] = field(default_factory=list)


def parse(text: str) -> Any:
    """The fissix tree of `text`, whose `future_features` is the set of names imported from `__future__`.

    `print` and `exec` are read as statements; where that fails, as functions.

    Raises:
        Unparsable: no reading fits; the message is that of the first.
    """
    features = _future_features(text)
    grammars = [pygram.python_grammar_no_print_statement, pygram.python_grammar_no_print_and_exec_statement]
    if "print_function" not in features:
        grammars.insert(0, pygram.python_grammar)
    failures = []
    for grammar in grammars:
        try:
            tree = _driver.Driver(grammar, convert=pytree.convert).parse_string(text + "\n")
        except (_parse.ParseError, tokenize.TokenError, IndentationError) as error:
            failures.append(_explain(error))
            continue
        if unparse(tree) != text:
            raise Unparsable("the parser does not give this text back unchanged")
        tree.future_features = features
        return tree
    raise Unparsable(failures[0])


def unparse(tree: Any) -> str:
    """The text of a tree that `parse` made."""
    return str(tree).removesuffix("\n")


def compile_only(data: bytes, path: str) -> Compiled:
    """Compile for this Python 3 and throw the code away."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            compile(data, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            return Compiled(ok=False, line=error.lineno, message=f"{type(error).__name__}: {error.msg}")
        except (ValueError, OverflowError, RecursionError, MemoryError) as error:
            return Compiled(ok=False, message=f"{type(error).__name__}: {error}")
    said = [f"line {warning.lineno}: {warning.message}" for warning in caught]
    return Compiled(ok=True, warnings=sorted(set(said))[:20])


def classify(tree: Any | None, compiled: Compiled) -> Grammar:
    """The grammar of a file whose tree is None when fissix cannot parse it."""
    if compiled.ok:
        newer = tree is None or next(python3_only(tree), None) is not None
        return Grammar.PYTHON3 if newer else Grammar.EITHER
    return Grammar.BROKEN if tree is None else Grammar.PYTHON2


def python3_only(tree: Any) -> Iterator[tuple[int, str]]:
    """Line and name of each piece of syntax that Python 2 has not."""
    for node in tree.pre_order():
        found = _new_leaf(node) if isinstance(node, pytree.Leaf) else _new_node(node)
        if found:
            yield node.get_lineno(), found


def _new_leaf(leaf: Any) -> str | None:
    value: str = leaf.value
    if leaf.type == token.STRING and "f" in value[:2].lower().split("'")[0].split('"')[0]:
        return "f-string"
    if leaf.type == token.NUMBER and "_" in value:
        return "underscore in a number"
    if leaf.type == token.NAME and value == "nonlocal" and leaf.parent.type == SYMBOLS.global_stmt:
        return "nonlocal"
    return None


_NEW_NODES = {
    "async_funcdef": "async def",
    "async_stmt": "async statement",
    "annassign": "annotated variable",
    "tname": "annotated parameter",
    "star_expr": "starred expression",
    "namedexpr_test": "assignment expression",
}
_NEW_WORDS = {
    "funcdef": ("->", "annotated result"),
    "raise_stmt": ("from", "raise … from"),
    "yield_arg": ("from", "yield from"),
    "term": ("@", "matrix product"),
}


def _new_node(node: Any) -> str | None:
    name = NODE_NAMES.get(node.type, "")
    if name in _NEW_NODES:
        return _NEW_NODES[name]
    if name == "classdef":
        return "class keyword" if any(_keyword(child) for child in node.children) else None
    if name == "typedargslist":
        return "keyword-only parameter" if _parameter_after_star(node) else None
    word, found = _NEW_WORDS.get(name, (None, None))
    return found if word and any(getattr(child, "value", None) == word for child in node.children) else None


def _keyword(node: Any) -> bool:
    if node.type == SYMBOLS.arglist:
        return any(_keyword(child) for child in node.children)
    return bool(node.type == SYMBOLS.argument and len(node.children) == 3 and node.children[1].type == token.EQUAL)


def _parameter_after_star(node: Any) -> bool:
    values = [getattr(child, "value", "") for child in node.children]
    if "*" not in values:
        return False
    after = node.children[values.index("*") + 1 :]
    names = [c for c in after if c.type in (token.NAME, SYMBOLS.tname)]
    doubled = "**" in values
    bare = not after or after[0].type == token.COMMA
    return len(names) > (0 if bare else 1) + doubled


def _future_features(text: str) -> frozenset[str]:
    try:
        return frozenset(refactor._detect_future_features(text))
    except (tokenize.TokenError, IndentationError):
        return frozenset()


def _explain(error: Exception) -> str:
    if isinstance(error, _parse.ParseError):
        line, value = error.context[1][0], error.value
        # Messages travel in events, and a string of the source may be a secret.
        what = "a string" if error.type == token.STRING else repr(value[:40]) if value.strip() else "end of line"
        return f"line {line}: unexpected {what}"
    if isinstance(error, IndentationError):
        return f"line {error.lineno}: {error.msg}"
    message, position = error.args
    return f"line {position[0]}: {message}"


def version() -> str:
    """The Python whose compiler `compile_only` asks, for example `3.11.7`."""
    return ".".join(str(part) for part in sys.version_info[:3])
