"""Decides from the settings which parts a stack has, where they listen, and what each is told."""

import os
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutirao.settings import Settings
from mutirao.stack.api import ApiPart
from mutirao.stack.chroma import ChromaPart
from mutirao.stack.home import Home, read_record, write_private, write_record
from mutirao.stack.migration import Migration
from mutirao.stack.model import ModelPart
from mutirao.stack.part import IdlePart, Part, PartState
from mutirao.stack.ports import LOOPBACK, Ports
from mutirao.stack.postgres import PostgresPart
from mutirao.stack.valkey import ValkeyPart
from mutirao.stack.worker import WorkerPart

ALL = ("postgres", "valkey", "chroma", "model", "api", "worker")
BUILTIN = "builtin"
NAME_BYTES = 3
# Nothing calls out by itself, and a forged checkpoint runs no code.
QUIET = {"ANONYMIZED_TELEMETRY": "False", "LANGSMITH_TRACING": "false", "LANGGRAPH_STRICT_MSGPACK": "true"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will run. `env` is what programs of this stack are told, `api_url` is None in a stack without an API."""

    parts: tuple[Part, ...]
    migration: Migration | None
    env: Mapping[str, str]
    api_url: str | None
    notes: tuple[str, ...]
    """What people should be told about the choices."""


class Planner:
    """Makes the plan of one data folder. Chooses ports and makes secrets; starts nothing."""

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings = settings
        self._home = home
        self._ports = Ports(home)
        # Settings of this process reach the programs as they are; addresses and secrets of the stack come on top.
        self._env = {**os.environ, **QUIET}
        self._env |= {
            "MUTIRAO_HOME": str(home.path),
            "MUTIRAO_ARTIFACTS_DIR": str(_absolute(settings.stack.artifacts_path)),
            "MUTIRAO_MODELS_DIR": str(_absolute(settings.stack.models_path)),
        }

    def plan(self, names: Collection[str] = ALL, workers: int = 1) -> Plan:
        """The parts called `names`; `worker` stands for all `workers` of them.

        Raises:
            Conflict: the port that the settings name is taken, or no port is free.
        """
        makers = {
            "postgres": self._postgres, "valkey": self._valkey, "chroma": self._chroma, "model": self._model,
        }  # fmt: skip
        parts = [makers[name]() for name in makers if name in names]
        url = self._api_address() if "api" in names else None
        if url is not None and self._settings.webhooks.secret_key is None:
            self._env["MUTIRAO_SECRET_KEY"] = self._home.secret("secret.key")
        env = dict(self._env)
        if url is not None:
            parts.append(ApiPart(url, int(env["MUTIRAO_API_PORT"]), {**env, "MUTIRAO_API_KEY": self._api_key()}))
        if "worker" in names and url is not None:
            parts += [self._worker(number, workers, url) for number in range(1, workers + 1)]
        migration = self._migration(parts, env) if url is not None else None
        return Plan(parts=tuple(parts), migration=migration, env=env, api_url=url, notes=tuple(self._ports.notes))

    def _migration(self, parts: Sequence[Part], env: Mapping[str, str]) -> Migration | None:
        """None for a database that is not ours."""
        own = [part for part in parts if isinstance(part, PostgresPart)]
        return Migration(own[0], env, self._home.log_of("migration")) if own else None

    def _postgres(self) -> Part:
        if self._settings.stack.database_url is not None:
            self._env["MUTIRAO_DATABASE_URL"] = self._settings.stack.database_url.get_secret_value()
            return IdlePart("postgres", PartState.EXTERNAL, "MUTIRAO_DATABASE_URL; its schema: `mutirao db upgrade`")
        part = PostgresPart(self._home, self._ports.choose("postgres"))
        self._env["MUTIRAO_DATABASE_URL"] = part.url
        return part

    def _valkey(self) -> Part:
        if self._settings.stack.redis_url is not None:
            self._env["MUTIRAO_REDIS_URL"] = self._settings.stack.redis_url.get_secret_value()
            return IdlePart("valkey", PartState.EXTERNAL, "MUTIRAO_REDIS_URL")
        part = ValkeyPart(self._home, self._ports.choose("valkey"))
        self._env["MUTIRAO_REDIS_URL"] = part.url
        return part

    def _chroma(self) -> Part:
        if self._settings.stack.chroma_url is not None:
            self._env["MUTIRAO_CHROMA_URL"] = self._settings.stack.chroma_url
            return IdlePart("chroma", PartState.EXTERNAL, self._settings.stack.chroma_url)
        part = ChromaPart(self._home, self._ports.choose("chroma"), _for_servers(self._env))
        self._env["MUTIRAO_CHROMA_URL"] = part.url
        return part

    def _model(self) -> Part:
        model = self._settings.model
        if model.model != BUILTIN:
            return IdlePart("model", PartState.OFF, f"MUTIRAO_MODEL={model.model}")
        if model.model_url is not None:
            self._env["MUTIRAO_MODEL_URL"] = model.model_url
            return IdlePart("model", PartState.EXTERNAL, model.model_url)
        models = _absolute(self._settings.stack.models_path)
        port = self._ports.choose("model")
        part = ModelPart(models, port, model.model_concurrency, _for_servers(self._env))
        self._env["MUTIRAO_MODEL_URL"] = part.url
        return part

    def _api_address(self) -> str:
        api = self._settings.api
        port = self._ports.fixed("api", api.api_port, api.api_host) if api.api_port else self._ports.choose("api")
        host = LOOPBACK if api.api_host in ("0.0.0.0", "::", "localhost") else api.api_host  # noqa: S104 - compared
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._env |= {"MUTIRAO_API_HOST": api.api_host, "MUTIRAO_API_PORT": str(port), "MUTIRAO_API_URL": url}
        return url

    def _api_key(self) -> str:
        """The key of the project `default`: the settings' one, else one of our own, kept in a private file."""
        if self._settings.api.api_key is not None:
            return self._settings.api.api_key.get_secret_value()
        path = self._home.api_key_file
        if not path.exists():
            from mutirao.projects import new_key_text  # loads SQLAlchemy, which the supervisor needs only this once

            write_private(path, new_key_text() + "\n")
        return path.read_text(encoding="utf-8").strip()

    def _worker(self, number: int, workers: int, url: str) -> Part:
        name = "worker" if number == 1 else f"worker-{number}"
        own = self._settings.worker.worker_name or self._stack_name()
        told = own if workers == 1 and self._settings.worker.worker_name else f"{own}-{number}"
        return WorkerPart(name, url, {**self._env, "MUTIRAO_WORKER_NAME": told})

    def _stack_name(self) -> str:
        """Host and a few random letters, kept: a worker that comes back finds its own leases."""
        record = read_record(self._home.stack_file)
        if not isinstance(record.get("name"), str):
            record["name"] = f"{socket.gethostname()}-{secrets.token_hex(NAME_BYTES)}"
            write_record(self._home.stack_file, record)
        return str(record["name"])


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _for_servers(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of programs that are not ours: none of our secrets."""
    return {name: value for name, value in env.items() if name == "MUTIRAO_HOME" or not name.startswith("MUTIRAO_")}


def home_of(settings: Settings) -> Home:
    """The data folder the settings name."""
    return Home(Path(settings.stack.home).expanduser())
