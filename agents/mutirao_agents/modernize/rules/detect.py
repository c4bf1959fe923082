"""Finds the constructs that need care in the tree of a file, before anything is rewritten."""

import re
from collections.abc import Callable, Collection, Iterator
from itertools import zip_longest
from typing import Any

from fissix.fixer_util import is_probably_builtin
from fissix.fixes import fix_imports, fix_imports2, fix_urllib
from fissix.pgen2 import token

from .findings import Construct, Finding
from .grammar import SYMBOLS
from .imports import Import, plain
from .modules import BYTE_MODULES, PYTHON2_MODULES, REMOVED_ATTRIBUTES, REMOVED_SUBMODULES, in_python3

_SHEBANG = re.compile(r"#!.*python2")
_HIGH_ESCAPE = re.compile(r"\\x[89a-fA-F]|\\[2-3][0-7]{2}")
_BINARY_MODE = re.compile(r"""['"][rwa]?\+?b\+?['"]""")

# Builtins that are gone, or mean something else, and the fixer that rewrites each.
_BUILTINS = {
    **{name: name for name in ("apply", "basestring", "execfile", "input", "intern", "long", "raw_input", "reduce")},
    **{"reload": "reload", "xrange": "xrange", "unicode": "unicode", "unichr": "unicode"},
    **{"StandardError": "standarderror"},
    **dict.fromkeys(("buffer", "cmp", "coerce", "file"), ""),
}
# People name variables like this: only a call counts.
_COMMON_NAMES = frozenset(("apply", "buffer", "coerce", "execfile", "file", "input", "intern", "reload"))
_METHODS = {
    "__nonzero__": "nonzero",
    "next": "next",
    **dict.fromkeys(
        "__cmp__ __coerce__ __delslice__ __div__ __getslice__ __hex__ __idiv__ __oct__ __rdiv__ __setslice__ "
        "__unicode__".split(),
        "",
    ),
}
_DICT_METHODS = {
    "has_key": "has_key",
    **dict.fromkeys(("iteritems", "iterkeys", "itervalues", "viewitems", "viewkeys", "viewvalues"), "dict"),
}
_MOVED_MODULES: dict[str, str] = {
    **{name: "imports" for name, to in fix_imports.MAPPING.items() if in_python3(to.split(".")[0])},
    **dict.fromkeys(fix_imports2.MAPPING, "imports2"),
    **dict.fromkeys(fix_urllib.MAPPING, "urllib"),
}

Found = Iterator[Finding]


def find_constructs(tree: Any, text: str, imports: Collection[Import], siblings: Collection[str]) -> list[Finding]:
    """All findings of a file, by line. `siblings` as in `Fixers.rewrite`."""
    found = [Finding(construct=Construct.SHEBANG, line=1)] if _SHEBANG.match(text) else []
    for node in tree.pre_order():
        for detect in _DETECTORS.get(node.type, ()):
            found += detect(node)
    features = tree.future_features
    if "division" in features:
        found = [finding for finding in found if finding.construct is not Construct.DIVISION]
    if "unicode_literals" in features:
        found = [finding for finding in found if finding.construct is not Construct.BYTE_LITERAL]
    for imported in imports:
        found += _import(imported, () if "absolute_import" in features else siblings)
    return sorted(found, key=lambda finding: (finding.line, finding.construct))


def _import(imported: Import, siblings: Collection[str]) -> Found:
    top = imported.module.split(".")[0]
    line = imported.line
    if not top:
        return
    if top in siblings:
        yield Finding(construct=Construct.LOCAL_IMPORT, line=line, fixer="import")
        return
    if top in BYTE_MODULES:
        yield Finding(construct=Construct.BYTE_MODULE, line=line)
    if imported.module in REMOVED_SUBMODULES or _removed_submodule(imported):
        yield Finding(construct=Construct.REMOVED_MODULE, line=line)
    elif top in _MOVED_MODULES:
        yield Finding(construct=Construct.REMOVED_MODULE, line=line, fixer=_MOVED_MODULES[top])
    elif top in PYTHON2_MODULES and not in_python3(top) and top != "__main__":
        yield Finding(construct=Construct.REMOVED_MODULE, line=line)
    gone = REMOVED_ATTRIBUTES.get(imported.module, {})
    for name in imported.names:
        if name in gone:
            yield Finding(construct=Construct.REMOVED_ATTRIBUTE, line=line)


def _removed_submodule(imported: Import) -> bool:
    return any(f"{imported.module}.{name}" in REMOVED_SUBMODULES for name in imported.names)


def _at(node: Any, construct: Construct, fixer: str = "") -> Finding:
    return Finding(construct=construct, line=node.get_lineno(), fixer=fixer)


def _print(node: Any) -> Found:
    yield _at(node, Construct.PRINT, "print")


def _except(node: Any) -> Found:
    if any(child.type == token.COMMA for child in node.children):
        yield _at(node, Construct.EXCEPT_COMMA, "except")


def _raise(node: Any) -> Found:
    # A bare `raise` is a leaf, so there always is something after the word.
    if _is_text(node.children[1]):
        yield _at(node, Construct.STRING_EXCEPTION)
    elif any(child.type == token.COMMA for child in node.children):
        yield _at(node, Construct.RAISE_COMMA, "raise")


def _is_text(node: Any) -> bool:
    """Whether an expression is a string, also one that is added to or formatted."""
    first = next(node.leaves())
    return bool(first.type == token.STRING and node.type != SYMBOLS.power)


def _exec(node: Any) -> Found:
    yield _at(node, Construct.EXEC, "exec")
    if "in" not in [getattr(child, "value", "") for child in node.children] and _inside(node, SYMBOLS.funcdef):
        yield _at(node, Construct.EXEC_SCOPE)


def _backtick(leaf: Any) -> Found:
    if leaf.next_sibling is not None:
        yield _at(leaf, Construct.BACKTICKS, "repr")


def _not_equal(leaf: Any) -> Found:
    if leaf.value == "<>":
        yield _at(leaf, Construct.NOT_EQUAL, "ne")


def _number(leaf: Any) -> Found:
    value: str = leaf.value
    if value[-1] in "lL":
        yield _at(leaf, Construct.LONG_LITERAL, "numliterals")
    elif value.isdigit() and value[0] == "0" and value.strip("0"):
        yield _at(leaf, Construct.OCTAL_LITERAL, "numliterals")


def _string(leaf: Any) -> Found:
    value: str = leaf.value
    prefix = value[: min(value.find(quote) for quote in "'\"" if quote in value)].lower()
    if "u" in prefix:
        yield _at(leaf, Construct.UNICODE_LITERAL, "unicode")
    elif not prefix and not _documents(leaf) and (not value.isascii() or _HIGH_ESCAPE.search(value)):
        yield _at(leaf, Construct.BYTE_LITERAL)


def _documents(leaf: Any) -> bool:
    """Whether a string is a statement by itself, which nothing reads but people."""
    return bool(leaf.parent.type == SYMBOLS.simple_stmt)


def _tuple_parameter(node: Any) -> Found:
    if node.children[0].type == token.LPAR:
        yield _at(node, Construct.TUPLE_PARAMETER, "tuple_params")


def _assignment(node: Any) -> Found:
    target = node.children[0]
    name = getattr(target, "value", "")
    if name == "__metaclass__":
        yield _at(node, Construct.METACLASS, "metaclass" if _inside(node, SYMBOLS.classdef) else "")
    elif name in ("True", "False", "None") and node.children[1].type == token.EQUAL:
        yield _at(node, Construct.CONSTANT_ASSIGNED)
    if any(getattr(child, "value", "") == "/=" for child in node.children):
        yield _at(node, Construct.DIVISION)


def _class(node: Any) -> Found:
    suite = node.children[-1]
    members = [child.children[-1] if child.type == SYMBOLS.decorated else child for child in suite.children]
    names = {member.children[1].value for member in members if member.type == SYMBOLS.funcdef}
    if "__eq__" in names and "__hash__" not in names and "__hash__" not in plain(suite, " ").split():
        yield _at(node, Construct.EQ_WITHOUT_HASH)


def _function(node: Any) -> Found:
    name = node.children[1].value
    if name in _METHODS and _inside(node, SYMBOLS.classdef):
        yield _at(node, Construct.REMOVED_METHOD, _METHODS[name])


def _division(node: Any) -> Found:
    for before, sign, after in zip(node.children, node.children[1:], node.children[2:], strict=False):
        if sign.type == token.SLASH and not (_fraction(before) or _fraction(after)):
            yield _at(sign, Construct.DIVISION)


def _fraction(node: Any) -> bool:
    if node.type == token.NUMBER:
        return not node.value.lower().startswith("0x") and any(c in node.value.lower() for c in ".ej")
    return bool(node.type == SYMBOLS.power and plain(node).startswith("float("))


def _name(leaf: Any) -> Found:
    if leaf.value == "print" and leaf.parent.type == SYMBOLS.simple_stmt:
        yield _at(leaf, Construct.PRINT, "print")
    elif leaf.value in _BUILTINS and is_probably_builtin(leaf):
        call = leaf.next_sibling
        called = call is not None and call.type == SYMBOLS.trailer and call.children[0].type == token.LPAR
        if called or leaf.value not in _COMMON_NAMES:
            yield _at(leaf, Construct.REMOVED_BUILTIN, _BUILTINS[leaf.value])


def _power(node: Any) -> Found:
    """Calls and attributes: `name(…)`, `module.name`, `thing.method(…)`."""
    first, rest = node.children[0], [child for child in node.children[1:] if child.type == SYMBOLS.trailer]
    if first.type == token.NAME and rest:
        yield from _call_of_name(first, rest[0])
        yield from _attribute(first, rest[0])
    for trailer, call in zip_longest(rest, rest[1:]):
        if trailer.children[0].type == token.DOT:
            yield from _method(trailer.children[1], call)


def _call_of_name(name: Any, trailer: Any) -> Found:
    if trailer.children[0].type != token.LPAR:
        return
    arguments = _arguments(trailer)
    if name.value == "sorted" and _compares(arguments, 1):
        yield _at(name, Construct.SORT_CMP, "sorted")
    elif name.value == "round":
        yield _at(name, Construct.ROUND)
    elif name.value == "__import__":
        yield _at(name, Construct.DYNAMIC_IMPORT)
    elif name.value in ("open", "file") and any(_BINARY_MODE.fullmatch(argument) for argument in arguments[1:2]):
        yield _at(name, Construct.BINARY_FILE)


def _attribute(name: Any, trailer: Any) -> Found:
    if trailer.children[0].type == token.DOT:
        gone = REMOVED_ATTRIBUTES.get(name.value, {})
        attribute = trailer.children[1].value
        if attribute in gone:
            yield _at(name, Construct.REMOVED_ATTRIBUTE, gone[attribute])


def _method(name: Any, call: Any) -> Found:
    called = call is not None and call.children[0].type == token.LPAR
    if name.value in _DICT_METHODS:
        yield _at(name, Construct.DICT_METHOD, _DICT_METHODS[name.value])
    elif called and name.value in ("encode", "decode"):
        yield _at(name, Construct.ENCODING)
    elif called and name.value == "sort" and _compares(_arguments(call), 0):
        yield _at(name, Construct.SORT_CMP, "sorted")


def _compares(arguments: list[str], position: int) -> bool:
    """Whether a sorting call gives a comparison function, by name or at `position`."""
    if any(argument.startswith("cmp=") for argument in arguments):
        return True
    at = arguments[position] if len(arguments) > position else "None"
    return at != "None" and "=" not in at.split("(")[0] and at[0] not in "0123456789'\""


def _arguments(trailer: Any) -> list[str]:
    if len(trailer.children) != 3:
        return []
    inner = trailer.children[1]
    parts = inner.children[::2] if inner.type == SYMBOLS.arglist else [inner]
    return [plain(part) for part in parts]


def _inside(node: Any, kind: int) -> bool:
    while node.parent is not None:
        node = node.parent
        if node.type == kind:
            return True
    return False


_DETECTORS: dict[int, tuple[Callable[[Any], Found], ...]] = {
    SYMBOLS.print_stmt: (_print,),
    SYMBOLS.except_clause: (_except,),
    SYMBOLS.raise_stmt: (_raise,),
    SYMBOLS.exec_stmt: (_exec,),
    token.BACKQUOTE: (_backtick,),
    token.NOTEQUAL: (_not_equal,),
    token.NUMBER: (_number,),
    token.STRING: (_string,),
    SYMBOLS.tfpdef: (_tuple_parameter,),
    SYMBOLS.vfpdef: (_tuple_parameter,),
    SYMBOLS.expr_stmt: (_assignment,),
    SYMBOLS.classdef: (_class,),
    SYMBOLS.funcdef: (_function,),
    SYMBOLS.term: (_division,),
    SYMBOLS.power: (_power,),
    token.NAME: (_name,),
}
