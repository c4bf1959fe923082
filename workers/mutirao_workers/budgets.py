"""Budgets: every model call of a job is reserved before it is made, and settled when it has ended."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from mutirao.db import Database
from mutirao.jobs.records import Claim
from mutirao.jobs.spending import PriceUnknown, Reservation, Spending

from mutirao_workers.calls import model_name, replayed, usage_of
from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.ledger import ModelAnswers
from mutirao_workers.steady import steadily

_CHARS_PER_TOKEN = 3  # of a prompt; few tokenizers need more tokens than that
_MOST_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "ls_max_tokens")


@dataclass(frozen=True)
class Asked:
    """A model call that is about to be made; `tokens` is the most that its answer may have."""

    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Used:
    """What a model call has used."""

    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 1


@dataclass
class _Open:
    """A call under way; without a reservation nothing watches over it, or it was refused."""

    model: str
    reservation: Reservation | None = None


class Budgets:
    """Reserves and settles the model calls of one attempt. `callbacks()` hangs it on a graph.

    A job and a project without a budget cost one look at the project every two seconds. An answer that is replayed is
    neither reserved nor counted.
    """

    def __init__(
        self, claim: Claim, home: HomeLoop, spending: Callable[[Database], Spending], answers: ModelAnswers
    ) -> None:
        self.home = home
        self._claim = claim
        self._spending = spending
        self._answers = answers
        self._open: dict[UUID, _Open] = {}

    def callbacks(self, most_tokens: int) -> list[BaseCallbackHandler]:
        """Handlers for both ways models are called; each does nothing in the other one."""
        return [AwaitedCalls(self, most_tokens), PlainCalls(self, most_tokens)]

    def take(self, run_id: UUID, model: str) -> _Open | None:
        """The call, for who is the first to see it begin; None for others."""
        if run_id in self._open:
            return None
        self._open[run_id] = _Open(model)
        return self._open[run_id]

    def ended(self, run_id: UUID) -> _Open | None:
        """The call, for who is the first to see it end."""
        return self._open.pop(run_id, None)

    async def reserve(self, db: Database, call: _Open, asked: Asked, messages: Sequence[BaseMessage]) -> None:
        """Raises BudgetExhausted, PriceUnknown, LeaseLost."""
        spending = self._spending(db)
        limits = await steadily(lambda: spending.limits(self._claim))
        if not limits or await self._answers.expected(db, messages):
            return
        if any(limit.get("cost") is not None for limit in limits) and not spending.prices.known(asked.model):
            raise PriceUnknown(
                f"there is a budget of cost, and no price of model {asked.model!r}; add it to MUTIRAO_MODEL_PRICES",
                model=asked.model,
            )
        cost = spending.prices.cost(asked.model, asked.input_tokens, asked.output_tokens)
        tokens = asked.input_tokens + asked.output_tokens
        call.reservation = await steadily(lambda: spending.reserve(self._claim, tokens, cost))

    async def settle(self, db: Database, call: _Open, used: Used | None) -> None:
        """Count `used`; what was reserved when the model does not say."""
        reservation = call.reservation
        if reservation is None:
            return
        spending = self._spending(db)
        if used is None:
            tokens, cost, calls = reservation.tokens, reservation.cost, 1
        else:
            tokens, calls = used.input_tokens + used.output_tokens, used.calls
            cost = spending.prices.cost(call.model, used.input_tokens, used.output_tokens)
        await steadily(lambda: spending.settle(reservation, tokens, cost, calls=calls))


class _Calls(BaseCallbackHandler):
    raise_error = True
    ignore_chain = True
    ignore_agent = True
    ignore_retriever = True
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self, budgets: Budgets, most_tokens: int) -> None:
        self._budgets = budgets
        self._most_tokens = most_tokens

    def _asked(self, serialized: Any, chars: int, kwargs: dict[str, Any]) -> Asked:
        metadata = kwargs.get("metadata") or {}
        parameters = metadata | (kwargs.get("invocation_params") or {})
        most = next((parameters[name] for name in _MOST_TOKENS if parameters.get(name)), self._most_tokens)
        return Asked(model_name(serialized, metadata), -(-chars // _CHARS_PER_TOKEN), int(most))


class AwaitedCalls(_Calls):
    """Of `ainvoke`, `astream` and their like: reserves in the loop that holds the connections, and blocks nothing.

    In a plain call LangChain runs these coroutines too, after `PlainCalls`, and swallows what they raise: they find the
    call taken. Not inline: LangChain would never await the handlers behind one that refuses.
    """

    run_inline = False

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        prompt = [message for batch in messages for message in batch]
        await self._begin(self._asked(serialized, _chars(prompt), kwargs), prompt, run_id)

    async def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        await self._begin(self._asked(serialized, sum(map(len, prompts)), kwargs), [], run_id)

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        await self._end(run_id, used_by(response))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        await self._end(run_id, Used(calls=1))

    async def _begin(self, asked: Asked, prompt: Sequence[BaseMessage], run_id: UUID) -> None:
        budgets = self._budgets
        if call := budgets.take(run_id, asked.model):
            await budgets.home.do(lambda db: budgets.reserve(db, call, asked, prompt))

    async def _end(self, run_id: UUID, used: Used | None) -> None:
        budgets = self._budgets
        if call := budgets.ended(run_id):
            await budgets.home.do(lambda db: budgets.settle(db, call, used))


class PlainCalls(_Calls):
    """Of `invoke`, `stream` and their like: waits for the database, in whatever thread it is.

    In an awaited call LangChain calls these methods from a coroutine, before `AwaitedCalls`.
    """

    run_inline = True

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        if not _awaited():
            prompt = [message for batch in messages for message in batch]
            self._begin(self._asked(serialized, _chars(prompt), kwargs), prompt, run_id)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        if not _awaited():
            self._begin(self._asked(serialized, sum(map(len, prompts)), kwargs), [], run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        if not _awaited():
            self._end(run_id, used_by(response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        if not _awaited():
            self._end(run_id, Used(calls=1))

    def _begin(self, asked: Asked, prompt: Sequence[BaseMessage], run_id: UUID) -> None:
        budgets = self._budgets
        if call := budgets.take(run_id, asked.model):
            budgets.home.now(lambda db: budgets.reserve(db, call, asked, prompt))

    def _end(self, run_id: UUID, used: Used | None) -> None:
        budgets = self._budgets
        if call := budgets.ended(run_id):
            budgets.home.now(lambda db: budgets.settle(db, call, used))


def _awaited() -> bool:
    """Whether the method that asks was called by a coroutine."""
    return bool(sys._getframe(2).f_code.co_flags & inspect.CO_COROUTINE)


def used_by(response: LLMResult) -> Used | None:
    """What a call has used; nothing when the answer is replayed, None when the model does not say."""
    if replayed(response):
        return Used(calls=0)
    generation = response.generations[0][0] if response.generations and response.generations[0] else None
    usage = usage_of(generation.message) if isinstance(generation, ChatGeneration) else {}
    return Used(usage["input_tokens"], usage["output_tokens"], 1) if usage else None


def _chars(messages: Sequence[BaseMessage]) -> int:
    return sum(len(message.text) for message in messages)
