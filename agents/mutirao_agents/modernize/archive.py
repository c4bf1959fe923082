"""Source archives: zip files that may be hostile, read in memory, never unpacked to a disk.

An archive is checked as a whole before anything is made of it. Refused with the entry's name and the remedy: names
that leave the folder or that two systems read differently, links and devices, encryption, bombs, damaged content.
"""

import hashlib
import io
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mutirao.errors import ArchiveInvalid, TooLarge
from mutirao.settings import ModernizeSettings

# A deflated text is rarely a tenth of its size; only what is made to be one exceeds this at this size.
MAX_RATIO = 200
RATIO_FROM_BYTES = 1 << 20
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
_CHUNK_BYTES = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PYTHON_SHEBANG = re.compile(rb"#![^\n]*\bpython")
_DRIVE = re.compile(r"[A-Za-z]:")
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of an archive. `path` is relative with `/`; `size` in bytes; `mode` the permission bits of its owner's
    system, 0 where the archive has none; `python` whether name or first line say that it is Python."""

    path: str
    size: int
    sha256: str
    mode: int
    python: bool


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A checked archive. `folders` are those that have an entry of their own."""

    name: str
    size: int
    sha256: str
    entries: tuple[Entry, ...]
    folders: tuple[str, ...]
    _zip: zipfile.ZipFile = field(repr=False)
    _infos: dict[str, zipfile.ZipInfo] = field(repr=False)

    def read(self, path: str) -> bytes:
        """Content of a file; may be called from several threads."""
        return self._zip.read(self._infos[path])

    @property
    def python_paths(self) -> list[str]:
        """Paths of the Python files, in the archive's order."""
        return [entry.path for entry in self.entries if entry.python]

    def siblings(self, path: str) -> list[str]:
        """What `import name` in the file at `path` finds beside it, when it is in a package; else nothing."""
        beside = self._modules.get(path.rpartition("/")[0], set())
        return sorted(beside - {"__init__"}) if "__init__" in beside else []

    @cached_property
    def _modules(self) -> dict[str, set[str]]:
        """Names of the modules and packages in each folder."""
        found: dict[str, set[str]] = {}
        for path in self._infos:
            folder, _, name = path.rpartition("/")
            if name.endswith(".py"):
                found.setdefault(folder, set()).add(name.removesuffix(".py"))
            if name == "__init__.py" and folder:
                above, _, package = folder.rpartition("/")
                found.setdefault(above, set()).add(package)
        return found


def open_archive(name: str, data: bytes, limits: ModernizeSettings) -> Archive:
    """Check every entry, read each once, and give the archive. Takes a second or so for the largest: call it in a
    thread.

    Raises:
        ArchiveInvalid: it is no zip, or an entry may not be unpacked; the message names the entry and the remedy.
        TooLarge: it has too many files, or they are too large.
    """
    # An entry of the directory has this mark: a cheap bound, before a record is made of each.
    if data.count(b"PK\x01\x02") > 20 * limits.max_archive_files:
        raise _too_many(name, limits)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, IndexError) as error:
        raise ArchiveInvalid(f"{name!r} is not a zip archive ({error}); pack the folder with `zip -r`") from None
    infos = archive.infolist()
    if len(infos) > limits.max_archive_files:
        raise _too_many(name, limits)
    paths = [_checked_path(info) for info in infos]
    _refuse_collisions(infos, paths)
    entries = list(_entries(archive, infos, paths, limits))
    if not entries:
        raise ArchiveInvalid(f"{name!r} has no files; pack the folder with `zip -r`", entry=None)
    return Archive(
        name=name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        entries=tuple(entries),
        folders=tuple(path for info, path in zip(infos, paths, strict=True) if info.is_dir()),
        _zip=archive,
        _infos={path: info for info, path in zip(infos, paths, strict=True) if not info.is_dir()},
    )


def _entries(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], paths: list[str], limits: ModernizeSettings
) -> Iterator[Entry]:
    total = 0
    for info, path in zip(infos, paths, strict=True):
        _refuse_unreadable(info, path)
        if info.is_dir():
            continue
        total += info.file_size
        if total > limits.max_archive_bytes:
            raise TooLarge(
                f"the files of the archive are larger than {limits.max_archive_bytes} bytes, at {path!r}; leave data "
                "out, or raise MUTIRAO_MAX_ARCHIVE_BYTES",
                entry=path,
            )
        yield _read_entry(archive, info, path)


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Entry:
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        with archive.open(info) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                head = head or chunk[:200]
                digest.update(chunk)
                size += len(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise ArchiveInvalid(f"entry {path!r} is damaged ({error}); pack the folder again", entry=path) from None
    if size != info.file_size:
        raise ArchiveInvalid(f"entry {path!r} is shorter than it says; pack the folder again", entry=path)
    python = path.endswith((".py", ".pyw")) or ("." not in path.rpartition("/")[2] and _is_script(head))
    return Entry(
        path=path, size=size, sha256=digest.hexdigest(), mode=(info.external_attr >> 16) & 0o777, python=python
    )


def _is_script(head: bytes) -> bool:
    return _PYTHON_SHEBANG.match(head) is not None


def _checked_path(info: zipfile.ZipInfo) -> str:
    """The entry's path, without the slash at a folder's end."""
    path = _decoded_name(info)
    for wrong, why in _faults(path):
        if wrong:
            raise ArchiveInvalid(f"entry {path!r} {why}", entry=path)
    return path.removesuffix("/")


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """zipfile reads a name without the UTF-8 flag as code page 437, though most programs wrote UTF-8."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            return name
    return name


def _faults(path: str) -> Iterator[tuple[bool, str]]:
    parts = path.removesuffix("/").split("/")
    relative = "; pack the folder from inside, with relative names"
    yield path.startswith("/") or bool(_DRIVE.match(path)), "has an absolute path" + relative
    yield "\\" in path, "has a backslash in its name; pack it with a program that writes '/' between folders"
    yield ".." in parts, "leaves its folder ('..')" + relative
    yield "" in parts or "." in parts, "has an empty part in its path" + relative
    yield any(unicodedata.category(c) in ("Cc", "Cs") for c in path), "has a control character in its name; rename it"
    long = len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES
    long = long or any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in parts)
    yield long, f"has a name longer than {MAX_NAME_BYTES} (path: {MAX_PATH_BYTES}) bytes; shorten it"


def _refuse_collisions(infos: list[zipfile.ZipInfo], paths: list[str]) -> None:
    """Two entries of one name, or whose names differ only in case or in how accents are written."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    for info, path in zip(infos, paths, strict=True):
        folded = unicodedata.normalize("NFC", path).casefold()
        other = seen.setdefault(folded, path)
        if other != path or folded in files or (not info.is_dir() and seen.get("/" + folded)):
            raise _collision(path, other)
        if info.is_dir():
            seen["/" + folded] = path
        else:
            files.add(folded)
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder:
            if unicodedata.normalize("NFC", folder).casefold() in files:
                raise ArchiveInvalid(f"entry {path!r} is inside {folder!r}, which is a file; rename one", entry=path)
            folder = folder.rpartition("/")[0]


def _collision(path: str, other: str) -> ArchiveInvalid:
    same = "is in the archive twice" if path == other else f"has the same name as {other!r} where case does not count"
    return ArchiveInvalid(f"entry {path!r} {same}; rename or remove one of them", entry=path)


def _refuse_unreadable(info: zipfile.ZipInfo, path: str) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    for wrong, why in (
        (stat.S_ISLNK(kind), "is a link; replace it by the file it points to"),
        (kind not in (0, stat.S_IFREG, stat.S_IFDIR), "is neither a file nor a folder; leave it out"),
        (bool(info.flag_bits & _ENCRYPTED_FLAGS), "is encrypted; pack the folder without a password"),
        (info.compress_type not in _METHODS, "is packed by an unusual method; pack the folder with `zip -r`"),
        (info.is_dir() and info.file_size > 0, "is a folder with content; pack the folder again"),
        (
            info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(1, info.compress_size),
            f"is packed more than {MAX_RATIO}:1, as bombs are; leave it out",
        ),
    ):
        if wrong:
            raise ArchiveInvalid(f"entry {path!r} {why}", entry=path)


def _too_many(name: str, limits: ModernizeSettings) -> TooLarge:
    return TooLarge(
        f"{name!r} has more than {limits.max_archive_files} entries; leave some out, or raise MUTIRAO_MAX_ARCHIVE_FILES"
    )
