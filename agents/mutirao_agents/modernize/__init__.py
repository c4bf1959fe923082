"""The `modernize` workflow: Python 2 sources in, Python 3 sources, diff and report out. Nothing is executed yet.

Start reading at `workflow.py` (the graph); `rules/` runs in a child process.
"""

from mutirao_agents.modernize.workflow import ModernizeInput, modernize

__all__ = ["ModernizeInput", "modernize"]
