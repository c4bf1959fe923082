"""All tables of the control plane. LangGraph's checkpoint tables are made by its own saver, in the worker.

Times are `timestamptz` set by the database clock: a worker's clock never decides anything.
"""

from mutirao.db.tables import calls, housekeeping, jobs, knowledge, notifications, tenancy, threads, workers
from mutirao.db.tables.columns import metadata

__all__ = ["calls", "housekeeping", "jobs", "knowledge", "metadata", "notifications", "tenancy", "threads", "workers"]
