"""`mutirao` in the process of the tests: one command costs no start of Python."""

import subprocess
from collections.abc import Mapping
from typing import Any

from mutirao.cli import app
from typer.testing import CliRunner


def invoked(env: Mapping[str, str], *arguments: Any, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end in the folder that this process is in; of `env` it gets what is Mutirão's."""
    argv = [*map(str, arguments)]
    runner = CliRunner(env={name: value for name, value in env.items() if name.startswith("MUTIRAO_")})
    ran = runner.invoke(app, argv, input=given)
    return subprocess.CompletedProcess(argv, ran.exit_code, ran.stdout, ran.stderr)
