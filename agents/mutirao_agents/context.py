"""What a running step can reach: its job, the artifact store, the knowledge base, the models and the journal.

`job_context()` works anywhere inside a step, in a coroutine or in a thread LangGraph started for it. Outside a job
(a plain `graph.invoke` in a notebook or a test) use `use_context` to set one.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from mutirao.errors import MutiraoError
from mutirao.jobs.states import JobState
from mutirao.settings import Settings

from mutirao_agents.steps import StepCalls

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ArtifactRef:
    """A file the job produced: `size` in bytes, `sha256` in hex."""

    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class DocumentRef:
    """A document as a citation names it: `sha256` is that of the file as it was uploaded."""

    id: UUID
    name: str
    version: int
    sha256: str
    media_type: str
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A retrieved chunk. `start` and `end` are character offsets in the document's text, so that
    `document_text[start:end] == text`; `page` counts from 1 and `page_start` is the offset of that page's text."""

    chunk_id: UUID
    document: DocumentRef
    page: int
    page_start: int
    start: int
    end: int
    heading: str
    text: str
    score: float
    keyword_rank: int | None = None
    dense_rank: int | None = None


class Files(Protocol):
    """The job's artifacts, and files its input names."""

    async def put(self, name: str, data: bytes, media_type: str) -> ArtifactRef:
        """Store an artifact of this job under `name` (may contain `/`); the same name again replaces it.

        Raises:
            StorageFull: the disk of the artifact store is full.
            LeaseLost: a newer attempt owns the job.
        """

    async def read_upload(self, upload_id: UUID) -> tuple[str, bytes]:
        """Name and content of an uploaded file of this project. Raises NotFound."""

    async def read_blob(self, sha256: str) -> bytes:
        """Content of the artifact store by its hash. Raises NotFound."""


class Retriever(Protocol):
    """The project's knowledge base."""

    async def search(self, collections: Sequence[str], query: str, limit: int = 8) -> list[Passage]:
        """The passages nearest to `query`, best first, by keyword and dense retrieval fused.

        Superseded documents never come.

        Raises:
            NotFound: a collection does not exist in this project.
        """

    async def text(self, document_id: UUID) -> str:
        """The whole text of a document, as its offsets count it. Raises NotFound."""


class Models(Protocol):
    """Chat models, by the settings of this worker."""

    @property
    def available(self) -> bool:
        """False when the worker has no model (`MUTIRAO_MODEL=none`): agents then work from quotes only."""

    def chat(self, *, max_tokens: int | None = None, temperature: float = 0.0) -> "BaseChatModel":
        """A LangChain chat model. Calls made inside a step are recorded with prompt, answer, tokens and time."""


@dataclass(frozen=True, kw_only=True)
class ChildResult:
    """How one child of a fan-out has ended. `output` is there when `state` is succeeded, else `error` (code, message)."""

    ordinal: int
    job_id: UUID
    state: JobState
    output: Any = None
    error: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether it has succeeded."""
        return self.state is JobState.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """A group of children; `results` is None while one of them has not ended."""

    group: UUID
    results: list[ChildResult] | None


class Children(Protocol):
    """Starts children of the running job. `mutirao_agents.fan_out` is what steps call."""

    async def gather(
        self,
        key: str,
        workflow: str,
        inputs: Sequence[dict[str, Any]],
        *,
        queue: str | None,
        priority: int | None,
        fail_fast: bool,
    ) -> Gathered:
        """Start a group of children, or find the one that this key has started before.

        Raises:
            InputRejected: an input does not fit the schema; no child was started.
            TooLarge: more inputs than a group may have.
            LeaseLost: a newer attempt owns the job; no child was started.
        """


class Effects(Protocol):
    """The job's ledger of what its steps did to the world outside."""

    async def once(self, key: str, call: Callable[..., Any], *, idempotent: bool = False, request: Any = None) -> Any:
        """Await `call()` once in the life of the job; its result, as JSON gives it back, whenever this is run again.

        A call that a crash or an exception has left without a recorded end may have been made or not. With
        `idempotent` it is made again; otherwise the job pauses, and a person decides (see agents/README.md).

        Args:
            key: names the effect; unique in the job, and the same whenever the step runs again.
            call: a coroutine function. A parameter named `effect_id` is given the effect's id, the same for every try:
                send it along as the idempotency key of the service that is called.
            idempotent: calling it twice with the same effect id does no harm.
            request: what is asked for, as JSON. The same key with another request is refused.

        Raises:
            EffectMismatch: the key was used for another request.
            EffectRefused: the result is no JSON, or larger than `MUTIRAO_MAX_EFFECT_BYTES`. The effect counts as done.
            LeaseLost: a newer attempt owns the job.
        """

    def once_sync(self, key: str, call: Callable[..., Any], *, idempotent: bool = False, request: Any = None) -> Any:
        """The same for a synchronous step and a plain function."""


class Emit(Protocol):
    """Write an event to the job's journal; `data` is kept as JSON.

    Raises:
        ValueError: `kind` is not a name (at most 64 of `a-z0-9_.-`), or one of the platform's own: those that begin with
            job, attempt, step or model.
    """

    def __call__(self, kind: str, data: dict[str, Any]) -> None: ...


class Wait(Protocol):
    """From a synchronous step: what a coroutine of the context gives, as `job.wait(job.files.put(...))`.

    Raises:
        RuntimeError: called in a coroutine, which can await it.
    """

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


def wait_apart(coroutine: Coroutine[Any, Any, T], /) -> T:
    """`Wait` by a loop of its own in a thread: for contexts whose parts belong to no loop."""
    context, results, errors = copy_context(), list[T](), list[BaseException]()

    def run() -> None:
        try:
            results.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 (raised again by the caller's thread)
            errors.append(error)

    thread = threading.Thread(target=context.run, args=(run,))
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """The running job and what it may reach."""

    job_id: UUID
    project_id: UUID
    thread_id: UUID
    workflow: str
    epoch: int
    settings: Settings
    files: Files
    knowledge: Retriever
    models: Models
    emit: Emit
    children: Children
    effects: Effects
    wait: Wait = wait_apart
    # LangChain callbacks that watch over the job's model calls; the runner hangs them on the graph.
    callbacks: Sequence[Any] = ()
    calls: StepCalls = field(default_factory=StepCalls)

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Say how far a step is; shown live."""
        self.emit("progress", {"done": done, "total": total, "what": what})


_current: ContextVar[JobContext] = ContextVar("mutirao_job_context")


class NoJob(MutiraoError):
    """Raised when code that needs a running job is called outside one."""

    code = "no_job"


def job_context() -> JobContext:
    """The job whose step is running."""
    try:
        return _current.get()
    except LookupError:
        raise NoJob("no job is running here; wrap the call in mutirao_agents.use_context(...)") from None


@contextmanager
def use_context(context: JobContext) -> Iterator[None]:
    """Make `context` the running job of this block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
