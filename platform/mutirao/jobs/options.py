"""What may be asked for a job beside its workflow and input; the same for a job of a schedule."""

from pydantic import BaseModel, ConfigDict, Field

from mutirao.jobs.records import Budget, Limits, Retry

HIGHEST_PRIORITY = 100
MOST_ATTEMPTS = 20


class JobOptions(BaseModel):
    """How a job is to be run. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    priority: int = Field(
        0, ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY, description="Higher goes first, within the project."
    )
    max_attempts: int | None = Field(
        None, ge=1, le=MOST_ATTEMPTS, description="Workers it may lose; default: the setting MUTIRAO_ATTEMPTS."
    )
    retry: Retry = Field(Retry(), description="What happens after a step has raised; default: the job has failed.")
    limits: Limits = Field(Limits(), description="Longest times; default: none.")
    budget: Budget | None = Field(None, description="What it may spend; default: no limit.")
