"""A budget of model calls, and asking within it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from mutirao.errors import ModelUnavailable
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.chat import SharedChat
from mutirao_agents.context import JobContext
from mutirao_agents.models import ask_json, ask_text

MOST_FAILURES = 3  # after so many in a job the model is left alone
Answer = TypeVar("Answer", bound=BaseModel)
Result = TypeVar("Result")


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
    used up is given up. Both answer None. `share` is the part of the budget's time this node may use: what comes first
    must leave something to the others.
    """

    def __init__(self, job: JobContext, budget: ModelBudget, spent: Spent | None = None, share: float = 1.0) -> None:
        self._job = job
        self._budget = budget
        self._spent = Spent(**(spent or NOTHING))
        self._until = min(budget.seconds, self._spent["seconds"] + share * budget.seconds)
        self._running = 0
        self._since = 0.0

    @property
    def calls_left(self) -> int:
        """How many calls may still be made; 0 when there is no model, no time, or it has failed too often."""
        if not self._job.models.available or self._spent["failed"] >= MOST_FAILURES or self._seconds_left() <= 0:
            return 0
        return max(0, self._budget.calls - self._spent["calls"])

    @property
    def tokens(self) -> int:
        """The most tokens of one answer."""
        return self._budget.tokens

    def spent(self) -> Spent:
        """What is used by now, for the state of the graph. Time in which calls ran side by side counts once."""
        return Spent(**(self._spent | {"seconds": round(self._spent["seconds"], 3)}))

    async def text(self, system: str, prompt: str, *, tokens: int | None = None) -> str | None:
        """The model's answer, or None."""

        async def ask(model: BaseChatModel) -> tuple[str, list[AIMessage]]:
            message = await ask_text(model, system, prompt)
            return message.text, [message]

        return await self._call(ask, tokens)

    async def json(self, schema: type[Answer], system: str, prompt: str, *, tokens: int | None = None) -> Answer | None:
        """The model's answer as `schema`, or None. Asked once: what is unusable now costs as much the second time."""

        async def ask(model: BaseChatModel) -> tuple[Answer | None, list[AIMessage]]:
            return await ask_json(model, schema, system, prompt, tries=1)

        return await self._call(ask, tokens)

    async def _call(
        self, ask: Callable[[BaseChatModel], Awaitable[tuple[Result, list[AIMessage]]]], tokens: int | None
    ) -> Result | None:
        if self.calls_left == 0:
            return None
        self._spent["calls"] += 1
        try:
            model = self._job.models.chat(max_tokens=min(tokens or self._budget.tokens, self._budget.tokens))
            if isinstance(model, SharedChat):
                await model.prepared()  # importing a package is no waiting for the model
            async with self._timed(), asyncio.timeout(self._seconds_left()):
                result, messages = await ask(model)
        except (ModelUnavailable, TimeoutError) as error:
            self._failed(error)
            return None
        self._spent["tokens"] += sum(_answer_tokens(message) for message in messages)
        return result

    def _failed(self, error: Exception) -> None:
        self._spent["failed"] += 1
        if self._spent["failed"] > 1:
            return  # calls that ran side by side fail together; one line says it
        reason = (
            str(error)
            or f"the model did not answer in the time this step may wait ({self._budget.seconds:g} s for the job)"
        )
        self._job.emit("warning", {"code": ModelUnavailable.code, "message": f"{reason}; going on without it"})

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        if self._running == 0:
            self._since = time.monotonic()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._running == 0:
                self._spent["seconds"] += time.monotonic() - self._since

    def _seconds_left(self) -> float:
        running = time.monotonic() - self._since if self._running else 0.0
        return max(0.0, self._until - self._spent["seconds"] - running)


def _answer_tokens(message: AIMessage) -> int:
    usage: Any = message.usage_metadata or {}
    return int(usage.get("output_tokens", 0))  # a replayed answer may have a cost of 0 and nothing else
