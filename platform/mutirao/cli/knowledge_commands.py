"""`mutirao knowledge`: add, search, list, show, chunks, fetch, delete."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.failures import JOB_FAILED, REFUSED, problem_of, show_error
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import show_done, show_record
from mutirao.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.client.records import AddedDocument, Document, Hit

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HIT_CHARS = 400

CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]

DocumentId = Annotated[UUID, typer.Argument(metavar="ID", help="The document's id, see `mutirao knowledge list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    knowledge = typer.Typer(
        help="Documents that agents read: add, search, list, show, chunks, fetch, delete.", no_args_is_help=True
    )
    knowledge.command("add")(add)
    knowledge.command("search")(search)
    knowledge.command("list")(list_documents)
    knowledge.command("delete")(delete)
    knowledge.command("show")(show)
    knowledge.command("chunks")(chunks)
    knowledge.command("fetch")(fetch)
    app.add_typer(knowledge, name="knowledge")


@dataclass(frozen=True)
class Source:
    """A file to add, and what it is called in the collection: below a folder, its path in that folder."""

    path: Path
    name: str


def sources_of(paths: Sequence[Path]) -> Iterator[Source]:
    """Files as they are; of folders every file of a supported type that is not hidden, by name.

    Raises:
        InvalidInput: a folder has no such file.
    """
    for path in paths:
        if not path.is_dir():
            yield Source(path, path.name)
            continue
        from mutirao.knowledge.media import SUPPORTED

        found = [
            Source(file, file.relative_to(path).as_posix())
            for file in sorted(path.rglob("*"))
            if file.is_file()
            and file.suffix.lower().removeprefix(".") in SUPPORTED
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not found:
            raise InvalidInput(f"folder {str(path)!r} has no file of a supported type: {', '.join(SUPPORTED)}")
        yield from found


def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", exists=True, help="Files and folders.")],
    collection: CollectionOption,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the documents can be found.")] = False,
    as_json: Json = False,
) -> None:
    """Add documents to a collection, which is made when it is new.

    The same content again changes nothing; other content under the same name is a newer version. Exit code 5 when a
    file is refused, 1 when its text cannot be taken out; the others are added all the same.
    """
    with connect() as client:
        added, refused = _send(client, [*sources_of(paths)], collection, as_json=as_json)
        documents = wait_for_documents(client, added) if wait else [entry.document for entry in added]
    failed = [document for document in documents if document.state == "failed"]
    if as_json:
        jobs = [entry.job.id for entry in added if entry.job]
        output.show_json({"documents": documents, "jobs": jobs, "refused": refused})
    else:
        typer.echo(_added_text(documents, collection, len(refused), wait=wait))
    for document in failed:
        reason = document.error.message if document.error else "no reason is known"
        output.say(f"{document.name}: {reason}")
    if refused or failed:
        raise typer.Exit(REFUSED if refused else JOB_FAILED)


def _send(
    client: "Client", sources: Sequence[Source], collection: str, *, as_json: bool
) -> "tuple[list[AddedDocument], list[dict[str, object]]]":
    """What was taken, and the problem of each file that was refused, with its path."""
    added, refused = [], []
    for source in sources:
        try:
            added.append(client.add_document(collection, source.path, source.name))
        except InvalidInput as error:
            refused.append({**problem_of(error), "path": str(source.path)})
            if not as_json:
                output.say(f"{source.path}:")
                show_error(error, as_json=False)
    return added, refused


def wait_for_documents(client: "Client", added: "Sequence[AddedDocument]") -> "list[Document]":
    """The documents once their jobs have ended; each is said on stderr as it comes."""
    documents = []
    for number, entry in enumerate(added, start=1):
        document = entry.document
        if document.state == "queued" and document.job_id is not None:
            client.wait(document.job_id)
            document = client.document(document.id)
        documents.append(document)
        pages = f", {len(document.page_starts)} pages" if len(document.page_starts) > 1 else ""
        output.say(f"{number}/{len(added)}  {document.name}: {document.state}, {document.chars:,} characters{pages}")
    return documents


def _added_text(documents: "Sequence[Document]", collection: str, refused: int, *, wait: bool) -> str:
    states = [str(document.state) for document in documents]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"
    later = "" if wait or "queued" not in states else "; they can be found when they are ready (--wait waits)"
    return f"collection {collection}: {counts}{f', {refused} refused' if refused else ''}{later}"


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    collection: Annotated[list[str], typer.Option("--collection", "-c", help="Collection; may be repeated.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many passages.")] = 8,
    as_json: Json = False,
) -> None:
    """Find passages, best first, by keywords and by meaning."""
    with connect() as client:
        hits = client.search(collection, query, limit)
    if as_json:
        output.show_json({"hits": hits})
    else:
        typer.echo("\n\n".join(map(_hit_text, hits)) or "nothing found")


def _hit_text(hit: "Hit") -> str:
    heading = f"  {hit.heading}" if hit.heading else ""
    place = f"{hit.document.name}, version {hit.document.version}, page {hit.page}, {hit.start}-{hit.end}{heading}"
    return f"{output.printable(place, keep='')}\n  {output.one_line(hit.text, _HIT_CHARS)}"


def list_documents(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Its documents; without it, all collections.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List collections, or the documents of one."""
    with connect() as client:
        if collection is None:
            _show_collections(client, as_json=as_json)
        else:
            _show_documents(client, collection, as_json=as_json)


def _show_collections(client: "Client", *, as_json: bool) -> None:
    entries = client.collections()
    if as_json:
        output.show_json({"collections": entries})
        return
    rows = [(entry.name, str(entry.documents), str(entry.chunks)) for entry in entries]
    typer.echo(output.table(("collection", "documents", "chunks"), rows) if rows else "no collections yet")


def _show_documents(client: "Client", collection: str, *, as_json: bool) -> None:
    entries = client.documents(collection)
    if as_json:
        output.show_json({"documents": entries})
        return
    rows = [
        (str(entry.id), str(entry.state), str(entry.version), output.size(entry.size), entry.name) for entry in entries
    ]
    typer.echo(output.table(("id", "state", "version", "size", "name"), rows) if rows else "no documents")


def show(document_id: DocumentId, as_json: Json = False) -> None:
    """Show one document."""
    with connect() as client:
        found = client.document(document_id)
    facts = [
        ("document", str(found.id)),
        ("collection", found.collection),
        ("name", f"{found.name}, version {found.version}"),
        ("state", str(found.state)),
        ("file", f"{found.media_type}, {output.size(found.size)}, SHA-256 {found.sha256}"),
        ("text", f"{found.chars:,} characters, language {found.language or '?'}"),
        ("error", f"{found.error.code}: {found.error.message}" if found.error else None),
        ("job", str(found.job_id) if found.job_id else None),
    ]
    show_record(found, facts, as_json=as_json)


def chunks(document_id: DocumentId, as_json: Json = False) -> None:
    """Show the pieces of a document's text that are searched, in order."""
    with connect() as client:
        found = client.chunks(document_id)
    if as_json:
        output.show_json({"chunks": found})
        return
    for chunk in found:
        typer.echo(
            output.printable(f"{chunk.ordinal}  page {chunk.page}, {chunk.start} to {chunk.end}  {chunk.heading}")
        )
        typer.echo(output.printable(output.one_line(chunk.text, _HIT_CHARS)))


def fetch(
    document_id: DocumentId,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="The file to write.")],
    text: Annotated[bool, typer.Option("--text", help="The text that was taken out of it, not the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a document, as it was sent, to a file; or its text."""
    with connect() as client:
        content = client.document_text(document_id).encode() if text else client.document_content(document_id)
    out.write_bytes(content)
    show_done({"file": str(out), "size": len(content)}, f"wrote {out} ({output.size(len(content))})", as_json=as_json)


def delete(
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT...", help="Ids, or names with --collection.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Where the names are from.")] = None,
    as_json: Json = False,
) -> None:
    """Delete documents and everything made of them; a name means all its versions."""
    with connect() as client:
        ids = [found for document in documents for found in _ids_of(client, document, collection)]
        for document_id in ids:
            client.delete_document(document_id)
    if as_json:
        output.show_json({"deleted": ids})
    else:
        typer.echo(f"deleted {len(ids)} document(s)")


def _ids_of(client: "Client", document: str, collection: str | None) -> list[UUID]:
    if _UUID.fullmatch(document):
        return [UUID(document)]
    if collection is None:
        raise InvalidInput(f"{document!r} is not an id; say which --collection that name is from")
    found = [entry.id for entry in client.documents(collection) if entry.name == document]
    if not found:
        raise NotFound(f"collection {collection!r} has no document {document!r}")
    return found
