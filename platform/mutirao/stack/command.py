"""What to execute for a part, and as whom."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Account:
    """A system account that programs refusing root run as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program to run: absolute path and arguments, its whole environment, account and signals."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    """None: the account of this process."""
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    """What asks the program to end by itself."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the program gets when the supervisor is gone."""
