"""Starts the workers again when the project's code changes."""

import asyncio
import time
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mutirao.stack.keeper import Keeper
from mutirao.stack.status import Audience

WATCHED_SUFFIXES = (".py",)
WATCHED_NAMES = ("mutirao.toml", "langgraph.json", "pyproject.toml")
SKIPPED = frozenset({
    ".git", ".hg", ".mutirao", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache",
    ".pytest_cache", ".tox", "dist", "build", "site-packages",
})  # fmt: skip
DEBOUNCE_MILLISECONDS = 300
SHOWN = 3


def is_watched(path: Path) -> bool:
    """Whether a change of this file concerns the workers."""
    if SKIPPED.intersection(path.parts):
        return False
    return path.suffix in WATCHED_SUFFIXES or path.name in WATCHED_NAMES


def watched_folders(project: Path) -> list[Path]:
    """The project folder and the folders that its `mutirao.toml` names, however it names them."""
    folders = [project.resolve()]
    try:
        document = tomllib.loads((project / "mutirao.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return folders
    for text in _texts(document):
        folder = (project / text.partition(":")[0]).resolve()
        folder = folder if folder.is_dir() else folder.parent
        if folder.is_dir() and not any(folder.is_relative_to(known) for known in folders):
            folders.append(folder)
    return folders


def _texts(node: Any) -> Iterable[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)


async def reload_workers(workers: Sequence[Keeper], audience: Audience, grace: float) -> None:
    """Restart all workers gracefully at each change; runs until cancelled."""
    from watchfiles import awatch

    project = Path.cwd()
    folders = watched_folders(project)
    audience.say(f"watching {', '.join(map(str, folders))}")
    async for changes in awatch(
        *folders,
        watch_filter=lambda _, path: is_watched(Path(path)),
        debounce=DEBOUNCE_MILLISECONDS,
        ignore_permission_denied=True,
    ):
        names = sorted({_shown(Path(path), project) for _, path in changes})
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        audience.say(f"{', '.join(names[:SHOWN])}{more} changed; restarting {len(workers)} worker(s)")
        started = time.monotonic()
        await asyncio.gather(*(keeper.restart(grace) for keeper in workers))
        audience.say(f"stopped in {time.monotonic() - started:.1f} s; starting again")


def _shown(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
