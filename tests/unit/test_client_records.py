"""The client's records are those of the API, and its errors those of the platform."""

import pytest
from mutirao import assistants, audit, catalogue, deliveries, errors, queues, threads, uploads, webhooks, workers
from mutirao import keys as platform_keys
from mutirao import projects as platform_projects
from mutirao import schedules as platform_schedules
from mutirao.api.routes import approvals, bulk, keys, knowledge, projects, session, system
from mutirao.client import records
from mutirao.client.problems import error_of
from mutirao.errors import InputRejected, InvalidInput, MutiraoError, NotFound, StorageFull, Unavailable
from mutirao.jobs import approvals as job_approvals
from mutirao.jobs import checkpoints, usage
from mutirao.knowledge import records as knowledge_records
from mutirao_agents.context import DocumentRef, Passage
from pydantic import BaseModel

SAME = [
    (records.Workflow, catalogue.CataloguedWorkflow),
    (records.Worker, workers.Worker),
    (records.Upload, uploads.Upload),
    (records.Checkpoint, checkpoints.Checkpoint),
    (records.Usage, usage.Usage),
    (records.MonthUsage, usage.MonthUsage),
    (records.ProjectBudget, platform_projects.ProjectBudget),
    (records.Project, projects.ProjectView),
    (records.Approval, job_approvals.Approval),
    (records.Schedule, platform_schedules.Schedule),
    (records.WorkflowVersion, catalogue.WorkflowVersion),
    (records.Collection, knowledge_records.Collection),
    (records.Document, knowledge_records.Document),
    (records.AddedDocument, knowledge.Added),
    (records.SearchResult, knowledge.SearchResult),
    (records.Thread, threads.Thread),
    (records.StorageUse, threads.Use),
    (records.Storage, threads.Storage),
    (records.Assistant, assistants.Assistant),
    (records.JobCounts, bulk.JobCounts),
    (records.Refusal, bulk.Refusal),
    (records.BatchResult, bulk.BatchResult),
    (records.BatchAnswer, bulk.BatchAnswer),
    (records.DecisionProblem, approvals.DecisionProblem),
    (records.DecisionResult, approvals.DecisionResult),
    (records.DecisionResults, approvals.DecisionResults),
    (records.Key, platform_keys.Key),
    (records.MadeKey, keys.MadeKey),
    (records.ListedProject, platform_projects.Project),
    (records.MadeProject, projects.MadeProject),
    (records.AuditEntry, audit.AuditEntry),
    (records.Session, session.SessionView),
    (records.SessionProject, session.SessionProject),
    (records.SessionLink, session.SessionLink),
    (records.System, system.System),
    (records.ModelHealth, system.ModelHealth),
    (records.Starved, system.Starved),
    (records.QueueLoad, queues.QueueLoad),
    (records.Chunk, knowledge_records.Chunk),
    (records.Webhook, webhooks.Webhook),
    (records.WebhookWithSecret, webhooks.WebhookWithSecret),
    (records.Delivery, deliveries.Delivery),
    (records.Try, deliveries.Try),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_a_record_has_the_fields_the_api_answers_with(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
    shown = {name for name, field in theirs.model_fields.items() if not field.exclude}
    assert set(ours.model_fields) <= shown
    required = {name for name, field in ours.model_fields.items() if field.is_required()}
    assert required <= shown


def test_a_hit_has_the_fields_of_a_passage() -> None:
    assert set(records.Hit.model_fields) == set(Passage.__dataclass_fields__)
    assert set(records.HitDocument.model_fields) == set(DocumentRef.__dataclass_fields__)


def problem(code: str, status: int) -> dict[str, object]:
    return {"type": f"urn:mutirao:problem:{code}", "status": status, "code": code, "detail": "what", "errors": [1]}


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MutiraoError)]
)
def test_every_error_of_the_platform_comes_back_as_its_class(kind: type[MutiraoError]) -> None:
    error = error_of(kind.status, problem(kind.code, kind.status))
    assert type(error) is kind
    assert (error.message, error.details) == ("what", {"errors": [1]})


def test_an_unknown_code_is_kept_in_a_class_of_its_status() -> None:
    error = error_of(404, problem("comet_unknown", 404))
    assert isinstance(error, NotFound)
    assert (error.code, error.status) == ("comet_unknown", 404)
    assert NotFound.code == "not_found"
    assert isinstance(error_of(422, problem("invalid_request", 422)), InvalidInput)
    assert isinstance(error_of(507, problem("disk_tired", 507)), Unavailable)
    assert type(error_of(507, problem(StorageFull.code, 507))) is StorageFull
    # A code that comes with a status of another kind is not what it seems.
    assert not isinstance(error_of(500, problem(InputRejected.code, 500)), InvalidInput)


@pytest.mark.parametrize("body", [None, [], "text", {}, {"code": 5}, {"detail": "no code"}])
def test_an_answer_that_is_no_problem_says_so(body: object) -> None:
    error = error_of(502, body)
    assert isinstance(error, Unavailable)
    assert "502 Bad Gateway" in error.message
