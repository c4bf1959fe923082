"""Chroma's HTTP API, version 2, as far as we use it.

Its own Python client takes 2 s and 80 MB to import, waits for ever on a server that hangs, and does not verify TLS
certificates unless told to: none of it fits a worker that runs two hundred jobs.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
import orjson
from mutirao.errors import Unavailable

from mutirao_agents.knowledge.embeddings import Vectors

_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
_PAGE = 5_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CollectionGone(Exception):
    """Raised when Chroma does not know a collection: it was never made, or its store was lost."""


class Chroma:
    """A Chroma server. Every method raises Unavailable when it does not answer, or answers with an error."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._http: httpx.AsyncClient | None = None

    async def find(self, name: str) -> str:
        """The id of a collection by its name. Raises CollectionGone."""
        return str((await self._call("GET", f"/{quote(name, safe='')}"))["id"])

    async def ensure(self, name: str) -> str:
        """The id of a collection, made for cosine distance when it is new. Vectors come with every call: no function."""
        configuration = {"hnsw": {"space": "cosine"}, "embedding_function": None}
        made = await self._call("POST", "", {"name": name, "get_or_create": True, "configuration": configuration})
        return str(made["id"])

    async def drop(self, name: str) -> None:
        """Delete a collection; nothing happens when it is not there."""
        try:
            await self._call("DELETE", f"/{quote(name, safe='')}")
        except CollectionGone:
            return

    async def upsert(self, place: str, ids: Sequence[UUID], documents: Sequence[UUID], vectors: Vectors) -> None:
        """Put vectors in, a row each; the same id again replaces its vector. Raises CollectionGone."""
        body = {
            "ids": [str(name) for name in ids],
            "embeddings": vectors,
            "metadatas": [{"document_id": str(document)} for document in documents],
        }
        await self._call("POST", f"/{place}/upsert", body)

    async def query(self, place: str, vector: Vectors, limit: int) -> list[tuple[UUID, float]]:
        """Ids and distances (0 is the same) of the nearest vectors, nearest first. Raises CollectionGone."""
        body = {"query_embeddings": [vector], "n_results": limit, "include": ["distances"]}
        found = await self._call("POST", f"/{place}/query", body)
        return [(UUID(name), float(far)) for name, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    async def count(self, place: str) -> int:
        """How many vectors there are. Raises CollectionGone."""
        return int(await self._call("GET", f"/{place}/count"))

    async def ids(self, place: str, document: UUID | None = None) -> set[UUID]:
        """Ids of all vectors, or those of a document. Raises CollectionGone."""
        ids: set[UUID] = set()
        while True:
            body: dict[str, Any] = {"include": [], "limit": _PAGE, "offset": len(ids)}
            if document is not None:
                body["where"] = {"document_id": str(document)}
            page = (await self._call("POST", f"/{place}/get", body))["ids"]
            ids.update(map(UUID, page))
            if len(page) < _PAGE:
                return ids

    async def delete(self, place: str, ids: Sequence[UUID]) -> None:
        """Remove vectors by id; unknown ids are passed over. Raises CollectionGone."""
        for first in range(0, len(ids), _PAGE):
            part = [str(name) for name in ids[first : first + _PAGE]]
            await self._call("POST", f"/{place}/delete", {"ids": part})

    async def delete_document(self, place: str, document: UUID) -> None:
        """Remove a document's vectors. Raises CollectionGone."""
        await self._call("POST", f"/{place}/delete", {"where": {"document_id": str(document)}})

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        try:
            answer = await self._client().request(
                method, _COLLECTIONS + path, content=content, headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Chroma at {self.url!r} does not answer ({type(error).__name__}); see `mutirao status`"
            ) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise CollectionGone(path)
        if answer.is_error:
            said = answer.text[:300]
            raise Unavailable(f"Chroma at {self.url!r} answered {answer.status_code}: {said}; see its log")
        return orjson.loads(answer.content) if answer.content else None

    def _client(self) -> httpx.AsyncClient:
        if self.url is None:
            raise Unavailable("no Chroma server is set; set MUTIRAO_CHROMA_URL, or start `mutirao up`")
        if self._http is None:
            self._http = httpx.AsyncClient(
                base_url=self.url,
                timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
                # A proxy set for the outside world must not get what is for this machine.
                trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
            )
        return self._http
