"""What users import to define agents and workflows."""

import os

# Before LangGraph is imported: checkpoints may hold only types of an allow-list, so a forged row cannot run code.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from mutirao_agents.context import JobContext, Passage, job_context, use_context
from mutirao_agents.workflows import Kind, Workflow, workflow

__all__ = ["JobContext", "Kind", "Passage", "Workflow", "job_context", "use_context", "workflow"]
