"""`report.md`: what was done to a source tree, and what was not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mutirao_agents.modernize.records import Conversion, Counts, Inventory, Outcome
from mutirao_agents.modernize.rules.findings import EXPLAINED, Construct

MAX_LINES_SHOWN = 12
MAX_ROWS = 2_000


def count(inventory: Inventory, conversions: Sequence[Conversion]) -> Counts:
    """The numbers of a job."""
    outcomes = Counter(conversion["outcome"] for conversion in conversions)
    compiles = sum(conversion["compiled"]["ok"] for conversion in conversions)
    return Counts(
        files=inventory["totals"]["files"],
        python=inventory["totals"]["python"],
        excluded=inventory["totals"]["python"] - len(conversions),
        converted=outcomes[Outcome.CONVERTED],
        unchanged=outcomes[Outcome.UNCHANGED],
        kept=outcomes[Outcome.KEPT],
        compiles=compiles,
        does_not_compile=len(conversions) - compiles,
        secrets=inventory["totals"]["secrets"],
        missing_modules=inventory["totals"]["missing_modules"],
        to_review=sum(risk["count"] for conversion in conversions for risk in conversion["risks"]),
    )


def render(inventory: Inventory, conversions: Sequence[Conversion], tools: Mapping[str, str]) -> str:
    """The report as Markdown."""
    counts = count(inventory, conversions)
    files = {file["path"]: file for file in inventory["files"]}
    parts = [
        *_opening(inventory, counts, tools),
        *_table(conversions, files),
        *_failures(conversions),
        *_review(conversions),
        *_notes(conversions),
        *_missing(inventory),
        *_secrets(inventory),
        *_unimported(inventory),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _opening(inventory: Inventory, counts: Counts, tools: Mapping[str, str]) -> Iterator[str]:
    yield f"# Python 2 to Python 3: {code(inventory['archive']['name'])}\n"
    yield (
        "**Nothing was executed.** The files were rewritten by fixed rules and compiled; neither the original nor the "
        "converted program was run, so nothing here says that they do the same. The verdict on every file is "
        "**NOT VERIFIED**. No model took part.\n"
    )
    if not counts.python:
        yield "**The archive has no Python file.** Everything was copied as it is.\n"
    yield f"* {counts.files} files, {counts.python} of them Python ({inventory['totals']['lines']} lines)"
    yield (
        f"* {counts.converted} converted, {counts.unchanged} without anything to change, {counts.kept} kept as they "
        f"are, {counts.excluded} excluded by the job's input"
    )
    yield f"* {counts.compiles} compile under Python {tools['python']}, {counts.does_not_compile} do not"
    yield f"* {counts.to_review} places left that a person should look at"
    yield f"* {counts.missing_modules} imported modules not found, {counts.secrets} possible secrets in the files"
    yield f"* rules: fissix {tools['fissix']}\n"


def _table(conversions: Sequence[Conversion], files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not conversions:
        return
    yield "## Files\n"
    yield "Lines, and the line numbers further down, are those of the original files.\n"
    yield "| file | lines | grammar | outcome | rules that changed it | compiles | verdict | to review |"
    yield "|---|---:|---|---|---|---|---|---:|"
    for conversion in conversions[:MAX_ROWS]:
        file = files[conversion["path"]]
        fixers = ", ".join(f"{name} {times}" for name, times in conversion["fixers"].items()) or "none"
        left = sum(risk["count"] for risk in conversion["risks"])
        compiles = "yes" if conversion["compiled"]["ok"] else "**no**"
        yield (
            f"| {cell(conversion['path'])} | {file['lines']} | {file['grammar']} | {conversion['outcome']} | {fixers} "
            f"| {compiles} | {conversion['verdict']} | {left} |"
        )
    if len(conversions) > MAX_ROWS:
        yield f"\nThe other {len(conversions) - MAX_ROWS} files are in `inventory.json` and `manifest.json` only."
    yield ""


def _failures(conversions: Sequence[Conversion]) -> Iterator[str]:
    kept = [c for c in conversions if c["outcome"] == Outcome.KEPT]
    if kept:
        yield "## Kept as they are\n"
        yield from (f"* {code(c['path'])}: {text(c['reason'])}" for c in kept)
        yield ""
    failed = [c for c in conversions if not c["compiled"]["ok"]]
    if failed:
        yield "## Do not compile\n"
        yield "The line is that of the file in `converted.zip`.\n"
        for conversion in failed:
            line = f", line {conversion['compiled']['line']}" if conversion["compiled"]["line"] else ""
            yield f"* {code(conversion['path'])}{line}: {text(conversion['compiled']['message'])}"
        yield ""


def _review(conversions: Sequence[Conversion]) -> Iterator[str]:
    risky = [c for c in conversions if c["risks"]]
    if not risky:
        return
    yield "## To review\n"
    yield "What the rules do not settle, by file. Other differences may exist: this list comes from patterns.\n"
    seen: dict[str, None] = {}
    for conversion in risky[:MAX_ROWS]:
        yield f"* {code(conversion['path'])}"
        for risk in conversion["risks"]:
            seen.setdefault(risk["construct"])
            yield f"  * {risk['construct']}: {lines(risk['lines'], risk['count'])}"
    yield "\nIn words:\n"
    yield from (f"* **{construct}**: {EXPLAINED[Construct(construct)]}" for construct in sorted(seen))
    yield ""


def _notes(conversions: Sequence[Conversion]) -> Iterator[str]:
    noted = [c for c in conversions if c["notes"] or c["compiled"]["warnings"]]
    if not noted:
        return
    yield "## Warnings of the rules and of the compiler\n"
    for conversion in noted[:MAX_ROWS]:
        for note in [*conversion["notes"], *conversion["compiled"]["warnings"]]:
            yield f"* {code(conversion['path'])}: {text(note)}"
    yield ""


def _missing(inventory: Inventory) -> Iterator[str]:
    if not inventory["missing"]:
        return
    yield "## Imported modules that were not found\n"
    yield "Neither in the archive nor in a standard library: install a Python 3 version of each.\n"
    places: dict[str, list[str]] = {}
    for missing in inventory["missing"]:
        guarded = " (in a `try`)" if missing["guarded"] else ""
        places.setdefault(missing["module"], []).append(f"{code(missing['path'])} line {missing['line']}{guarded}")
    for module, found in sorted(places.items()):
        more = f" and {len(found) - MAX_LINES_SHOWN} more" if len(found) > MAX_LINES_SHOWN else ""
        yield f"* {code(module)}: {', '.join(found[:MAX_LINES_SHOWN])}{more}"
    yield ""


def _secrets(inventory: Inventory) -> Iterator[str]:
    found = [(file["path"], secret) for file in inventory["files"] for secret in file["credentials"]]
    if not found:
        return
    yield "## Possible secrets\n"
    yield (
        "Values are masked here. The converted files and the diff are copies of your source and still hold them: "
        "revoke what is real.\n"
    )
    for path, secret in found[:MAX_ROWS]:
        yield f"* {code(path)} line {secret['line']}: {secret['kind']} {code(secret['masked'])}"
    yield ""


def _unimported(inventory: Inventory) -> Iterator[str]:
    if not inventory["unimported"]:
        return
    yield "## Imported by no other file\n"
    yield "Dead code, or started in a way that imports do not show.\n"
    yield from (f"* {code(path)}" for path in inventory["unimported"][:MAX_ROWS])
    yield ""


def lines(numbers: Sequence[int], total: int) -> str:
    """`line 3`, `lines 3, 5`, `lines 3, 5 … (40 in all)`."""
    shown = ", ".join(str(number) for number in numbers[:MAX_LINES_SHOWN])
    more = f" … ({total} in all)" if len(numbers) > MAX_LINES_SHOWN or total > len(numbers) else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"


def code(value: str) -> str:
    """A name as inline code; names come from the archive and may hold any character but control ones."""
    fence = "`" * (max((len(run) for run in _backtick_runs(value)), default=0) + 1)
    blank = " " if "`" in value else ""
    return f"{fence}{blank}{value}{blank}{fence}"


def cell(value: str) -> str:
    """The same inside a table, where a bar would end the cell."""
    return code(value).replace("|", "\\|")


def text(value: str) -> str:
    """A message as plain text on one line."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in " ".join(value.split()))


def _backtick_runs(value: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in value).split() if run]
