"""What tests of agents and workflows need instead of a model, a worker and servers.

A scripted model answers what the test says; `test_context` gives the job context that nodes expect::

    model = ScriptedModel(["first answer", {"queries": ["a JSON answer"]}, TimeoutError("no answer")])
    context = test_context(model=model, documents={"bees.md": "Bees live in hives. ..."})
    with use_context(context):
        result = await report.graph.ainvoke({"topic": "bees", "collections": ["default"]})
    assert model.calls == 3
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from mutirao.errors import ModelUnavailable, NotFound
from mutirao.ids import new_id, stable_id
from mutirao.settings import ModelSettings, Settings
from pydantic import PrivateAttr

from mutirao_agents.context import ArtifactRef, DocumentRef, JobContext, Passage, wait_apart
from mutirao_agents.effects import EffectLedger
from mutirao_agents.in_memory import Child, InMemoryChildren, InMemoryEffects
from mutirao_agents.text.language import detect, overlap, terms

__all__ = [
    "FolderFiles",
    "Hang",
    "InMemoryChildren",
    "InMemoryEffects",
    "InMemoryRetriever",
    "ScriptedModel",
    "ScriptedModels",
    "test_context",
]


@dataclass(frozen=True)
class Hang:
    """An answer that comes after `seconds`; for ever, as far as a test is concerned, by default."""

    seconds: float = 3_600.0


Reply = str | dict[str, Any] | list[Any] | Exception | Hang
Script = Callable[[str], Reply] | Mapping[str, Reply] | Sequence[Reply] | None


class ScriptedModel(BaseChatModel):
    """A chat model that says what it is told.

    `script` is one of: a function of the whole prompt; replies in the order of calls, the last one again when they are
    used up; a mapping whose first key found in the prompt, as a regular expression, gives the reply; or None: the last
    paragraph of the prompt comes back. A reply is a text, something that is sent as JSON, an exception that is raised,
    or `Hang()`.

    Tokens are counted as words. `calls` and `prompts` say what was asked.
    """

    _script: Script = PrivateAttr(default=None)
    _prompts: list[str] = PrivateAttr(default_factory=list)

    def __init__(self, script: Script = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._script = script

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self._prompts)

    @property
    def prompts(self) -> list[str]:
        """Each prompt as one text, a line break between its messages."""
        return [*self._prompts]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._reply(messages)
        if isinstance(reply, Hang):
            time.sleep(reply.seconds)
        return _result(messages, reply)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._reply(messages)
        if isinstance(reply, Hang):
            await asyncio.sleep(reply.seconds)
        return _result(messages, reply)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(self._generate(messages, stop, run_manager, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(await self._agenerate(messages, stop, run_manager, **kwargs)):
            yield chunk

    def _reply(self, messages: list[BaseMessage]) -> str | Hang:
        prompt = "\n".join(message.text for message in messages)
        self._prompts.append(prompt)
        reply = self._scripted(prompt)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, str | Hang) else json.dumps(reply, ensure_ascii=False)

    def _scripted(self, prompt: str) -> Reply:
        script = self._script
        if script is None:
            return prompt.strip().rpartition("\n\n")[2]
        if isinstance(script, Mapping):
            return next((reply for key, reply in script.items() if re.search(key, prompt)), "")
        if callable(script):
            return script(prompt)
        return script[min(len(self._prompts), len(script)) - 1] if script else ""


def _result(messages: list[BaseMessage], reply: str | Hang) -> ChatResult:
    text = reply if isinstance(reply, str) else ""
    asked, answered = sum(len(message.text.split()) for message in messages), len(text.split())
    usage = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
    return ChatResult(generations=[ChatGeneration(message=AIMessage(text, usage_metadata=usage))])


def _chunks(result: ChatResult) -> Iterator[ChatGenerationChunk]:
    message = result.generations[0].message
    for part in re.findall(r"\s*\S+", message.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=part))
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage, chunk_position="last"))


@dataclass
class ScriptedModels:
    """`Models` with one scripted model; `None` is a worker without a model."""

    model: BaseChatModel | None = None

    @property
    def available(self) -> bool:
        return self.model is not None

    def chat(self, *, max_tokens: int | None = None, temperature: float = 0.0) -> BaseChatModel:
        """The scripted model, whatever is asked for."""
        if self.model is None:
            raise ModelUnavailable("this test has no model; give test_context(model=...) one")
        return self.model


class FolderFiles:
    """`Files` in a folder: `uploads` are what the job's input may name."""

    def __init__(self, folder: Path, uploads: Mapping[UUID, tuple[str, bytes]] | None = None) -> None:
        self.folder = folder
        self.uploads = dict(uploads or {})
        self.stored: dict[str, ArtifactRef] = {}

    async def put(self, name: str, data: bytes, media_type: str) -> ArtifactRef:
        """Write the file below the folder."""
        await asyncio.to_thread(self._write, name, data)
        self.stored[name] = ArtifactRef(
            name=name, media_type=media_type, size=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
        return self.stored[name]

    async def read_upload(self, upload_id: UUID) -> tuple[str, bytes]:
        """Name and content of an upload."""
        if upload_id not in self.uploads:
            raise NotFound(f"no upload {str(upload_id)!r}")
        return self.uploads[upload_id]

    async def read_blob(self, sha256: str) -> bytes:
        """Content of a stored file or an upload, by its hash."""
        contents = [(self.folder / name).read_bytes() for name in self.stored]
        for data in [*contents, *(data for _, data in self.uploads.values())]:
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        raise NotFound(f"no blob {sha256!r}")

    def read(self, name: str) -> bytes:
        """An artifact by its name."""
        return (self.folder / name).read_bytes()

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@dataclass
class InMemoryRetriever:
    """`Retriever` over texts: a passage is a paragraph, its score the share of the query's words it has.

    `documents` are texts by name; a form feed starts a new page, as in a PDF's text.
    """

    documents: Mapping[str, str]
    collections: Sequence[str] = ("default",)
    queries: list[str] = field(default_factory=list)

    @cached_property
    def passages(self) -> list[Passage]:
        """Every paragraph of every document."""
        refs = ((_document(name, text), text) for name, text in self.documents.items())
        return [passage for document, text in refs for passage in _paragraphs(document, text)]

    @cached_property
    def _terms(self) -> dict[UUID, list[str]]:
        return {passage.chunk_id: terms(passage.text) for passage in self.passages}

    async def search(self, collections: Sequence[str], query: str, limit: int = 8) -> list[Passage]:
        """The paragraphs that share most words with the query; those that share none come last."""
        for name in collections:
            if name not in self.collections:
                raise NotFound(f"no collection {name!r}")
        self.queries.append(query)
        asked = terms(query)
        shared = {passage.chunk_id: overlap(asked, self._terms[passage.chunk_id]) for passage in self.passages}
        ranked = sorted(self.passages, key=lambda passage: -shared[passage.chunk_id])[:limit]
        return [_ranked(passage, rank, shared[passage.chunk_id] > 0) for rank, passage in enumerate(ranked, start=1)]

    async def text(self, document_id: UUID) -> str:
        """The whole text of a document."""
        for name, text in self.documents.items():
            if stable_id("document", name) == document_id:
                return text
        raise NotFound(f"no document {str(document_id)!r}")


def _document(name: str, text: str) -> DocumentRef:
    return DocumentRef(
        id=stable_id("document", name),
        name=name,
        version=1,
        sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        media_type="text/markdown" if name.endswith(".md") else "text/plain",
        language=detect(text),
    )


def _paragraphs(document: DocumentRef, text: str) -> Iterator[Passage]:
    heading = ""
    for match in re.finditer(r"(?:[^\n\f]+\n?)+", text):
        if match.group().startswith("#"):
            heading = match.group().lstrip("# ").strip()
            continue
        page_start = text.rfind("\f", 0, match.start()) + 1
        yield Passage(
            chunk_id=stable_id("chunk", document.name, match.start()),
            document=document,
            page=text.count("\f", 0, match.start()) + 1,
            page_start=page_start,
            start=match.start(),
            end=match.end(),
            heading=heading,
            text=match.group(),
            score=0.0,
        )


def _ranked(passage: Passage, rank: int, by_word: bool) -> Passage:
    return replace(passage, score=1 / (60 + rank), keyword_rank=rank if by_word else None, dense_rank=rank)


def _context(
    *,
    model: BaseChatModel | None = None,
    documents: Mapping[str, str] | None = None,
    folder: Path = Path("artifacts"),
    uploads: Mapping[UUID, tuple[str, bytes]] | None = None,
    settings: Settings | None = None,
    events: list[tuple[str, dict[str, Any]]] | None = None,
    children: Mapping[str, Child] | InMemoryChildren | None = None,
    effects: InMemoryEffects | None = None,
    **changes: Any,
) -> JobContext:
    """A job context without servers: artifacts go to `folder`, events to `events`, documents to collection `default`.

    `children` are functions of an input by the name of their workflow: what `fan_out` runs. `effects` holds the ledger;
    given to two contexts, the second is an attempt after the first. `changes` replace fields of the context, as
    `knowledge=...`.
    """
    journal = events if events is not None else []
    settings = settings or Settings(model=ModelSettings(model="scripted" if model else "none"))
    job_id, limit = changes.pop("job_id", None) or new_id(), settings.worker.max_effect_bytes
    fields: dict[str, Any] = {
        "job_id": job_id,
        "project_id": new_id(),
        "thread_id": new_id(),
        "workflow": "test",
        "epoch": 1,
        "settings": settings,
        "files": FolderFiles(folder, uploads),
        "knowledge": InMemoryRetriever(documents or {}),
        "models": ScriptedModels(model),
        "emit": lambda kind, data: journal.append((kind, data)),
        "children": children if isinstance(children, InMemoryChildren) else InMemoryChildren(children),
        "effects": EffectLedger(effects or InMemoryEffects(), job_id, wait_apart, limit),
    }
    return JobContext(**(fields | changes))


test_context = _context
test_context.__test__ = False  # type: ignore[attr-defined]  # it is not a test, whatever its name says to pytest
