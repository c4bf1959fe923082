"""What a modernize job leaves behind besides single files: the converted tree as a zip, the diff, the manifest."""

import asyncio
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from mutirao_agents.context import ArtifactRef, Files
from mutirao_agents.modernize.archive import Archive, Entry
from mutirao_agents.modernize.pool import ConverterFailed, ConverterPool
from mutirao_agents.modernize.records import Conversion, Outcome
from mutirao_agents.modernize.rules.patch import replacement

ZIP_NAME = "converted.zip"
DIFF_NAME = "changes.diff"
INVENTORY_NAME = "inventory.json"
REPORT_NAME = "report.md"
MANIFEST_NAME = "manifest.json"
# The same input gives the same bytes, whenever it is packed.
_TIME = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100000
_FOLDER = 0o040000
_DEFAULT_MODE = 0o644


class ResultTree:
    """The tree after conversion: each file's content is that of its conversion, or of the archive."""

    def __init__(self, archive: Archive, conversions: Sequence[Conversion], files: Files) -> None:
        self.archive = archive
        self._changed = {c["path"]: c for c in conversions if c["outcome"] == Outcome.CONVERTED}
        self._files = files

    def changed(self, path: str) -> bool:
        """Whether the rules changed the file."""
        return path in self._changed

    def sha256(self, entry: Entry) -> str:
        """Hash of the file's content in this tree."""
        return self._changed[entry.path]["sha256"] if self.changed(entry.path) else entry.sha256

    def size(self, entry: Entry) -> int:
        """Size of the file in this tree, in bytes."""
        return self._changed[entry.path]["size"] if self.changed(entry.path) else entry.size

    async def read(self, path: str) -> bytes:
        """Content of the file in this tree."""
        if self.changed(path):
            return await self._files.read_blob(self._changed[path]["sha256"])
        return await self.original(path)

    async def original(self, path: str) -> bytes:
        """Content of the file as it was."""
        return await asyncio.to_thread(self.archive.read, path)


async def pack(tree: ResultTree) -> bytes:
    """The tree as a zip: the archive's order, folders and permissions, one fixed time for every entry."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for folder in tree.archive.folders:
            archive.writestr(_info(folder + "/", _FOLDER | 0o755), b"")
        for entry in tree.archive.entries:
            data = await tree.read(entry.path)
            info = _info(entry.path, _REGULAR_FILE | (entry.mode or _DEFAULT_MODE))
            # Deflating lets the loop go on: zlib works without the interpreter's lock.
            await asyncio.to_thread(archive.writestr, info, data)
    return packed.getvalue()


async def diff(tree: ResultTree, pool: ConverterPool, *, seconds: float) -> bytes:
    """All changes as one unified diff with `a/` and `b/` before the names, in the archive's order."""
    parts = []
    for entry in tree.archive.entries:
        if tree.changed(entry.path):
            old, new = await tree.original(entry.path), await tree.read(entry.path)
            parts.append(await _file_diff(entry.path, old, new, pool, seconds))
    return b"".join(parts)


async def _file_diff(path: str, old: bytes, new: bytes, pool: ConverterPool, seconds: float) -> bytes:
    header = {"op": "diff", "path": path, "old_bytes": len(old)}
    try:
        return (await pool.ask(header, lambda: old + new, seconds=seconds)).body
    except ConverterFailed:
        # Comparing very long, very different files line by line can take for ever; a patch need not be minimal.
        return replacement(old, new, path)


def manifest(tree: ResultTree, artifacts: Sequence[ArtifactRef], tools: Mapping[str, str]) -> dict[str, Any]:
    """Hashes of everything that went in and came out."""
    archive = tree.archive
    return {
        "schema": 1,
        "input": {"name": archive.name, "size": archive.size, "sha256": archive.sha256},
        "files": [
            {
                "path": entry.path,
                "before": {"sha256": entry.sha256, "size": entry.size},
                "after": {"sha256": tree.sha256(entry), "size": tree.size(entry)},
            }
            for entry in archive.entries
        ],
        "artifacts": [{"name": a.name, "size": a.size, "sha256": a.sha256} for a in artifacts],
        "tools": dict(tools),
    }


def as_json(value: Any) -> bytes:
    """JSON for people and programs, the same bytes for the same value."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix: else the permission bits mean nothing
    info.external_attr = mode << 16
    return info
