"""The converter process: answers one request at a time over its standard input and output until the input ends.

Requests (frames): `inspect`, `convert`, `check` and `diff`; see the functions of the same names. The process limits
itself: its memory, the files it could write, and for every request a timer of the system, which ends it when a rule
hangs and nobody is left to end it.
"""

import dataclasses
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, BinaryIO

from .answers import Converted, Grammar, Inspected
from .credentials import find_credentials
from .detect import find_constructs
from .fixers import Fixers, Rewritten
from .frames import Frame, read_frame, write_frame
from .grammar import Unparsable, classify, compile_only, parse, unparse, version
from .imports import find_imports
from .patch import unified
from .source import Source, SourceUnreadable, decode

TOO_DEEP = "it is nested too deeply for the parser"
# What a caller's own time limit may be late by before the timer of the system ends the process.
GRACE_SECONDS = 5.0


def inspect(header: dict[str, Any], data: bytes) -> Frame:
    """What a file is. Header: `path`, `python` (whether it is Python by its name or first line), `siblings`."""
    answer = Inspected(
        lines=_count_lines(data),
        binary=b"\0" in data[:8192],
        credentials=[dataclasses.asdict(found) for found in find_credentials(data)],  # type: ignore[misc] # the fields are the same
    )
    if header["python"]:
        answer.update(_inspected_python(header, data))  # type: ignore[typeddict-item] # keys of `Inspected`
    return Frame(header=dict(answer))


def _inspected_python(header: dict[str, Any], data: bytes) -> dict[str, Any]:
    compiled = compile_only(data, header["path"])
    source, tree, reason = _read(data)
    imports = list(find_imports(tree)) if tree is not None else []
    text = source.text if source else ""
    findings = find_constructs(tree, text, imports, header["siblings"]) if tree is not None else []
    grammar = classify(tree, compiled)
    return {
        "grammar": grammar,
        "reason": reason if grammar is Grammar.BROKEN else "",
        "encoding": source.encoding if source else "",
        "newline": {"\n": "lf", "\r\n": "crlf", "\r": "cr"}.get(source.newline, "mixed") if source else "",
        "entry": text.startswith("#!") or "__main__" in text,
        "imports": [dataclasses.asdict(imported) for imported in imports],
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }


def convert(header: dict[str, Any], data: bytes) -> Frame:
    """Apply the fixers and compile the result. Header: `path`, `siblings`, `skip_fixers`."""
    source, tree, reason = _read(data)
    before = compile_only(data, header["path"])
    grammar = classify(tree, before)
    findings = []
    rewritten = Rewritten(lines={}, notes=[])
    new = data
    if source is not None and tree is not None:
        findings = find_constructs(tree, source.text, list(find_imports(tree)), header["siblings"])
        if grammar is Grammar.PYTHON3:
            reason = "it is Python 3 already"
        else:
            rewritten = _fixers(frozenset(header["skip_fixers"])).rewrite(tree, header["siblings"])
            new = source.with_text(unparse(tree)).encode()
    answer = Converted(
        grammar=grammar,
        reason=reason,
        changed=new != data,
        fixers={name: len(lines) for name, lines in rewritten.lines.items()},
        notes=rewritten.notes,
        compiled=dataclasses.asdict(compile_only(new, header["path"])),  # type: ignore[typeddict-item] # so are these
        findings=[dataclasses.asdict(finding) for finding in findings],  # type: ignore[misc] # and these
    )
    return Frame(header=dict(answer), body=new)


def check(header: dict[str, Any], data: bytes) -> Frame:
    """Whether a file compiles as it is. Header: `path`."""
    return Frame(header=dataclasses.asdict(compile_only(data, header["path"])))


def diff(header: dict[str, Any], data: bytes) -> Frame:
    """The unified diff of two contents in one body. Header: `path`, `old_bytes`, the size of the first."""
    old = header["old_bytes"]
    return Frame(header={}, body=unified(data[:old], data[old:], header["path"]))


def _read(data: bytes) -> tuple[Source | None, Any | None, str]:
    """The source and its tree; None for each that cannot be had, and then why."""
    source = None
    try:
        source = decode(data)
        return source, parse(source.text), ""
    except (SourceUnreadable, Unparsable) as error:
        return source, None, str(error)


def _count_lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


@lru_cache(maxsize=4)
def _fixers(skipped: frozenset[str]) -> Fixers:
    return Fixers(skipped)


_OPERATIONS: dict[str, Callable[[dict[str, Any], bytes], Frame]] = {
    "inspect": inspect,
    "convert": convert,
    "check": check,
    "diff": diff,
}


def answer(request: Frame) -> Frame:
    """The answer to a request; its header is `{"failed": reason}` when the file was too much for the rules."""
    try:
        return _OPERATIONS[request.header["op"]](request.header, request.body)
    except RecursionError:
        return Frame(header={"failed": TOO_DEEP})
    except MemoryError:
        return Frame(header={"failed": "it takes more memory than a converter process may have"})
    except Exception as error:  # noqa: BLE001  (fissix raises anything on odd input; the job must go on)
        return Frame(header={"failed": f"the rules failed on it ({type(error).__name__})"})


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until they end."""
    write_frame(answers, Frame(header={"ready": version()}))
    while (request := read_frame(requests)) is not None:
        signal.setitimer(signal.ITIMER_REAL, request.header["seconds"] + GRACE_SECONDS)
        write_frame(answers, answer(request))
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(memory_bytes: int) -> None:
    """Run as a process: limit it, keep the answers apart from anything a library prints, serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _fixers(frozenset())
    sys.dont_write_bytecode = True
    for limit, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))
    serve(sys.stdin.buffer, answers)
