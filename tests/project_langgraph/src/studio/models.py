"""A chat model that needs no network: it calls the first tool it has, then says what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Parrot(BaseChatModel):
    tools: Sequence[Any] = ()

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Parrot:
        return Parrot(tools=tools)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        last = messages[-1]
        if self.tools and not isinstance(last, ToolMessage):
            calls = [{"name": self.tools[0].name, "args": {"city": str(last.content)}, "id": "call-1"}]
            answer = AIMessage("", tool_calls=calls)
        else:
            answer = AIMessage(f"You said: {last.content}")
        return ChatResult(generations=[ChatGeneration(message=answer)])
