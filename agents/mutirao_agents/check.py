"""`python -m mutirao_agents.check`: the workflows of the current folder, as JSON on stdout, for `mutirao workflows check`.

A process of its own, so that the command line never loads user code. The document is
`{"workflows": [{"name", "version", "kind", "queue", "shape", "steps", "input_schema", "output_schema"}],
"errors": [{"source", "message"}]}`; `steps` are paths, those of subgraphs included: `inner/plan`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from mutirao_agents.discovery import discover
from mutirao_agents.workflows import Workflow


def described(workflow: Workflow) -> dict[str, Any]:
    """What there is to know of a workflow without running it."""
    return {
        "name": workflow.name,
        "version": workflow.version,
        "kind": workflow.kind.value,
        "queue": workflow.queue,
        "shape": workflow.shape,
        "steps": steps_of(workflow.graph),
        "input_schema": workflow.input_schema,
        "output_schema": workflow.output_schema,
    }


def steps_of(graph: "CompiledStateGraph[Any, Any, Any, Any]") -> list[str]:
    """Paths of all steps, as events name them."""
    found = [name for name in graph.nodes if not name.startswith("__")]
    for place, inner in graph.get_subgraphs(recurse=True):
        if not isinstance(inner, CompiledStateGraph):
            continue
        path = place.replace("|", "/")
        found += [f"{path}/{name}" for name in inner.nodes if not name.startswith("__")]
    return found


def main() -> int:
    """Write the document. What user code prints while it is imported goes to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    found = discover(Path.cwd())
    document = {
        "workflows": [described(workflow) for workflow in found.workflows.values()],
        "errors": [{"source": error.source, "message": error.message} for error in found.errors],
    }
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(document, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
