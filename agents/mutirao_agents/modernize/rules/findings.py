"""The constructs of Python 2 that need care, and where a file has them."""

from dataclasses import dataclass
from enum import StrEnum


class Construct(StrEnum):
    """A construct whose syntax, name or meaning is not the same in Python 3."""

    # Syntax that Python 3 refuses; a fixer rewrites it.
    PRINT = "print_statement"
    EXCEPT_COMMA = "except_comma"
    RAISE_COMMA = "raise_comma"
    BACKTICKS = "backticks"
    NOT_EQUAL = "not_equal_sign"
    EXEC = "exec_statement"
    LONG_LITERAL = "long_literal"
    OCTAL_LITERAL = "octal_literal"
    TUPLE_PARAMETER = "tuple_parameter"
    UNICODE_LITERAL = "unicode_literal"
    METACLASS = "metaclass"
    # Names that are gone.
    DICT_METHOD = "dict_method"
    REMOVED_BUILTIN = "removed_builtin"
    REMOVED_MODULE = "removed_module"
    REMOVED_ATTRIBUTE = "removed_attribute"
    REMOVED_METHOD = "removed_method"
    LOCAL_IMPORT = "implicit_relative_import"
    # The same words, another meaning.
    DIVISION = "integer_division"
    ENCODING = "encode_or_decode"
    BYTE_LITERAL = "byte_string_literal"
    BYTE_MODULE = "bytes_and_text_module"
    BINARY_FILE = "binary_file"
    STRING_EXCEPTION = "string_exception"
    EXEC_SCOPE = "exec_in_function"
    SORT_CMP = "sort_comparison"
    ROUND = "round"
    EQ_WITHOUT_HASH = "eq_without_hash"
    CONSTANT_ASSIGNED = "assigned_constant"
    DYNAMIC_IMPORT = "dynamic_import"
    SHEBANG = "python2_shebang"


EXPLAINED: dict[Construct, str] = {
    Construct.PRINT: "`print` as a statement",
    Construct.EXCEPT_COMMA: "`except Error, name`",
    Construct.RAISE_COMMA: "`raise Error, value`",
    Construct.BACKTICKS: "backticks for `repr`",
    Construct.NOT_EQUAL: "`<>` for `!=`",
    Construct.EXEC: "`exec` as a statement",
    Construct.LONG_LITERAL: "a long number such as `10L`",
    Construct.OCTAL_LITERAL: "an octal number such as `0755`",
    Construct.TUPLE_PARAMETER: "a parameter that unpacks a tuple",
    Construct.UNICODE_LITERAL: "a `u` string: text in both, but the plain strings beside it change from bytes to text",
    Construct.METACLASS: "`__metaclass__`",
    Construct.DICT_METHOD: "a method of `dict` that is gone (`has_key`, `iteritems`, …)",
    Construct.REMOVED_BUILTIN: "a builtin that is gone or means something else",
    Construct.REMOVED_MODULE: "a module that Python 3 no longer has under this name",
    Construct.REMOVED_ATTRIBUTE: "a function or constant that its module no longer has",
    Construct.REMOVED_METHOD: "a special method that Python 3 no longer calls under this name",
    Construct.LOCAL_IMPORT: "an import of a module beside the file, which Python 3 looks for elsewhere",
    Construct.DIVISION: "`/` gives a fraction for two integers; Python 2 rounded down",
    Construct.ENCODING: "`encode` or `decode`: only text encodes and only bytes decode",
    Construct.BYTE_LITERAL: "a plain string with bytes above 127: it becomes text of other length",
    Construct.BYTE_MODULE: "a module whose functions take or give bytes where Python 2 had strings",
    Construct.BINARY_FILE: "a file opened as binary gives bytes, one opened as text decodes",
    Construct.STRING_EXCEPTION: "`raise` of a string: Python 3 only raises exceptions",
    Construct.EXEC_SCOPE: "`exec` inside a function can no longer set its local variables",
    Construct.SORT_CMP: "sorting with a comparison function: Python 3 takes a key (`functools.cmp_to_key`)",
    Construct.ROUND: "`round` rounds halves to even and may give an integer",
    Construct.EQ_WITHOUT_HASH: "a class with `__eq__` and no `__hash__`: its objects can no longer be keys",
    Construct.CONSTANT_ASSIGNED: "an assignment to `True`, `False` or `None`",
    Construct.DYNAMIC_IMPORT: "a module imported by a computed name: neither graph nor fixers see it",
    Construct.SHEBANG: "a first line that asks for Python 2",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place. `fixer` is the fixer that rewrites it, empty when none does and a person has to look."""

    construct: Construct
    line: int
    fixer: str = ""
