"""What clients of the protocol send about threads, and what they are answered."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from mutirao.api.langgraph.extracts import known_path
from mutirao.api.langgraph.lists import MOST_SELECTED, Order, SearchPage
from mutirao.api.langgraph.run_requests import Checkpoint
from mutirao.api.submission import Json, kept
from mutirao.threads import Status

MOST_EXTRACTS = 10
MOST_IDS = 1000
LONGEST_TTL_MINUTES = 366 * 24 * 60
_STATE = ("values", "next", "tasks", "checkpoint", "metadata", "created_at", "parent_checkpoint", "interrupts")

Selected = Literal[
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "context", "status", "values",
    "interrupts", "error",
]  # fmt: skip
Kept = Annotated[Any, AfterValidator(kept)]


def _state_field(name: str) -> str:
    if name not in _STATE and not name.startswith("values."):
        raise ValueError(f"unknown field {name!r}; there are {', '.join(_STATE)} and values.<key>")
    return name


StateFields = Annotated[
    list[Annotated[str, Field(max_length=512), AfterValidator(_state_field)]], Field(max_length=MOST_SELECTED)
]
SelectState = Annotated[StateFields | None, Query(description="Fields of the state; `values.<key>`: one key.")]


class Ttl(BaseModel):
    """How long a thread lives after its last use."""

    ttl: float = Field(gt=0, le=LONGEST_TTL_MINUTES, description="Minutes.")
    strategy: Literal["delete", "keep_latest"] = Field(
        "delete", description="What happens then: the thread goes, or all of its checkpoints but the last."
    )


def _ttl(given: Any) -> Any:
    return {"ttl": given} if isinstance(given, (int, float)) and not isinstance(given, bool) else given


AnyTtl = Annotated[Ttl, BeforeValidator(_ttl)]


class TtlAnswer(BaseModel):
    """When the thread is deleted."""

    strategy: str
    ttl_minutes: float
    expires_at: datetime


class ThreadAnswer(BaseModel):
    """A thread, or the fields of it that were asked for."""

    thread_id: UUID | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    state_updated_at: datetime | None = None
    metadata: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    status: Status | None = None
    values: Any = None
    interrupts: dict[str, Any] | None = None
    error: Any = None
    ttl: TtlAnswer | None = Field(None, description="With `include=ttl`.")
    extracted: dict[str, Any] | None = Field(None, description="With `extract`.")


class Update(BaseModel):
    """A change of the state, as if a step had written it."""

    values: Kept = None
    command: Json | None = None
    as_node: str | None = None


class Superstep(BaseModel):
    """Changes that are one step."""

    updates: list[Update] = Field(max_length=MOST_IDS)


class NewThread(BaseModel):
    """A thread to create. Unknown fields are passed over."""

    thread_id: UUID | None = None
    metadata: Json | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    ttl: AnyTtl | None = None
    supersteps: list[Superstep] | None = Field(
        None, max_length=MOST_IDS, description="Needs `graph_id` in the metadata."
    )


class ThreadChanges(BaseModel):
    """What to change of a thread."""

    metadata: Json | None = Field(None, description="Merged by key.")
    ttl: AnyTtl | None = None


class Filters(BaseModel):
    """Which threads."""

    metadata: Json | None = Field(None, description="All of it must be in the thread's.")
    values: Json | None = Field(None, description="All of it must be in the thread's.")
    status: Status | None = None
    ids: list[UUID] | None = Field(None, max_length=MOST_IDS)


class SearchRequest(Filters, SearchPage):
    """Which threads, in which order, and what of them."""

    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] | None = None
    sort_order: Order | None = None
    select: list[Selected] | None = Field(None, max_length=MOST_SELECTED)
    extract: dict[str, str] | None = Field(
        None, max_length=MOST_EXTRACTS, description='Names for places: `{"last": "values.messages[-1].content"}`.'
    )

    @field_validator("extract")
    @classmethod
    def _paths(cls, given: dict[str, str] | None, info: ValidationInfo) -> dict[str, str] | None:
        for path in (given or {}).values():
            known_path(path)
        return given


class PruneRequest(BaseModel):
    """Threads to prune."""

    thread_ids: list[UUID] = Field(max_length=MOST_IDS)
    strategy: Literal["delete", "keep_latest"] = "delete"


class Pruned(BaseModel):
    """How many threads there were."""

    pruned_count: int


class StateRequest(BaseModel):
    """Which state."""

    checkpoint: Checkpoint
    subgraphs: bool = False
    select: StateFields | None = None


class StateUpdate(BaseModel):
    """A change of the state by hand."""

    values: Kept = None
    as_node: str | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = Field(None, max_length=64)


class Updated(BaseModel):
    """Where the state is now."""

    checkpoint: dict[str, Any]
    configurable: dict[str, Any]
    checkpoint_id: str | None = None


class HistoryRequest(BaseModel):
    """Which states."""

    limit: int = Field(10, ge=1, le=1000)
    before: Annotated[str, Field(max_length=64)] | Checkpoint | None = None
    metadata: Json | None = None
    checkpoint: Checkpoint | None = None
    select: StateFields | None = None
