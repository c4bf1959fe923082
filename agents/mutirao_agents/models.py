"""The models of this process, by its settings, and how an agent asks one for text or for JSON."""

import importlib
import json
import re
from typing import Any, TypeVar

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.json import parse_partial_json
from mutirao.errors import ModelUnavailable
from mutirao.settings import ModelSettings
from pydantic import BaseModel, ValidationError

from mutirao_agents.chat import SharedChat, json_instruction
from mutirao_agents.slots import Slots

BUILTIN, NONE, SCRIPTED = "builtin", "none", "scripted"
JSON_SCHEMA_PROVIDERS = frozenset({"openai", "azure_openai", BUILTIN})
MAX_RETRIES = 2  # of the provider's client, for errors worth a second try
Answer = TypeVar("Answer", bound=BaseModel)


class ChatModels:
    """`Models` of a job's context, made of `MUTIRAO_MODEL…`. One for a process: it counts the calls at once."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._slots = Slots(settings.model_concurrency)
        self._made: dict[tuple[int, float], BaseChatModel] = {}

    @property
    def available(self) -> bool:
        """False for `none`, and for `builtin` when no model server is there: agents then work from quotes only."""
        name = self._settings.model
        return name != NONE and not (name == BUILTIN and self._settings.model_url is None)

    def chat(self, *, max_tokens: int | None = None, temperature: float = 0.0) -> BaseChatModel:
        """A LangChain chat model; nothing is imported or connected before its first call.

        Raises:
            ModelUnavailable: there is no model, or its name is not `provider:model`.
        """
        key = (max_tokens or self._settings.model_max_tokens, temperature)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(self, max_tokens: int, temperature: float) -> BaseChatModel:
        name = self._settings.model
        if not self.available:
            raise ModelUnavailable(f"there is no chat model: {self._why_none()}", model=name)
        if name == SCRIPTED:
            from mutirao_agents.testing import ScriptedModel  # only where it is asked for

            return ScriptedModel()
        provider = name.partition(":")[0]
        if name != BUILTIN and (":" not in name or not provider):
            raise ModelUnavailable(
                f"MUTIRAO_MODEL={name!r}: use builtin, none, scripted or provider:model, as openai:gpt-5-mini",
                model=name,
            )
        return SharedChat(
            build=lambda: (
                self._builtin(max_tokens, temperature)
                if name == BUILTIN
                else self._provided(name, max_tokens, temperature)
            ),
            slots=self._slots,
            name_of_model=name,
            provider=provider,
            remedy=self._remedy(provider),
            limit_seconds=self._settings.model_timeout_seconds,
            json_schema=provider in JSON_SCHEMA_PROVIDERS,
            max_tokens=max_tokens,
            temperature=temperature,
        )

    def _builtin(self, max_tokens: int, temperature: float) -> BaseChatModel:
        model: BaseChatModel = importlib.import_module("langchain_openai").ChatOpenAI(
            model=BUILTIN,
            base_url=self._settings.model_url,
            api_key=self._key() or "local",
            timeout=self._settings.model_timeout_seconds,
            max_retries=MAX_RETRIES,
            max_tokens=max_tokens,
            temperature=temperature,
            stream_usage=True,
            # The server is near: no connection is kept, so none is left open when a loop ends.
            http_async_client=self._client(kept=0),
        )
        return model

    def _provided(self, name: str, max_tokens: int, temperature: float) -> BaseChatModel:
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if self._key():
            options["api_key"] = self._key()
        if self._settings.model_url is not None and name.startswith("openai:"):
            options["base_url"] = self._settings.model_url
        if name.startswith("openai:"):
            options["http_async_client"] = self._client()
        model: BaseChatModel = importlib.import_module("langchain.chat_models").init_chat_model(name, **options)
        return model

    def _client(self, kept: int = 20) -> httpx.AsyncClient:
        # LangChain's own would be shared by every loop of the process, and fail in all but the first.
        limits = httpx.Limits(max_keepalive_connections=kept)
        return httpx.AsyncClient(timeout=self._settings.model_timeout_seconds, limits=limits)

    def _key(self) -> str | None:
        secret = self._settings.model_api_key
        return secret.get_secret_value() if secret is not None else None

    def _why_none(self) -> str:
        if self._settings.model == NONE:
            return "MUTIRAO_MODEL=none; set it to builtin or provider:model"
        return "MUTIRAO_MODEL=builtin needs the model server; run `mutirao models pull`, or set MUTIRAO_MODEL_URL"

    def _remedy(self, provider: str) -> str:
        if provider == BUILTIN:
            return f"check the model server at {self._settings.model_url} with `mutirao status`"
        return f"check MUTIRAO_MODEL, MUTIRAO_MODEL_API_KEY and that langchain's package for {provider!r} is installed"


async def ask_text(model: BaseChatModel, system: str, prompt: str) -> AIMessage:
    """The model's answer to one question. Raises ModelUnavailable."""
    answer = await model.ainvoke([SystemMessage(system), HumanMessage(prompt)] if system else [HumanMessage(prompt)])
    return answer if isinstance(answer, AIMessage) else AIMessage(str(answer.content))


async def ask_json(
    model: BaseChatModel,
    schema: type[Answer],
    system: str,
    prompt: str,
    *,
    tries: int = 2,
) -> tuple[Answer | None, list[AIMessage]]:
    """An answer that fits `schema`, and every message the model sent for it, for counting tokens.

    A model that knows JSON Schema is held to it. An answer that was cut off is used as far as it goes, if that fits.
    None after `tries` unusable answers: small models are often wrong, so a caller needs a way of its own.

    Raises:
        ModelUnavailable: the model did not answer at all.
    """
    wanted = schema.model_json_schema()
    arguments = model.schema_arguments(schema.__name__, wanted) if isinstance(model, SharedChat) else {}
    told = system if arguments else f"{system}\n\n{json_instruction(wanted)}".strip()
    messages: list[BaseMessage] = [SystemMessage(told), HumanMessage(prompt)]
    sent: list[AIMessage] = []
    for _ in range(tries):
        message = await model.ainvoke(messages, **arguments)
        sent.append(message)
        answer = parsed(message.text, schema)
        if answer is not None:
            return answer, sent
        messages = [
            *messages[:2],
            message,
            HumanMessage("That was not the JSON object asked for. Send only the object."),
        ]
    return None, sent


def parsed(text: str, schema: type[Answer]) -> Answer | None:
    """The first JSON object of a text as `schema`; None when there is none that fits."""
    start = text.find("{")
    if start < 0:
        return None
    body = re.sub(r"\s*```\s*$", "", text[start:])
    try:
        found = json.JSONDecoder(strict=False).raw_decode(body)[0]
    except (ValueError, RecursionError):
        found = _cut_off(body)
    try:
        return schema.model_validate(found)
    except (ValidationError, RecursionError):
        return None


def _cut_off(text: str) -> Any:
    try:
        return parse_partial_json(text)
    except (ValueError, RecursionError):
        return None
