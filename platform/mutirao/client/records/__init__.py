"""What the API answers with, beyond the records of `mutirao.jobs.records`.

They stand here a second time because the API's own classes load the database driver, which no client needs. Keys an
older client does not know are ignored. `tests/unit/test_client_records.py` keeps the two alike.
"""

from mutirao.client.records.access import (
    AuditEntry,
    Key,
    ListedProject,
    MadeKey,
    MadeProject,
    MonthUsage,
    Project,
    ProjectBudget,
    Scope,
)
from mutirao.client.records.approvals import Approval, DecisionProblem, DecisionResult, DecisionResults, Verdict
from mutirao.client.records.jobs import (
    BatchAnswer,
    BatchResult,
    Checkpoint,
    JobCounts,
    Refusal,
    Schedule,
    Upload,
    Usage,
    Worker,
    Workflow,
    WorkflowVersion,
)
from mutirao.client.records.knowledge import AddedDocument, Collection, Document, Hit, HitDocument, SearchResult
from mutirao.client.records.threads import Assistant, Storage, StorageUse, Thread
from mutirao.client.records.webhooks import Delivery, DeliveryState, Try, Webhook, WebhookWithSecret

__all__ = [
    "AddedDocument",
    "Approval",
    "Assistant",
    "AuditEntry",
    "BatchAnswer",
    "BatchResult",
    "Checkpoint",
    "Collection",
    "DecisionProblem",
    "DecisionResult",
    "DecisionResults",
    "Delivery",
    "DeliveryState",
    "Document",
    "Hit",
    "HitDocument",
    "JobCounts",
    "Key",
    "ListedProject",
    "MadeKey",
    "MadeProject",
    "MonthUsage",
    "Project",
    "ProjectBudget",
    "Refusal",
    "Schedule",
    "Scope",
    "SearchResult",
    "Storage",
    "StorageUse",
    "Thread",
    "Try",
    "Upload",
    "Usage",
    "Verdict",
    "Webhook",
    "WebhookWithSecret",
    "Worker",
    "Workflow",
    "WorkflowVersion",
]
