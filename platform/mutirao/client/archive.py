"""A folder as one zip file, to be uploaded."""

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mutirao.errors import InvalidInput

LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_folder(folder: Path, target: Path) -> list[str]:
    """Write the files of `folder` to the zip file `target`; returns the names of what was left out.

    The same files give the same bytes: names in order, no times. Left out are folders of version control and caches
    (`LEFT_OUT`), and everything that is no regular file: a link could name any file of this machine.

    Raises:
        InvalidInput: there is no file in it, or one cannot be read.
    """
    left_out: list[str] = []
    count = 0
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in _files(folder, left_out):
                name = path.relative_to(folder).as_posix()
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (stat.S_IFREG | stat.S_IMODE(path.stat().st_mode)) << 16
                with path.open("rb") as source, archive.open(entry, "w") as sink:
                    while part := source.read(1 << 20):
                        sink.write(part)
                count += 1
    except OSError as error:
        raise InvalidInput(f"{error.filename or str(folder)!r} cannot be read: {error.strerror}") from None
    except UnicodeEncodeError as error:
        raise InvalidInput(f"file name {error.object!r} is not Unicode; rename the file") from None
    if not count:
        raise InvalidInput(f"folder {str(folder)!r} has no files to send", folder=str(folder))
    return left_out


def _files(folder: Path, left_out: list[str]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name in LEFT_OUT or entry.is_symlink():
            left_out.append(entry.name)
        elif entry.is_dir():
            yield from _files(path, left_out)
        elif entry.is_file():
            yield path
        else:
            left_out.append(entry.name)
