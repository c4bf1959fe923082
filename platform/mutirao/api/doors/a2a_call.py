"""A call of one of A2A's methods: what it asks for, the tasks it may see, and its answer in its version's words."""

from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from mutirao.api.doors import a2a_tasks, a2a_versions
from mutirao.api.doors.a2a_errors import Code, Refusal, failure, wrong
from mutirao.api.doors.a2a_records import RpcRequest, uuid_of
from mutirao.api.services import Services
from mutirao.assistants import Assistant, system_id
from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import NotFound
from mutirao.jobs.approvals import Approval, ApprovalState
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState
from mutirao.keys import Identity

Params = TypeVar("Params", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One call of a method, and who it is from."""

    services: Services
    caller: Identity
    assistant: Assistant
    workflow: CataloguedWorkflow
    request: RpcRequest

    @property
    def method(self) -> str:
        """Its name in version 0.3."""
        return a2a_versions.METHODS.get(self.request.method, self.request.method)

    @property
    def newer(self) -> bool:
        """Whether it is of version 1.0."""
        return a2a_versions.is_newer(self.request.method)

    def params(self, model: type[Params]) -> Params:
        """What it asks for. Raises Refusal when that does not fit the method."""
        try:
            return model.model_validate(self.request.params)
        except ValidationError as error:
            raise wrong(error, Code.INVALID_PARAMS) from None

    def result(self, result: dict[str, Any]) -> bytes:
        """The answer."""
        if self.newer:
            result = a2a_versions.newer(result, bare=self.method in ("tasks/get", "tasks/cancel"))
        return orjson.dumps({"jsonrpc": "2.0", "id": self.request.id, "result": result})

    def failure(self, refusal: Refusal) -> bytes:
        """The answer when nothing comes of it."""
        return orjson.dumps(failure(self.request.id, refusal, newer=self.newer))

    async def task(self, given: str) -> Job:
        """The job that is the agent's task of this id. Raises Refusal, also for a task of another agent."""
        task_id = uuid_of(given)
        if task_id is not None:
            try:
                job = await self.services.runs.get(self.caller.project_id, task_id)
            except NotFound:
                pass
            else:
                if (job.assistant_id or system_id(job.workflow)) == self.assistant.id:
                    return job
        raise unknown(given)

    async def shown(self, job: Job, history_length: int | None = None) -> dict[str, Any]:
        """A job as a task, as it is now."""
        asked, values = await self.asked(job), None
        if job.state is JobState.PAUSED and history_length != 0:
            values = (await self.services.runs.outcome(self.caller.project_id, job.id)).thread_values
        return a2a_tasks.task_of(job, asked, values, history_length)

    async def asked(self, job: Job) -> list[Approval]:
        """What the job waits for people to decide."""
        if job.state is not JobState.PAUSED:
            return []
        found = await self.services.approvals.of_job(self.caller.project_id, job.id)
        return [approval for approval in found if approval.state is ApprovalState.PENDING]


def unknown(task_id: str) -> Refusal:
    """There is no such task, or it is none of this agent's."""
    return Refusal(Code.TASK_UNKNOWN, f"no task {task_id!r} of this agent in this project", "not_found")
