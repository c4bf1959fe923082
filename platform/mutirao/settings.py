"""Settings: environment variables `MUTIRAO_*`, an `.env` file, and `MUTIRAO_*_FILE` for secrets kept in files.

One class per area; `Settings` is all of them. Nothing here is read at import: each process calls `load_settings` once
and passes the result on.
"""

import difflib
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from mutirao.errors import SettingsInvalid

PREFIX = "MUTIRAO_"


class Area(BaseSettings):
    """One area of settings; fields are read from `MUTIRAO_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )


class StackSettings(Area):
    """Where things are. A URL that is set replaces the embedded part, which is then not started."""

    home: Path = Field(Path(".mutirao"), description="Data folder of the embedded stack.")
    database_url: SecretStr | None = Field(None, description="PostgreSQL ≥ 15, `postgresql://user:password@host/db`.")
    database_pipeline: bool = Field(
        True,
        description="Send what one checkpoint writes at once and prepared; `false`: statement by statement, which a "
        "transaction pooler bears. The rest of the platform needs sessions of its own.",
    )
    redis_url: SecretStr | None = Field(None, description="Redis ≥ 7 or Valkey, `redis://:password@host:6379/0`.")
    chroma_url: str | None = Field(None, description="Chroma server, `http://host:8000`.")
    artifacts_dir: Path | None = Field(None, description="Folder of the artifact store; default `<home>/artifacts`.")
    models_dir: Path | None = Field(None, description="Folder of model files; default `<home>/models`.")
    part_start_seconds: float = Field(30, gt=0, description="How long `mutirao up` waits for one part to be ready.")
    open_browser: bool = Field(
        True, description="Whether `mutirao up` opens the dashboard in a browser when it is started in a terminal."
    )
    faults: str | None = Field(
        None,
        description="For tests only: where the process is to die or to fail, "
        "`name:action[:when]`; see `mutirao.faults`.",
    )
    part_stop_seconds: float = Field(8, gt=0, description="How long a part may take to stop before it is killed.")

    @property
    def artifacts_path(self) -> Path:
        return self.artifacts_dir or self.home / "artifacts"

    @property
    def models_path(self) -> Path:
        return self.models_dir or self.home / "models"


class ModelPrice(BaseModel):
    """What a model costs, in the currency of the price list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_million: float = Field(ge=0, description="A million input tokens.")
    output_per_million: float = Field(ge=0, description="A million output tokens.")


class McpServerSettings(BaseModel):
    """An MCP server whose tools agents may use: a URL (streamable HTTP) or a command (standard input and output)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(None, description="Its streamable HTTP endpoint.")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Sent with every request to the URL.")
    command: str | None = Field(None, description="Program that speaks MCP on standard input and output.")
    args: list[str] = Field(default_factory=list, description="Its arguments.")
    env: dict[str, SecretStr] = Field(default_factory=dict, description="Its environment, beside PATH and HOME.")

    @model_validator(mode="after")
    def _url_or_command(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError("name either url or command")
        return self


class ModelSettings(Area):
    """Which models agents use."""

    model: str = Field(
        "builtin",
        description="Chat model: `builtin` (the local model server), `none` (documents from quotes only), "
        "`scripted` (tests), or any `provider:model` of LangChain's init_chat_model.",
    )
    model_url: str | None = Field(None, description="OpenAI-compatible base URL; replaces the embedded model server.")
    model_api_key: SecretStr | None = Field(None, description="Key for the model provider, where it needs one.")
    model_timeout_seconds: float = Field(120, gt=0, description="Time limit of one model call.")
    model_max_tokens: int = Field(256, gt=0, description="Most tokens one answer may have, unless an agent asks less.")
    model_concurrency: int = Field(2, gt=0, description="Model calls at once per worker process.")
    model_prices: dict[str, ModelPrice] = Field(
        {},
        description='Price list for budgets of cost, JSON: `{"gpt-5-mini": {"input_per_million": 0.25, '
        '"output_per_million": 2}}`; a model that is not in it costs 0.',
    )
    mcp_servers: dict[str, McpServerSettings] = Field(
        {},
        description='MCP servers whose tools agents may use, JSON: `{"files": {"url": "https://…/mcp"}, '
        '"clock": {"command": "uvx", "args": ["mcp-server-time"]}}`.',
    )
    embeddings: str = Field(
        "builtin", description="Embeddings: `builtin` (multilingual-e5-small) or `provider:model` of init_embeddings."
    )


class ApiSettings(Area):
    """The HTTP control plane."""

    api_host: str = Field("127.0.0.1", description="Address the API listens on.")
    api_port: int | None = Field(None, ge=0, le=65535, description="Port of the API; default: a free one, remembered.")
    api_url: str | None = Field(None, description="Where clients and the CLI find the API; default: the local stack.")
    api_key: SecretStr | None = Field(None, description="Key the CLI sends; default: the local stack's key file.")
    max_body_bytes: int = Field(4 << 20, gt=0, description="Largest JSON body.")
    max_upload_bytes: int = Field(32 << 20, gt=0, description="Largest uploaded file.")
    cors_origins: str = Field(
        "",
        description="Web pages of these origins may call the API from a browser, separated by commas; `*`: of all. "
        "Keys are sent in a header, never as a cookie.",
    )
    dashboard_dir: Path | None = Field(None, description="Folder of the built dashboard; default: that of the package.")
    max_page: int = Field(200, gt=0, description="Most rows in one page of a list.")
    stream_heartbeat_seconds: float = Field(15, gt=0, description="Pause after which an idle event stream says so.")
    mcp_sessions: int = Field(1_000, gt=0, description="Most MCP sessions at once.")
    mcp_sessions_per_caller: int = Field(100, gt=0, description="Most of them of one key or token.")
    mcp_idle_seconds: float = Field(1_800, gt=0, description="Pause after which an MCP session is closed.")
    public_routes: str = Field(
        "",
        description="Routes of projects' own (`http.app`) that need no key: beginnings of paths, separated by commas, such "
        "as `/hooks`. Routes of the API are not among them.",
    )
    own_routes_seconds: float = Field(300, gt=0, description="Longest silence of a project's own route.")
    own_routes_connections: int = Field(100, gt=0, description="Requests at once to projects' own routes.")
    max_filter_conditions: int = Field(50, gt=0, description="Most conditions in one filter of a search.")
    max_filter_depth: int = Field(10, gt=0, description="How deep a filter of a search may be nested.")


class AccessSettings(Area):
    """Who may call, how often, and tokens of an identity provider beside our own keys."""

    rate_limit_read: str = Field(
        "20000/10 seconds",
        description="Most reading requests of one key to one API process, `<count>/<n> <unit>`; `off`: no limit.",
    )
    rate_limit_submit: str = Field("10000/10 seconds", description="The same for everything else.")
    rate_limit_failures: str = Field(
        "600/minute", description="Most requests of one address that name a wrong key or token, or none."
    )
    max_streams: int = Field(1_000, ge=0, description="Open streams of one key in one API process; 0: no limit.")
    keyless_stream_seconds: float = Field(
        3_600,
        ge=0,
        description="Longest time a request or stream stays open whose caller has no key: one with a token, or one whom "
        "a project's `auth` has let in; 0: no limit. Whoever reads may connect again.",
    )
    session_seconds: float = Field(
        12 * 3600, ge=1, le=366 * 86_400, description="How long a browser stays signed in after its last request."
    )
    sign_in_link_seconds: float = Field(
        120, ge=1, le=86_400, description="How long a link that signs a browser in can be used; it can be used once."
    )
    anonymous_project: str | None = Field(
        None,
        description="Requests of programs of this machine that come without a key act in this project and may do all but "
        "administer; for tools that know no keys. Refused unless the API listens on loopback alone.",
    )
    jwt_issuer: str | None = Field(None, description="`iss` of tokens that are let in beside keys.")
    jwt_audience: str | None = Field(None, description="What must be in `aud` of a token.")
    jwt_jwks_url: str | None = Field(None, description="Where the issuer publishes its keys.")
    jwt_public_key: str | None = Field(None, description="The issuer's public key (PEM), instead of a URL.")
    jwt_secret: SecretStr | None = Field(None, description="A shared secret (HS256 …), instead of a public key.")
    jwt_algorithms: str = Field(
        "",
        description="Algorithms of signatures, separated by commas; default: RS, PS, ES and EdDSA; with a secret HS.",
    )
    jwt_project_claim: str = Field("project", description="Claim with the name or the id of the project.")
    jwt_scopes_claim: str = Field("scope", description="Claim with the scopes: a list, or words in one text.")
    jwt_default_scopes: str = Field("read", description="Scopes of a token that has no such claim.")
    jwt_create_projects: bool = Field(False, description="Make the project that a token names when it is new.")
    jwt_leeway_seconds: float = Field(30, ge=0, le=600, description="How far the issuer's clock may be off.")
    jwt_keys_seconds: float = Field(300, gt=0, description="How long keys of the URL are kept.")
    auth_project: str = Field(
        "default", description="Project of those whom the `auth` of a `langgraph.json` lets in, by name or id."
    )


class LimitSettings(Area):
    """How much one project may keep; what is beyond is refused as `limit_reached`."""

    max_queued_jobs: int = Field(200_000, gt=0, description="Jobs of one project that wait for a worker or their time.")
    max_schedules: int = Field(10_000, gt=0, description="Schedules of one project.")
    max_webhooks: int = Field(100, gt=0, description="Webhooks of one project.")
    max_keys: int = Field(10_000, gt=0, description="Keys of one project that are not revoked.")
    max_assistants: int = Field(100_000, gt=0, description="Assistants of one project, beside those of its workflows.")
    max_store_items: int = Field(
        5_000_000, gt=0, description="Items in the store of one project, when a client writes."
    )
    max_threads: int = Field(10_000_000, gt=0, description="Threads of one project, when a client makes one.")


class WorkerSettings(Area):
    """Celery workers."""

    queues: str = Field("default", description="Queues this worker serves, separated by commas.")
    worker_name: str | None = Field(None, description="Stable name of the worker; default host name and first queue.")
    worker_slots: int = Field(200, gt=0, description="Jobs at once in one `shared` worker process.")
    exclusive_slots: int = Field(4, gt=0, description="Jobs at once that have a process of their own, per worker.")
    blocked_seconds: float = Field(
        1,
        ge=0.2,
        description="How long a step may keep a shared loop to itself before its job gets a process of its own.",
    )
    lease_seconds: float = Field(15, gt=0.5, description="How long a silent worker keeps its jobs.")
    poll_seconds: float = Field(1, gt=0, description="How often a worker looks for jobs whose hint was lost.")
    probe_seconds: float = Field(10, gt=0, description="How often a worker makes sure that its hints reach it.")
    attempts: int = Field(3, gt=0, description="Attempts of a job before it is dead.")
    version_grace_seconds: float = Field(
        30, ge=0, description="How long a job waits for a worker of its version before it is `stranded`."
    )
    event_flush_seconds: float = Field(
        0.02, gt=0, description="How long an event waits to be written; up to eight times that where many jobs run."
    )
    max_children: int = Field(10_000, gt=0, description="Most children of one fan-out.")
    max_effect_bytes: int = Field(256 << 10, gt=0, description="Largest result of one effect, as JSON.")
    max_stream_bytes: int = Field(
        4 << 20,
        gt=0,
        description="Largest payload of one event of a LangGraph stream, as JSON; a larger one is left out.",
    )
    app_host: str = Field(
        "127.0.0.1",
        description="Address on which a worker serves its project's own routes (`http.app` of `langgraph.json`); "
        "`0.0.0.0` when the API runs on another host.",
    )
    drain_seconds: float = Field(0.5, ge=0, description="How long running steps may go on after SIGTERM.")


class KnowledgeSettings(Area):
    """Documents, chunks and retrieval."""

    chunk_chars: int = Field(700, ge=100, description="Aim for the length of a chunk, in characters.")
    max_document_pages: int = Field(5_000, gt=0, description="Most pages of one document.")
    max_document_chars: int = Field(20_000_000, gt=0, description="Most characters of one document's text.")
    parse_seconds: float = Field(120, gt=0, description="Time limit for taking the text out of one document.")
    parse_memory_bytes: int = Field(1 << 30, gt=0, description="Memory limit of the process that reads a document.")
    search_candidates: int = Field(40, gt=0, description="Chunks each retriever proposes before fusion.")


class ModernizeSettings(Area):
    """Limits of legacy-code conversion."""

    max_archive_bytes: int = Field(64 << 20, gt=0, description="Largest source archive, unpacked.")
    max_archive_files: int = Field(5_000, gt=0, description="Most files in a source archive.")
    convert_seconds: float = Field(30, gt=0, description="Time limit for converting one file.")


class RetentionSettings(Area):
    """How long what has ended is kept, by the database clock; 0: for ever."""

    keep_events_days: float = Field(
        90, ge=0, description="Events and model calls of jobs that ended (their last event stays), and gone workers."
    )
    keep_checkpoints_days: float = Field(
        30, ge=0, description="Checkpoints of jobs that ended; the newest of a thread stays as long as its jobs."
    )
    keep_jobs_days: float = Field(365, ge=0, description="Jobs that ended, with their children and all that is theirs.")
    keep_ephemeral_seconds: float = Field(
        300, ge=0, description="Threads that were made for one run, from its end on; with the run and all that is its."
    )
    keep_keys_hours: float = Field(48, ge=0, description="Idempotency keys of jobs that ended.")
    keep_blob_hours: float = Field(
        24, ge=0, description="Stored files that no artifact, upload or document refers to, since they were last put."
    )


class WebhookSettings(Area):
    """Messages to other systems, and where this one may connect to."""

    secret_key: SecretStr | None = Field(
        None,
        description="Encrypts the secrets of webhooks, at least 16 characters; several, separated by commas: the first "
        "encrypts, all decrypt. Without it there are no webhooks; the embedded stack makes its own.",
    )
    outbound_allow: str = Field(
        "",
        description="Networks (CIDR), addresses and host names, separated by commas, that may be called although they "
        "are not public.",
    )
    outbound_seconds: float = Field(10, gt=0, description="Time limit of one call to a webhook, all together.")
    outbound_bytes: int = Field(64 << 10, gt=0, description="Most that is read of an answer.")
    webhook_attempts: int = Field(10, gt=0, description="Attempts of a delivery before it has failed.")
    webhook_backoff_seconds: float = Field(
        5, gt=0, description="Pause before the second attempt; each further one is three times the last, with jitter."
    )
    webhook_longest_seconds: float = Field(6 * 3600, gt=0, description="Longest pause between two attempts.")
    webhook_concurrency: int = Field(
        16, gt=0, description="Deliveries at once in one worker process; a quarter of them to one receiver."
    )


AREAS: tuple[type[Area], ...] = (
    StackSettings, ModelSettings, ApiSettings, AccessSettings, LimitSettings, WorkerSettings, KnowledgeSettings,
    ModernizeSettings, RetentionSettings, WebhookSettings,
)  # fmt: skip


class Settings:
    """All areas of settings, frozen. Built by `load_settings`; `Settings(stack=…, …)` builds one by hand."""

    def __init__(self, **areas: Area) -> None:
        self.stack: StackSettings = _area(areas, "stack", StackSettings)
        self.model: ModelSettings = _area(areas, "model", ModelSettings)
        self.api: ApiSettings = _area(areas, "api", ApiSettings)
        self.access: AccessSettings = _area(areas, "access", AccessSettings)
        self.limits: LimitSettings = _area(areas, "limits", LimitSettings)
        self.worker: WorkerSettings = _area(areas, "worker", WorkerSettings)
        self.knowledge: KnowledgeSettings = _area(areas, "knowledge", KnowledgeSettings)
        self.modernize: ModernizeSettings = _area(areas, "modernize", ModernizeSettings)
        self.retention: RetentionSettings = _area(areas, "retention", RetentionSettings)
        self.webhooks: WebhookSettings = _area(areas, "webhooks", WebhookSettings)


def _area(areas: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    return areas.get(name) or kind()


@cache
def known_variables() -> frozenset[str]:
    """Names of all settings as environment variables, without the `_FILE` forms."""
    return frozenset(PREFIX + field.upper() for area in AREAS for field in area.model_fields)


def load_settings() -> Settings:
    """Read the settings of this process from its environment.

    Raises:
        SettingsInvalid: a `MUTIRAO_*` variable is unknown, names a file that cannot be read, or has a wrong value.
    """
    _read_secret_files()
    _refuse_unknown()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        given = f"={first.get('input')!r}" if _plain(first["loc"]) else ""
        raise SettingsInvalid(f"{name}{given}: {first['msg']}", setting=name) from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = PREFIX + field[1].upper() if field else "a setting"
        raise SettingsInvalid(f"{name} is not JSON; see deploy/SETTINGS.md", setting=name) from None


def _plain(place: tuple[int | str, ...]) -> bool:
    """Whether the value of a setting may be shown: it is no secret, and has none in it."""
    kinds = [area.model_fields[str(place[0])].annotation for area in AREAS if place[0] in area.model_fields]
    return len(place) == 1 and not any("SecretStr" in str(kind) or "dict" in str(kind) for kind in kinds)


def _read_secret_files() -> None:
    for name in [*os.environ]:
        target = name.removesuffix("_FILE")
        if target == name or target not in known_variables() or target in os.environ:
            continue
        try:
            os.environ[target] = Path(os.environ[name]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsInvalid(f"{name}={os.environ[name]!r} cannot be read: {why}") from None


def _refuse_unknown() -> None:
    known = known_variables()
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known and name.removesuffix("_FILE") not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see deploy/SETTINGS.md"
            raise SettingsInvalid(f"unknown setting {name!r}{hint}", setting=name)
