"""The artifact store: files by the SHA-256 of their content.

`BlobStore` is the seam; `FolderBlobs` keeps them in a folder. A blob is written once, whole or not at all.
"""

import asyncio
import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from mutirao.errors import NotFound, StorageFull, TooLarge

_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_BYTES = 256 << 10
_INCOMING = "incoming"
_DOOMED = ".doomed"


class BlobStore(Protocol):
    """Content-addressed bytes. Every method may be called from several processes at once."""

    async def put(self, data: bytes) -> str:
        """Store `data`, durably, and return its SHA-256 in hex. Storing the same twice is one blob.

        Raises:
            StorageFull: there is no room; nothing was stored.
        """

    async def put_stream(self, parts: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Store what `parts` gives, without holding it in memory; returns SHA-256 and size in bytes.

        Raises:
            TooLarge: more than `limit` bytes came.
            StorageFull: there is no room; nothing was stored.
        """

    async def read(self, sha256: str) -> bytes:
        """The whole blob. Raises NotFound."""

    def stream(self, sha256: str) -> AsyncIterator[bytes]:
        """The blob in parts of at most 256 KiB. Raises NotFound."""

    def old(self, seconds: float) -> AsyncIterator[list[str]]:
        """SHA-256 of the blobs that were last put longer ago than that, some at a time."""

    async def delete_old(self, blobs: Collection[str], seconds: float) -> int:
        """Delete those of `blobs` that were not put again within that time; returns how many.

        What somebody puts meanwhile is there when his `put` returns.
        """


class FolderBlobs:
    """A `BlobStore` in a folder that API and workers share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum():
            raise NotFound(f"no blob {sha256!r}")
        return self.folder / sha256[:2] / sha256

    async def put(self, data: bytes) -> str:
        return await asyncio.to_thread(self._put, data)

    def _put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            os.utime(self.path(sha256))  # its age counts from its last put
        except FileNotFoundError:
            with self._room(), self._temporary() as file:
                file.write(data)
                self._keep(file, sha256)
        return sha256

    async def put_stream(self, parts: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with self._room(), self._temporary() as file:
            async for part in parts:
                size += len(part)
                if size > limit:
                    raise TooLarge(
                        f"the upload is larger than {limit} bytes; MUTIRAO_MAX_UPLOAD_BYTES raises the limit"
                    )
                digest.update(part)
                await asyncio.to_thread(file.write, part)
            await asyncio.to_thread(self._keep, file, digest.hexdigest())
        return digest.hexdigest(), size

    async def read(self, sha256: str) -> bytes:
        try:
            return await asyncio.to_thread(self.path(sha256).read_bytes)
        except FileNotFoundError:
            raise NotFound(f"no blob {sha256!r} in {str(self.folder)!r}") from None

    async def stream(self, sha256: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self.path(sha256).open, "rb")
        except FileNotFoundError:
            raise NotFound(f"no blob {sha256!r} in {str(self.folder)!r}") from None
        with file:
            while part := await asyncio.to_thread(file.read, _READ_BYTES):
                yield part

    async def old(self, seconds: float) -> AsyncIterator[list[str]]:
        await asyncio.to_thread(self._clear_incoming, seconds)
        for number in range(256):
            if found := await asyncio.to_thread(self._old, self.folder / f"{number:02x}", seconds):
                yield found

    def _old(self, folder: Path, seconds: float) -> list[str]:
        if not folder.exists():
            return []
        before = self._now() - seconds
        return [file.name for file in os.scandir(folder) if len(file.name) == 64 and file.stat().st_mtime < before]

    def _clear_incoming(self, seconds: float) -> None:
        """Files that a killed process has left behind."""
        before = self._now() - seconds
        for file in (self.folder / _INCOMING).iterdir():
            with suppress(FileNotFoundError):
                if file.name.endswith(_DOOMED):
                    file.replace(self.path(file.name.removesuffix(_DOOMED)))
                elif file.stat().st_mtime < before:
                    file.unlink()

    async def delete_old(self, blobs: Collection[str], seconds: float) -> int:
        return await asyncio.to_thread(self._delete_old, blobs, seconds)

    def _delete_old(self, blobs: Collection[str], seconds: float) -> int:
        before, deleted = self._now() - seconds, 0
        for sha256 in blobs:
            path, doomed = self.path(sha256), self.folder / _INCOMING / f"{sha256}{_DOOMED}"
            with suppress(FileNotFoundError):
                # Out of sight first: a `put` from now on writes it anew, and one before this has made it young.
                path.replace(doomed)
                if doomed.stat().st_mtime < before:
                    doomed.unlink()
                    deleted += 1
                else:
                    doomed.replace(path)
        return deleted

    def _now(self) -> float:
        """By the clock that gives the files their times, which may be a file server's."""
        with self._temporary() as file:
            return os.fstat(file.fileno()).st_mtime

    def _room(self) -> "_Room":
        return _Room(self.folder)

    def _temporary(self) -> "_Temporary":
        return _Temporary(self.folder)

    def _keep(self, file: BinaryIO, sha256: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        final = self.path(sha256)
        final.parent.mkdir(parents=True, exist_ok=True)
        Path(file.name).replace(final)


class _Room:
    """Turns the operating system's "disk full" into `StorageFull`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise StorageFull(
                f"the disk of the artifact store {str(self.folder)!r} is full; free some space and try again"
            ) from error


class _Temporary:
    """A file beside the blobs that is gone at the end of the block unless it was moved into place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _INCOMING

    def __enter__(self) -> BinaryIO:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = tempfile.NamedTemporaryFile(dir=self.folder, delete=False)
        return cast(BinaryIO, self.file)

    def __exit__(self, *_: object) -> None:
        try:
            # Closing writes what is still buffered, which may fail on a full disk as well.
            self.file.close()
        finally:
            Path(self.file.name).unlink(missing_ok=True)
