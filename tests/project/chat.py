"""Conversational workflows: one that streams its answer, one that asks a person."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from mutirao_agents import workflow


class Echo(BaseChatModel):
    """Says the last message again, word by word."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(f"You said: {messages[-1].text}"))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for word in f"You said: {messages[-1].text}".split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def answer(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    said = await Echo().ainvoke(state["messages"])
    warmth = config["configurable"].get("temperature")
    return {"messages": [said if warmth is None else AIMessage(f"{said.text} at {warmth}", id=said.id)]}


async def ask(state: MessagesState) -> dict[str, Any]:
    decision = interrupt({"question": "Shall I?"})
    return {"messages": [AIMessage(f"decided: {decision}")]}


async def ask_who(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"who: {interrupt('Who?')}")]}


async def ask_when(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"when: {interrupt('When?')}")]}


async def fail(state: MessagesState) -> dict[str, Any]:
    raise ValueError(f"cannot answer {state['messages'][-1].text!r}")


@workflow(name="echo_chat", description="Says what you said.")
def echo_chat() -> StateGraph[MessagesState]:
    return StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")


@workflow(name="asking_chat", description="Asks a person before it answers.")
def asking_chat() -> StateGraph[MessagesState]:
    return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")


@workflow(name="asking_two_chat", description="Asks two things at once before it answers.")
def asking_two_chat() -> StateGraph[MessagesState]:
    graph = StateGraph(MessagesState).add_node("ask_who", ask_who).add_node("ask_when", ask_when)
    return graph.add_edge(START, "ask_who").add_edge(START, "ask_when")


@workflow(name="failing_chat", description="Cannot answer.")
def failing_chat() -> StateGraph[MessagesState]:
    return StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail")


async def think(state: MessagesState) -> dict[str, Any]:
    await asyncio.sleep(60)
    return {"messages": [AIMessage("at last")]}


@workflow(name="slow_chat", description="Thinks for a minute.")
def slow_chat() -> StateGraph[MessagesState]:
    return StateGraph(MessagesState).add_node("think", think).add_edge(START, "think")
