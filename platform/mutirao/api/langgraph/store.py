"""The long-term store of the protocol."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from mutirao.api.filter_limits import check_filters
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import Json
from mutirao.projects import Identity
from mutirao.store import MOST_CHARS, MOST_LABELS, Item, checked

router = APIRouter(prefix="/store", tags=["langgraph: store"])

LONGEST_TTL_MINUTES = 10 * 366 * 24 * 60
Labels = Annotated[list[Annotated[str, Field(max_length=MOST_CHARS)]], Field(max_length=MOST_LABELS)]
_MOST_PATHS = 100


class NewItem(BaseModel):
    """An item to write."""

    namespace: Labels
    key: str
    value: Json
    index: Literal[False] | Annotated[list[str], Field(max_length=_MOST_PATHS)] | None = Field(
        None, description="Paths to index; false: none."
    )
    ttl: float | None = Field(None, gt=0, le=LONGEST_TTL_MINUTES, description="Minutes.")


class ItemKey(BaseModel):
    """Which item."""

    namespace: Labels = Field(default_factory=list)
    key: str


class ItemSearch(BaseModel):
    """Which items."""

    namespace_prefix: Labels = Field(default_factory=list)
    filter: Json | None = Field(None, description='Fields of the value: `{"kind": "note", "score": {"$gte": 4}}`.')
    query: str | None = Field(None, max_length=10_000, description="By meaning, where the project has an index.")
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0, lt=2**31)
    refresh_ttl: bool | None = None


class Items(BaseModel):
    """What was found."""

    items: list[Item]


class NamespaceSearch(BaseModel):
    """Which namespaces; `*` stands for any label."""

    prefix: Labels | None = None
    suffix: Labels | None = None
    max_depth: int | None = Field(None, ge=1, le=32)
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0, lt=2**31)


class Namespaces(BaseModel):
    """Namespaces that have items."""

    namespaces: list[list[str]]


@router.put("/items", status_code=204, responses=details(400, 401, 413, 422, 503))
async def put_item(request: NewItem, services: HasServices, caller: Caller) -> Response:
    """Write an item, whether it is there or not."""
    checked(request.namespace)
    await services.limits.check("max_store_items", caller.project_id)
    embedding = await _embedding_of(services, caller, request)
    await services.items.put(
        caller.project_id,
        request.namespace,
        request.key,
        request.value,
        ttl_minutes=request.ttl,
        embedding=embedding,
    )
    return Response(status_code=204)


@router.get("/items", responses=details(400, 401, 422), response_model_exclude={"score"})
async def get_item(
    services: HasServices,
    caller: Caller,
    key: Annotated[str, Query(description="Of the item.")],
    namespace: Annotated[list[str] | None, Query(description="Labels joined by dots, or one after another.")] = None,
    refresh_ttl: bool | None = None,
) -> Item | None:
    """One item; null when there is none."""
    labels = [label for part in namespace or [] for label in part.split(".")]
    return await services.items.get(caller.project_id, labels, key, refresh_ttl=refresh_ttl is not False)


@router.delete("/items", status_code=204, responses=details(400, 401, 413, 422))
async def delete_item(request: ItemKey, services: HasServices, caller: Caller) -> Response:
    """Delete an item; one that is not there is deleted already."""
    await services.items.delete(caller.project_id, request.namespace, request.key)
    return Response(status_code=204)


@router.post("/items/search", responses=details(400, 401, 413, 422, 503))
async def search_items(request: ItemSearch, services: HasServices, caller: Caller) -> Items:
    """Items below a namespace, the newest first; with `query` and an index, the nearest first."""
    check_filters(services.settings.api, filter=request.filter)
    near = None
    if request.query and await services.store_index.there():
        near = await services.store_index.of_question(caller.project_id, request.query)
    found = await services.items.search(
        caller.project_id,
        request.namespace_prefix,
        where=request.filter,
        near=near,
        limit=request.limit,
        offset=request.offset,
        refresh_ttl=request.refresh_ttl is not False,
    )
    return Items(items=found)


@router.post("/namespaces", responses=details(401, 413, 422))
async def list_namespaces(request: NamespaceSearch, services: HasServices, caller: Caller) -> Namespaces:
    """Namespaces that have items, in order."""
    found = await services.items.namespaces(
        caller.project_id,
        prefix=request.prefix or (),
        suffix=request.suffix or (),
        max_depth=request.max_depth,
        limit=request.limit,
        offset=request.offset,
    )
    return Namespaces(namespaces=found)


async def _embedding_of(services: Services, caller: Identity, request: NewItem) -> Sequence[float] | None:
    if request.index is False or not await services.store_index.there():
        return None
    return await services.store_index.of_value(caller.project_id, request.value, request.index)
