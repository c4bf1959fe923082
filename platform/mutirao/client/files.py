"""Verbs on files, documents and what is found in them."""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType
from urllib.parse import quote
from uuid import UUID

from mutirao.client import download, records
from mutirao.client.connection import ConnectionLost, NoConnection
from mutirao.client.flows import Close, Flow, Open, Part, Request
from mutirao.client.outage import Outage
from mutirao.client.verbs import PAGE, R, Sent, Verbs, steps, verb
from mutirao.jobs.records import Artifact

SEARCH_SECONDS = 30.0
"""How long the API waits for the job that searches."""


class FileVerbs(Verbs):
    """Verbs on what jobs take and leave."""

    @verb("GET /jobs/{job_id}/artifacts", list[Artifact])
    def artifacts(self, job_id: UUID | str) -> Sent:
        """Files the job has produced so far, by name."""
        return Sent()

    @steps("GET /jobs/{job_id}/artifacts/{name}")
    def download(self, artifact: Artifact, folder: Path) -> Flow[Path]:
        """Write an artifact below `folder`, under its name; gives the path. The content is checked by its hash.

        Raises:
            NameRefused: its name would lead out of the folder.
        """
        target = download.place_of(artifact.name, folder)
        request = Request(method="GET", path=f"/jobs/{artifact.job_id}/artifacts/{quote(artifact.name)}")
        outage = Outage(self._patience_seconds)
        while True:
            try:
                yield Open(request)
                with download.writing(artifact, target) as take:
                    while (part := (yield Part())) is not None:
                        take(part)
            except (NoConnection, ConnectionLost) as error:
                pause = outage.bear(error)
            else:
                return target
            yield Close()
            yield pause

    @steps("POST /uploads")
    def upload(self, path: Path, name: str | None = None) -> Flow[records.Upload]:
        """Store a file that a job will take as input, by its id. Raises TooLarge."""
        return (yield from self._send_file(records.Upload, "/uploads", path, name))

    def _send_file(self, kind: type[R], route: str, path: Path, name: str | None) -> Flow[R]:
        with path.open("rb") as file:
            request = Request(method="POST", path=route, files={"file": (name or path.name, file)})
            return (yield from self._read(kind, request))


class KnowledgeVerbs(FileVerbs):
    """Verbs on collections and documents."""

    @steps("POST /collections/{collection}/documents")
    def add_document(self, collection: str, path: Path, name: str | None = None) -> Flow[records.AddedDocument]:
        """Send a document to a collection, which is made when it is new; a job takes it in.

        The same content under the same name changes nothing.

        Raises:
            DocumentInvalid: the file is not what its name says.
            TooLarge: it is larger than the API takes.
        """
        route = f"/collections/{quote(collection, safe='')}/documents"
        return (yield from self._send_file(records.AddedDocument, route, path, name))

    @verb("GET /collections", list[records.Collection])
    def collections(self) -> Sent:
        """Every collection, by name."""
        return Sent()

    @steps("GET /collections/{collection}/documents")
    def documents(self, collection: str) -> Flow[list[records.Document]]:
        """The documents of a collection by name, newest version first. Raises NotFound."""
        path = f"/collections/{quote(collection, safe='')}/documents"
        return (yield from self._all_of(records.Document, path))

    def _all_of(self, kind: type[R], path: str) -> Flow[list[R]]:
        found: list[R] = []
        while True:
            params = {"limit": PAGE, "offset": len(found)}
            request = Request(method="GET", path=path, params=params)
            page: list[R] = yield from self._read(list[kind], request)  # type: ignore[valid-type] # a type made here
            found += page
            if len(page) < PAGE:
                return found

    @verb("GET /documents/{document_id}", records.Document)
    def document(self, document_id: UUID | str) -> Sent:
        """One document. Raises NotFound."""
        return Sent()

    @steps("GET /documents/{document_id}/chunks")
    def chunks(self, document_id: UUID | str) -> Flow[list[records.Chunk]]:
        """The pieces of its text that are searched, in order. Raises NotFound."""
        return (yield from self._all_of(records.Chunk, f"/documents/{document_id}/chunks"))

    @verb("GET /documents/{document_id}/content", bytes)
    def document_content(self, document_id: UUID | str) -> Sent:
        """The file as it was sent. Raises NotFound."""
        return Sent()

    @verb("GET /documents/{document_id}/text", str)
    def document_text(self, document_id: UUID | str) -> Sent:
        """The text that was taken out of it. Raises NotFound."""
        return Sent()

    @verb("DELETE /documents/{document_id}", NoneType)
    def delete_document(self, document_id: UUID | str) -> Sent:
        """Delete a document and everything made of it. Raises NotFound."""
        return Sent()

    @verb("GET /samples", records.Samples)
    def samples(self) -> Sent:
        """The documents that ship with the platform, and what `mutirao demo` asks of them."""
        return Sent()

    @verb("GET /samples/{name}", str)
    def sample_text(self, name: str) -> Sent:
        """The text of one of them. Raises NotFound."""
        return Sent()

    @steps("POST /search")
    def search(self, collections: Iterable[str], query: str, limit: int = 8) -> Flow[list[records.Hit]]:
        """The passages nearest to `query`, best first. Raises NotFound (a collection)."""
        body = {"collections": list(collections), "query": query, "limit": limit}
        request = Sent(body=body, silence_seconds=SEARCH_SECONDS).request("POST /search", {})
        return (yield from self._read(records.SearchResult, request)).hits
