"""Recording model calls: every chat model that runs inside a job, however user code made it, is journalled."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from mutirao.jobs.spending import Prices

from mutirao_workers.ledger import REPLAYED

MODEL_CALL = "model.call"
_MOST_CHARS = 20_000  # of one prompt message or answer that the journal keeps


def model_name(serialized: dict[str, Any] | None, metadata: dict[str, Any] | None) -> str:
    """What the journal and the price list call a model."""
    return str((metadata or {}).get("ls_model_name") or (serialized or {}).get("name") or "unknown")


class CallRecorder(BaseCallbackHandler):
    """Gives `emit(step, data)` one record per model call: model, prompt, answer, tokens, milliseconds, error; and
    its cost at today's price, for a model that is in the price list."""

    ignore_chain = True
    run_inline = True  # a record must not overtake the end of its step

    def __init__(self, emit: Callable[[str | None, dict[str, Any]], None], prices: Prices) -> None:
        self._emit = emit
        self._prices = prices
        self._open: dict[UUID, tuple[float, str | None, dict[str, Any]]] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A call begins."""
        metadata = metadata or {}
        model = model_name(serialized, metadata)
        prompt = [
            {"role": message.type, "content": message.text[:_MOST_CHARS]} for batch in messages for message in batch
        ]
        self._open[run_id] = (time.monotonic(), metadata.get("langgraph_node"), {"model": model, "prompt": prompt})

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        message = generation.message if isinstance(generation, ChatGeneration) else None
        answer = message.text if message is not None else (generation.text if generation else "")
        result: dict[str, Any] = {"answer": answer[:_MOST_CHARS]}
        self._close(run_id, result | ({"replayed": True} if replayed(response) else usage_of(message)))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed."""
        self._close(run_id, {"error": f"{type(error).__name__}: {error}"[:_MOST_CHARS]})

    def _close(self, run_id: UUID, result: dict[str, Any]) -> None:
        began, step, call = self._open.pop(run_id, (time.monotonic(), None, {"model": "unknown", "prompt": []}))
        milliseconds = round((time.monotonic() - began) * 1000)
        self._emit(step, call | result | self._cost(call["model"], result) | {"milliseconds": milliseconds})

    def _cost(self, model: str, used: dict[str, Any]) -> dict[str, float]:
        if "input_tokens" not in used or not self._prices.known(model):
            return {}
        return {"cost": float(self._prices.cost(model, used["input_tokens"], used["output_tokens"]))}


def replayed(response: LLMResult) -> bool:
    """Whether the answer is one that an earlier run of the step was given: it cost nothing now."""
    first = response.generations[0][0] if response.generations and response.generations[0] else None
    return bool(first is not None and (first.generation_info or {}).get(REPLAYED))


def usage_of(message: BaseMessage | None) -> dict[str, int]:
    """Tokens of an answer; empty when the model does not say."""
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    if usage is None or "input_tokens" not in usage:
        return {}
    cached = (usage.get("input_token_details") or {}).get("cache_read", 0)
    return {
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "cached_tokens": cached or 0,
    }
