"""What users import to define agents and workflows."""

import os

# Before LangGraph is imported: checkpoints may hold only types of an allow-list, so a forged row cannot run code.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from mutirao_agents.children import fan_out, fan_out_sync
from mutirao_agents.context import ChildResult, JobContext, Passage, job_context, use_context
from mutirao_agents.effects import NotDone, effect
from mutirao_agents.mcp_tools import mcp_tools
from mutirao_agents.workflows import Kind, Workflow, workflow

__all__ = [
    "ChildResult",
    "JobContext",
    "Kind",
    "NotDone",
    "Passage",
    "Workflow",
    "effect",
    "fan_out",
    "fan_out_sync",
    "job_context",
    "mcp_tools",
    "use_context",
    "workflow",
]
