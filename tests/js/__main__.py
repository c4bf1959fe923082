"""Start the servers, run the tests of this folder with Node, end the servers. Exit code: that of Node."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

HERE = Path(__file__).parent


def main() -> int:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.stderr.write("node and npm are needed (Node 20 or newer)\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="mutirao-js-") as name:
        folder = Path(name)
        page = folder / "js"
        shutil.copytree(HERE, page, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        install = [npm, "ci", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=page, check=True)
        with (
            EmbeddedParts(folder / "parts", ["postgres", "valkey"]) as parts,
            new_database(parts.database_url) as url,
            Servers(folder, database_url=url, redis_url=own_redis(parts.redis_url), env=parts.env) as servers,
        ):
            servers.start_api()
            servers.start_worker("js")
            env = os.environ | {"MUTIRAO_URL": servers.url, "MUTIRAO_KEY": servers.key, "NO_PROXY": "127.0.0.1"}
            return subprocess.run(
                [node, "--test", "--test-reporter", "spec"], cwd=page, env=env, check=False
            ).returncode


if __name__ == "__main__":
    sys.exit(main())
