"""Start the servers, let Schemathesis at them, end the servers.

Exit code: that of Schemathesis; 0, too, where it found nothing but requests without an answer in time that had to wait.

`python -m tests.fuzz --seconds 600`. Schemathesis is another program with its own packages: `--schemathesis` says where.
"""

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutirao.db import Database
from mutirao.keys import new_key_text
from mutirao.projects import Projects
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

PEERS = ("ana", "bo")
REPORT = "report.json"
UNANSWERED = "unanswered.txt"  # as in hooks.py, which is loaded where this module is not
# Workflows of the project that are made to last: who waits for one of their runs has no answer within the time-out.
LASTING = re.compile(r'^@workflow\(name="(endless|slow_chat)".*\)\n', re.MULTILINE)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "object_level_authorization",
)


async def keys(url: str) -> dict[str, str]:
    """A key of each of two projects."""
    db = Database(url)
    try:
        projects = Projects(db)
        made = {name: new_key_text() for name in PEERS}
        for name, key in made.items():
            await projects.add_key(await projects.ensure(name), key, name)
        return made
    finally:
        await db.close()


def configure(folder: Path, made: dict[str, str]) -> None:
    """Who calls, as Schemathesis reads it."""
    users = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for name, key in made.items()
    ]
    (folder / "auth.json").write_text(json.dumps({"schemaVersion": "0.1.0", "auth": users}), encoding="utf-8")
    peers = ", ".join(f'"{name}"' for name in PEERS)
    hooks = Path(__file__).with_name("hooks.py")
    config = f'hooks = "{hooks}"\n\n[auth.wfc]\npath = "{folder / "auth.json"}"\npeers = [{peers}]\n'
    (folder / "schemathesis.toml").write_text(config, encoding="utf-8")


def leave_out_lasting(project: Path) -> None:
    """Make plain functions of them."""
    left_out = 0
    for path in project.glob("*.py"):
        source, count = LASTING.subn("", path.read_text(encoding="utf-8"))
        path.write_text(source, encoding="utf-8")
        left_out += count
    assert left_out == 2, left_out


def only_waited(folder: Path) -> bool:
    """Whether all that went wrong are requests without an answer in time which had to wait for others; see `hooks.py`."""
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    unanswered = folder / UNANSWERED
    told = unanswered.read_text(encoding="utf-8").split() if unanswered.exists() else []
    errors = {error["title"]: error["count"] for error in report["errors"]}
    return (
        report["complete"]
        and not report["failures"]
        and set(told) == {"waits"}
        and set(errors) == {"Network Error"}
        and errors["Network Error"] <= len(told)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--schemathesis", default=shutil.which("schemathesis") or "schemathesis")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--report", type=Path, help="where to put the log of the API when it has said an error")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="mutirao-fuzz-") as name:
        folder = Path(name)
        with (
            EmbeddedParts(folder / "parts", ["postgres", "valkey", "chroma"]) as parts,
            new_database(parts.database_url) as url,
            Servers(folder, database_url=url, redis_url=own_redis(parts.redis_url), env=parts.env) as servers,
        ):
            leave_out_lasting(servers.project)
            limits = {f"rate_limit_{what}": "off" for what in ("read", "submit", "failures")}
            secret = "fuzzing-fuzzing-fuzzing"
            servers.start_api(**limits, max_streams="0", secret_key=secret)
            servers.start_worker("fuzz", lease_seconds="5", secret_key=secret)
            configure(folder, asyncio.run(keys(url)))
            command = [
                options.schemathesis, "--config-file", str(folder / "schemathesis.toml"), "run",
                f"{servers.url}/openapi.json", "--checks", ",".join(CHECKS), "--max-time", str(options.seconds),
                "--request-timeout", "5", "--continue-on-failure", "--suppress-health-check", "all",
                "--report", "json", "--report-json-path", str(folder / REPORT),
                *(("--seed", str(options.seed)) if options.seed is not None else ()), *more,
            ]  # fmt: skip
            code = subprocess.run(command, cwd=folder, check=False).returncode
            if code and only_waited(folder):
                sys.stdout.write("nothing but requests that had to wait for others\n")
                code = 0
            errors = [line for line in servers.logs().splitlines() if '"level": "error"' in line]
            sys.stdout.write("\n".join(["", "errors in the log of the API and the worker:", *errors[-20:]]) + "\n")
            if options.report:
                options.report.write_text(servers.logs(), encoding="utf-8")
            return code


if __name__ == "__main__":
    sys.exit(main())
