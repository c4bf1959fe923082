"""`make dashboard-dev`: the page with hot reload, on the stack that runs on the data folder, which is started when there is none.

Ends with Ctrl-C; a stack that it has started goes on, `mutirao down` ends it.
"""

import subprocess
import sys
from pathlib import Path

from build_hook import HERE, Npm, PageNotBuilt, run
from mutirao.client.address import Address, find_address
from mutirao.client.errors import NoConnection
from mutirao.settings import load_settings

MUTIRAO = Path(sys.executable).with_name("mutirao")


def stack() -> Address:
    """Where the API is."""
    try:
        return find_address(load_settings())
    except NoConnection:
        subprocess.run([MUTIRAO, "up", "--detach", "--reload", "--no-open"], check=True)
        return find_address(load_settings())


def main() -> int:
    try:
        run()
        npm = Npm()
    except PageNotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    api = stack()
    # Vite sends the key along, so that nobody has to sign in.
    env = npm.env | {"MUTIRAO_URL": api.url, "MUTIRAO_KEY": api.key}
    try:
        return subprocess.run([npm.node, "node_modules/vite/bin/vite.js"], cwd=HERE, env=env, check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
