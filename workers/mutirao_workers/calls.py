"""Recording model calls: every chat model that runs inside a job, however user code made it, is journalled."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

MODEL_CALL = "model.call"
_MOST_CHARS = 20_000  # of one prompt message or answer that the journal keeps


class CallRecorder(BaseCallbackHandler):
    """Gives `emit(step, data)` one record per model call: model, prompt, answer, tokens, milliseconds, error."""

    run_inline = True  # a record must not overtake the end of its step

    def __init__(self, emit: Callable[[str | None, dict[str, Any]], None]) -> None:
        self._emit = emit
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
        model = metadata.get("ls_model_name") or (serialized or {}).get("name") or "unknown"
        prompt = [
            {"role": message.type, "content": message.text[:_MOST_CHARS]} for batch in messages for message in batch
        ]
        self._open[run_id] = (time.monotonic(), metadata.get("langgraph_node"), {"model": str(model), "prompt": prompt})

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        message = generation.message if isinstance(generation, ChatGeneration) else None
        answer = message.text if message is not None else (generation.text if generation else "")
        self._close(run_id, {"answer": answer[:_MOST_CHARS], **_usage(message)})

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed."""
        self._close(run_id, {"error": f"{type(error).__name__}: {error}"[:_MOST_CHARS]})

    def _close(self, run_id: UUID, result: dict[str, Any]) -> None:
        began, step, call = self._open.pop(run_id, (time.monotonic(), None, {"model": "unknown", "prompt": []}))
        milliseconds = round((time.monotonic() - began) * 1000)
        self._emit(step, call | result | {"milliseconds": milliseconds})


def _usage(message: BaseMessage | None) -> dict[str, int]:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    if usage is None:
        return {}
    cached = (usage.get("input_token_details") or {}).get("cache_read", 0)
    return {
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "cached_tokens": cached or 0,
    }
