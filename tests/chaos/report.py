"""Rows as a Markdown table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos.scenario import Row

_HEAD = (
    "| fault | repetitions | jobs | lost | duplicated effects | stale commits fenced | re-run finished steps "
    "| recovery median s | max s | promises |\n|---|---|---|---|---|---|---|---|---|---|"
)


def markdown(rows: Sequence[Row], seed: int, seconds: float) -> str:
    """The table, its sums, and what is broken or was skipped."""
    done = [row for row in rows if not row.skipped]
    total = Row(
        name="**all**",
        repetitions=sum(row.repetitions for row in done),
        jobs=sum(row.jobs for row in done),
        lost=sum(row.lost for row in done),
        duplicated_effects=sum(row.duplicated_effects for row in done),
        fenced=sum(row.fenced for row in done),
        rerun=sum(row.rerun for row in done),
        broken=[text for row in done for text in row.broken],
    )
    lines = [_HEAD, *map(line, rows), line(total), "", f"Seed {seed}, {seconds:.0f} s.", ""]
    lines += [f"* **{row.name}**: {text}" for row in done for text in row.broken]
    lines += [f"* {row.name}: {text}" for row in done for text in row.notes]
    return "\n".join(lines) + "\n"


def line(row: Row) -> str:
    """One row of the table."""
    if row.skipped:
        return f"| {row.name} | skipped: {row.skipped} |" + " |" * 8
    kept = f"{len(row.broken)} broken" if row.broken else "kept"
    cells = (
        row.name, row.repetitions, row.jobs, row.lost, row.duplicated_effects, row.fenced, row.rerun,
        _seconds(row.recovery_median), _seconds(row.recovery_max), kept,
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def write(rows: Sequence[Row], seed: int, seconds: float, folder: Path) -> None:
    """`chaos-report.md` and `chaos-report.json` in the folder."""
    (folder / "chaos-report.md").write_text(markdown(rows, seed, seconds), encoding="utf-8")
    content = {"seed": seed, "seconds": round(seconds, 1), "rows": [asdict(row) for row in rows]}
    (folder / "chaos-report.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
