"""A budget of model calls, and asking within it."""

import asyncio
import time
from typing import TypeVar

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao.errors import ModelUnavailable
from mutirao_agents.context import JobContext
from mutirao_agents.models import ask_json, ask_text

MOST_FAILURES = 2  # after so many in a job the model is left alone
Answer = TypeVar("Answer", bound=BaseModel)


class ModelBudget(BaseModel):
    """How much model an agent, or a whole job, may use. What is not spent is saved; nothing is ever missing for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(18, ge=0, le=1_000, description="Most model calls.")
    tokens: int = Field(120, ge=8, le=8_000, description="Most tokens of one answer.")
    seconds: float = Field(25, ge=0, le=3_600, description="Most time spent waiting for the model, in seconds.")


class Spent(TypedDict):
    """What of a budget is used: calls, tokens of answers, seconds of waiting, calls that failed."""

    calls: int
    tokens: int
    seconds: float
    failed: int


NOTHING = Spent(calls=0, tokens=0, seconds=0.0, failed=0)


class Asking:
    """One node's way to the model: never raises because of a model, never passes the budget.

    Calls may run side by side; a call that would pass a limit is not made, and one that is under way when the time is
    used up is given up. Both answer None.
    """

    def __init__(self, job: JobContext, budget: ModelBudget, spent: Spent | None) -> None:
        self._job = job
        self._budget = budget
        self._spent = Spent(**(spent or NOTHING))
        self._began: float | None = None

    @property
    def possible(self) -> bool:
        """Whether one more call may be made."""
        return (
            self._job.models.available
            and self._spent["calls"] < self._budget.calls
            and self._spent["failed"] < MOST_FAILURES
            and self._seconds_left() > 0
        )

    @property
    def calls_left(self) -> int:
        return max(0, self._budget.calls - self._spent["calls"]) if self.possible else 0

    def spent(self) -> Spent:
        """What is used by now, this node's time included; for the state of the graph."""
        return Spent(**(self._spent | {"seconds": round(self._budget.seconds - self._seconds_left(), 3)}))

    async def text(self, system: str, prompt: str, *, tokens: int | None = None) -> str | None:
        """The model's answer, or None."""
        message: list[AIMessage] = []

        async def ask() -> None:
            message.append(await ask_text(self._job.models.chat(max_tokens=self._tokens(tokens)), system, prompt))

        await self._within(ask(), message)
        return message[0].text if message else None

    async def json(self, schema: type[Answer], system: str, prompt: str, *, tokens: int | None = None) -> Answer | None:
        """The model's answer as `schema`, or None."""
        answers: list[Answer] = []
        sent: list[AIMessage] = []

        async def ask() -> None:
            model = self._job.models.chat(max_tokens=self._tokens(tokens))
            answer, messages = await ask_json(model, schema, system, prompt, tries=1)
            sent.extend(messages)
            if answer is not None:
                answers.append(answer)

        await self._within(ask(), sent)
        return answers[0] if answers else None

    async def _within(self, asking: "asyncio.Future[None] | object", sent: list[AIMessage]) -> None:
        raise NotImplementedError

    def _tokens(self, asked: int | None) -> int:
        return min(asked or self._budget.tokens, self._budget.tokens)

    def _seconds_left(self) -> float:
        waited = time.monotonic() - self._began if self._began is not None else 0.0
        return max(0.0, self._budget.seconds - self._spent["seconds"] - waited)
