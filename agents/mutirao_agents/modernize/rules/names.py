"""Names of the rules."""

# Every fixer of fissix that 2to3 applies without being asked.
STANDARD_FIXERS = (
    "apply", "asserts", "basestring", "dict", "except", "exec", "execfile", "exitfunc", "filter", "funcattrs",
    "future", "getcwdu", "has_key", "import", "imports", "imports2", "input", "intern", "isinstance", "itertools",
    "itertools_imports", "long", "map", "metaclass", "methodattrs", "ne", "next", "nonzero", "numliterals", "operator",
    "paren", "print", "raise", "raw_input", "reduce", "reload", "renames", "repr", "sorted", "standarderror",
    "sys_exc", "throw", "tuple_params", "types", "unicode", "urllib", "xrange", "xreadlines", "zip",
)  # fmt: skip
