"""The `report` workflow: topic and collections in, a document out in which every sentence is backed by a quote.

Start reading at `workflow.py` (the graph) and `verify.py` (what makes the document true).
"""

from mutirao_agents.report.workflow import ReportInput, report

__all__ = ["ReportInput", "report"]
