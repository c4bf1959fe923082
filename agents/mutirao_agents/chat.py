"""The chat model agents get: made when first called, limited in calls at once, with one kind of error."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from mutirao.errors import ModelUnavailable, MutiraoError
from pydantic import PrivateAttr

from mutirao_agents.slots import Slots


class SharedChat(BaseChatModel):
    """A LangChain chat model around the one of a provider.

    The provider's package is imported by the first call, in a thread: it may take seconds, which no loop can wait for.
    Whatever the provider raises becomes `ModelUnavailable`, which names the model and the remedy.
    """

    name_of_model: str
    provider: str
    remedy: str
    limit_seconds: float
    json_schema: bool = False
    max_tokens: int | None = None
    temperature: float = 0.0
    _build: Callable[[], BaseChatModel] = PrivateAttr()
    _slots: Slots = PrivateAttr()
    _inner: BaseChatModel | None = PrivateAttr(default=None)
    _by_loop: MutableMapping[asyncio.AbstractEventLoop, BaseChatModel] = PrivateAttr(default_factory=WeakKeyDictionary)
    _guard: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, *, build: Callable[[], BaseChatModel], slots: Slots, **fields: Any) -> None:
        super().__init__(**fields)
        self._build = build
        self._slots = slots

    @property
    def _llm_type(self) -> str:
        return f"mutirao-{self.provider}"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.name_of_model,
            "provider": self.provider,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = self.provider
        params["ls_model_name"] = self.name_of_model
        return params

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """As the provider's model binds them."""
        bound: Any = self.inner().bind_tools(tools, **kwargs)
        return self.bind(**bound.kwargs)

    def schema_arguments(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Call arguments that hold an answer to a JSON Schema; empty where the provider has no such switch."""
        if not self.json_schema:
            return {}
        # In the body, not as an argument of the client: that one would raise on an answer cut at its token limit.
        wanted = {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
        return {"extra_body": {"response_format": wanted}}

    def inner(self) -> BaseChatModel:
        """The provider's model for callers without a loop; imports its package when it is the first to ask."""
        with self._guard:
            if self._inner is None:
                self._inner = self._made()
            return self._inner

    async def prepared(self) -> BaseChatModel:
        """The provider's model for the running loop. Its package is imported in a thread, by the first to ask.

        One for each loop: connections belong to the loop they were opened in, and die with it. Raises ModelUnavailable.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            made = await asyncio.to_thread(self._made)
            self._by_loop.setdefault(loop, made)
        return self._by_loop[loop]

    def _made(self) -> BaseChatModel:
        with self._named_errors():
            return self._build()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        async with self._call() as model:
            return await model._agenerate(messages, stop=stop, run_manager=run_manager, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with self._call() as model:
            async for chunk in model._astream(messages, stop=stop, run_manager=run_manager, **kwargs):
                yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self._slots.held_by_thread(), self._named_errors():
            return self.inner()._generate(messages, stop=stop, run_manager=run_manager, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with self._slots.held_by_thread(), self._named_errors():
            yield from self.inner()._stream(messages, stop=stop, run_manager=run_manager, **kwargs)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[BaseChatModel]:
        model = await self.prepared()
        async with self._slots.held():
            with self._named_errors():
                async with asyncio.timeout(self.limit_seconds):
                    yield model

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (MutiraoError, GeneratorExit):
            raise
        except TimeoutError as error:
            raise ModelUnavailable(
                f"model {self.name_of_model!r} did not answer within {self.limit_seconds:g} s; {self.remedy}, or raise "
                "MUTIRAO_MODEL_TIMEOUT_SECONDS",
                model=self.name_of_model,
            ) from error
        except Exception as error:
            raise ModelUnavailable(
                f"model {self.name_of_model!r} failed: {_short(error)}; {self.remedy}", model=self.name_of_model
            ) from error


def json_instruction(schema: dict[str, Any]) -> str:
    """What a model without a JSON Schema switch is told."""
    return f"Answer with one JSON object and nothing else. Its JSON Schema: {json.dumps(schema, ensure_ascii=False)}"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
