"""The `modernize` workflow: a zip of Python 2 in, the same tree as Python 3 out, with a diff and a report.

``ingest → inventory → convert (one step for each Python file) → report``

The graph's state holds references and small records. The archive's bytes are read from the store when a step of a new
process needs them, and kept while the job's steps run.
"""

import json
import platform
from collections import Counter
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from mutirao_agents.context import job_context
from mutirao_agents.modernize import outputs, report
from mutirao_agents.modernize.archives import Archives
from mutirao_agents.modernize.conversion import Converter, ConverterInput, SourceFile
from mutirao_agents.modernize.inventory import take_inventory
from mutirao_agents.modernize.pool import PROCESSES, ConverterPool
from mutirao_agents.modernize.records import Input, Inventory, Output, State
from mutirao_agents.workflows import workflow

# One file is read or stored while another is converted.
CONCURRENT_FILES = 2 * PROCESSES
JSON_TYPE = "application/json"


class Modernization:
    """The workflow's steps. They need a running job."""

    def __init__(self, pool: ConverterPool, archives: Archives) -> None:
        self._pool = pool
        self._archives = archives
        self._converter = Converter(pool, self._source)

    async def ingest(self, state: Input) -> dict[str, Any]:
        """Check the archive, and choose the files to convert."""
        archive = await self._archives.get(str(state.upload_id))
        paths = [p for p in archive.python_paths if not any(fnmatchcase(p, glob) for glob in state.exclude)]
        return {
            "upload_id": str(state.upload_id),
            "exclude": state.exclude,
            "skip_fixers": state.skip_fixers,
            "paths": paths,
        }

    async def inventory(self, state: State) -> dict[str, Any]:
        """Look at every file, and store what is there."""
        context = job_context()
        found = await take_inventory(
            await self._archives.get(state["upload_id"]),
            self._pool,
            seconds=context.settings.modernize.convert_seconds,
            progress=lambda done, total: context.progress(done, total, "files read"),
        )
        stored = await context.files.put(outputs.INVENTORY_NAME, outputs.as_json(found), JSON_TYPE)
        return {"inventory": stored.sha256}

    async def spread(self, state: State) -> list[Send] | str:
        """One `convert` step for each file."""
        common = {"origin": state["upload_id"], "skip_fixers": state["skip_fixers"]}
        return [Send("convert", {**common, "path": path}) for path in state["paths"]] or "report"

    async def convert(self, state: ConverterInput) -> dict[str, Any]:
        """Convert one file."""
        return cast("dict[str, Any]", await self._converter.convert(state))

    async def report(self, state: State) -> dict[str, Any]:
        """Store the converted tree, the diff, the report and the manifest."""
        files = job_context().files
        inventory: Inventory = json.loads(await files.read_blob(state["inventory"]))
        archive = await self._archives.get(state["upload_id"])
        order = {entry.path: number for number, entry in enumerate(archive.entries)}
        conversions = sorted(state.get("conversions", []), key=lambda conversion: order[conversion["path"]])
        tree = outputs.ResultTree(archive, conversions, files)
        tools = {"python": platform.python_version(), "fissix": version("fissix")}
        seconds = job_context().settings.modernize.convert_seconds
        changes = await outputs.diff(tree, self._pool, seconds=seconds)
        stored = [
            await files.put(outputs.ZIP_NAME, await outputs.pack(tree), "application/zip"),
            await files.put(outputs.DIFF_NAME, changes, "text/x-diff"),
            await files.put(outputs.INVENTORY_NAME, outputs.as_json(inventory), JSON_TYPE),
            await files.put(
                outputs.REPORT_NAME, report.render(inventory, conversions, tools).encode(), "text/markdown"
            ),
        ]
        manifest = outputs.as_json(outputs.manifest(tree, stored, tools))
        stored.append(await files.put(outputs.MANIFEST_NAME, manifest, JSON_TYPE))
        self._archives.drop(state["upload_id"])
        output = Output(
            counts=report.count(inventory, conversions),
            verdicts=dict(Counter(conversion["verdict"] for conversion in conversions)),
            executed=False,
            artifacts=[artifact.name for artifact in stored],
        )
        return output.model_dump(mode="json")

    async def _source(self, wanted: ConverterInput) -> SourceFile:
        archive = await self._archives.get(wanted["origin"])
        path = wanted["path"]
        return SourceFile(read=lambda: archive.read(path), siblings=archive.siblings(path))


def modernize_graph(pool: ConverterPool | None = None) -> StateGraph[State, None, Input, Output]:
    """The workflow's graph; `pool` are converter processes to share with other graphs."""
    steps = Modernization(pool or ConverterPool(), Archives())
    graph = StateGraph(State, input_schema=Input, output_schema=Output)
    graph.add_node("ingest", steps.ingest)
    graph.add_node("inventory", steps.inventory)
    graph.add_node("convert", steps.convert)
    graph.add_node("report", steps.report)
    graph.add_edge(START, "ingest")
    graph.add_edge("ingest", "inventory")
    graph.add_conditional_edges("inventory", steps.spread, ["convert", "report"])
    graph.add_edge("convert", "report")
    graph.add_edge("report", END)
    return graph


@workflow(name="modernize")
def modernize() -> CompiledStateGraph[State, None, Input, Output]:
    """Convert a zip of Python 2 files to Python 3 by rules: converted tree, diff, inventory and report. Nothing is
    executed, and every verdict is NOT VERIFIED."""
    return modernize_graph().compile(name="modernize").with_config(max_concurrency=CONCURRENT_FILES)
