"""The graph of the `modernize` workflow: inventory → convert (a step per file) → report. Nothing is executed."""

import asyncio
import operator
from collections import OrderedDict
from typing import Annotated, Any, Literal
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.context import job_context
from mutirao_agents.converter import converted
from mutirao_agents.modernize import report
from mutirao_agents.modernize.archive import Archive, open_archive
from mutirao_agents.modernize.pool import ConverterFailed, ConverterPool
from mutirao_agents.modernize.rules.patch import replacement
from mutirao_agents.modernize.tree import import_graph
from mutirao_agents.workflows import workflow

_DIFF_SECONDS = 20.0
_KEPT_ARCHIVES = 2


class ModernizeInput(BaseModel):
    """A zip of sources. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    upload_id: UUID = Field(description="An uploaded zip: `POST /api/v1/uploads`, or `mutirao run modernize --file`.")
    source: Literal["python2"] = "python2"
    target: Literal["python3"] = "python3"


class FileTask(TypedDict):
    """One file to convert: what a step gets."""

    upload_id: str
    path: str


class ModernizeState(TypedDict, total=False):
    """Paths, counts and hashes; contents stay in the artifact store."""

    upload_id: str
    files: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    results: Annotated[list[dict[str, Any]], operator.add]
    summary: dict[str, Any]
    artifacts: list[str]


class ModernizeOutput(TypedDict, total=False):
    """The counts, and the names of the files."""

    summary: dict[str, Any]
    artifacts: list[str]


class _Archives:
    """The archives used last: checking one reads all of it, which not every file's step must do again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, Archive] = OrderedDict()

    async def get(self, upload_id: UUID) -> Archive:
        """Raises NotFound, ArchiveInvalid, TooLarge."""
        if upload_id not in self._kept:
            job = job_context()
            name, data = await job.files.read_upload(upload_id)
            self._kept[upload_id] = await asyncio.to_thread(open_archive, name, data, job.settings.modernize)
        self._kept.move_to_end(upload_id)
        while len(self._kept) > _KEPT_ARCHIVES:
            self._kept.popitem(last=False)
        return self._kept[upload_id]


@workflow(name="modernize", description="Converts Python 2 sources to Python 3; nothing is executed yet.")
def modernize() -> StateGraph[Any, Any, Any, Any]:
    """inventory → convert for each file → report."""
    pool, archives = ConverterPool(), _Archives()

    async def inventory(state: ModernizeInput) -> dict[str, Any]:
        job, archive = job_context(), await archives.get(state.upload_id)
        files: list[dict[str, Any]] = []
        for done, entry in enumerate(archive.entries, start=1):
            data = await asyncio.to_thread(archive.read, entry.path)
            known = await _inspected(pool, entry.path, entry.python, archive.siblings(entry.path), data)
            files.append({"path": entry.path, "size": entry.size, "mode": entry.mode, "before": entry.sha256, **known})
            job.progress(done, len(archive.entries), "files read")
        edges, missing = import_graph({file["path"]: file["imports"] for file in files if file["python"]})
        return {"upload_id": str(state.upload_id), "files": files, "edges": edges, "missing": missing, "results": []}

    def each_file(state: ModernizeState) -> list[Send] | str:
        python = [file["path"] for file in state["files"] if file["python"]]
        return [Send("convert", FileTask(upload_id=state["upload_id"], path=path)) for path in python] or "report"

    async def convert(state: FileTask) -> dict[str, Any]:
        archive = await archives.get(UUID(state["upload_id"]))
        data = await asyncio.to_thread(archive.read, state["path"])
        result, new = await converted(pool, state["path"], archive.siblings(state["path"]), data)
        await job_context().files.put(f"converted/{state['path']}", new, "text/x-python")
        return {"results": [dict(result)]}

    async def write_report(state: ModernizeState) -> dict[str, Any]:
        return await _report(pool, await archives.get(UUID(state["upload_id"])), state)

    graph = StateGraph(ModernizeState, input_schema=ModernizeInput, output_schema=ModernizeOutput)
    graph.add_node("inventory", inventory)
    graph.add_node("convert", convert)
    graph.add_node("report", write_report)
    graph.add_edge(START, "inventory")
    graph.add_conditional_edges("inventory", each_file, ["convert", "report"])
    graph.add_edge("convert", "report")
    graph.add_edge("report", END)
    return graph


async def _inspected(pool: ConverterPool, path: str, python: bool, beside: list[str], data: bytes) -> dict[str, Any]:
    """What the inventory says of a file."""
    limit = job_context().settings.modernize.convert_seconds
    header = {"op": "inspect", "path": path, "python": python, "siblings": beside}
    blank: dict[str, Any] = {"python": python, "lines": 0, "credentials": [], "imports": [], "findings": []}
    try:
        answer = await pool.ask(header, lambda: data, seconds=limit)
    except ConverterFailed as failure:
        return blank | {"grammar": "broken", "reason": str(failure)}
    return blank | answer.header


async def _report(pool: ConverterPool, archive: Archive, state: ModernizeState) -> dict[str, Any]:
    job = job_context()
    results = {result["path"]: result for result in state["results"]}
    contents: list[tuple[str, int, bytes]] = []
    diffs: list[bytes] = []
    files: list[dict[str, Any]] = []
    for file in state["files"]:
        result = results.get(file["path"])
        old = await asyncio.to_thread(archive.read, file["path"])
        new = old if result is None else await job.files.read_blob(result["after"])
        contents.append((file["path"], file["mode"], new))
        diffs.append(await _diff(pool, file["path"], old, new))
        # A result's findings and reason are newer than the inventory's.
        files.append(file | (result or {"after": file["before"]}))
    python = [file for file in files if file["python"]]
    made = [
        await job.files.put("report.md", report.report_markdown(files, state["missing"]).encode(), "text/markdown"),
        await job.files.put("changes.diff", b"".join(diffs), "text/x-diff"),
        await job.files.put(
            "inventory.json", report.inventory_json(files, state["edges"], state["missing"]), "application/json"
        ),
        await job.files.put("manifest.json", report.manifest_json(files), "application/json"),
        await job.files.put("converted.zip", await asyncio.to_thread(report.zipped, contents), "application/zip"),
    ]
    summary = {
        "files": len(files),
        "python_files": len(python),
        "changed": sum(file["before"] != file["after"] for file in files),
        "compile": sum(bool(file["compiles"]) for file in python),
        "verdict": report.VERDICT,
        "executed": False,
    }
    return {"summary": summary, "artifacts": [file.name for file in made]}


async def _diff(pool: ConverterPool, path: str, old: bytes, new: bytes) -> bytes:
    if old == new:
        return b""
    header = {"op": "diff", "path": path, "old_bytes": len(old)}
    try:
        return (await pool.ask(header, lambda: old + new, seconds=_DIFF_SECONDS)).body
    except ConverterFailed:
        return replacement(old, new, path)
