"""The data folder of an embedded stack: what lies where, and its secrets."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mutirao.errors import SettingsInvalid

SECRET_BYTES = 24
PRIVATE = 0o600


def write_private(path: Path, text: str, mode: int = PRIVATE) -> None:
    """Replace a file in one step; nobody else can read it at any moment."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object kept in a file; empty when there is none, or when it is not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Keep a JSON object in a file, in one step."""
    write_private(path, json.dumps(record, indent=1) + "\n")


class Home:
    """Paths below the data folder, all absolute. Only `create` and `secret` write."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets"
        self.lock = self.path / "lock"
        self.stack_file = self.path / "stack.json"
        """What is remembered between starts: ports and the name of this stack."""
        self.run_file = self.path / "run.json"
        """The present or last run: its processes."""
        self.api_key_file = self.path / "api.key"
        self.supervisor_log = self.logs / "supervisor.log"

    def create(self) -> None:
        """Make the folder, readable by its owner only (as root: other accounts may pass through it).

        Raises:
            SettingsInvalid: it cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            for folder in (self.logs, self.secrets):
                folder.mkdir(exist_ok=True, mode=0o700)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")  # it holds keys, and usually lies inside a project
        except OSError as error:
            raise SettingsInvalid(
                f"MUTIRAO_HOME={str(self.path)!r} cannot be written: {error.strerror}; name another folder",
                setting="MUTIRAO_HOME",
            ) from None

    def log_of(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def secret(self, name: str) -> str:
        """A secret of this stack, made when first asked for; 32 characters of the URL-safe alphabet."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(SECRET_BYTES))
        return path.read_text(encoding="utf-8").strip()
