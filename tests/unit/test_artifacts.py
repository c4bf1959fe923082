"""The artifact store in a folder: content once, whole or not at all, and a full disk said so."""

import asyncio
import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mutirao.artifacts import FolderBlobs
from mutirao.errors import NotFound, StorageFull, TooLarge

pytestmark = pytest.mark.anyio

DATA = b"some content" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "artifacts")


def files(blobs: FolderBlobs) -> list[str]:
    """Everything that is in the folder, also what is not whole."""
    return sorted(path.name for path in blobs.folder.rglob("*") if path.is_file())


async def parts(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def streamed(blobs: FolderBlobs, sha256: str) -> bytes:
    return b"".join([part async for part in blobs.stream(sha256)])


async def test_what_is_put_is_read_by_its_hash(blobs: FolderBlobs) -> None:
    assert await blobs.put(DATA) == SHA256
    assert await blobs.read(SHA256) == await streamed(blobs, SHA256) == DATA
    assert files(blobs) == [SHA256]


async def test_a_stream_is_kept_like_a_whole(blobs: FolderBlobs) -> None:
    assert await blobs.put_stream(parts(DATA), limit=len(DATA)) == (SHA256, len(DATA))
    assert await blobs.put(DATA) == SHA256
    assert await blobs.read(SHA256) == DATA
    assert files(blobs) == [SHA256]


@pytest.mark.parametrize("data", [b"", b"\x00" * 3_000_000])
async def test_nothing_and_much_are_content_too(blobs: FolderBlobs, data: bytes) -> None:
    sha256 = await blobs.put(data)
    assert await blobs.put_stream(parts(data), limit=len(data)) == (sha256, len(data))
    assert await streamed(blobs, sha256) == data


async def test_the_same_content_at_once_is_one_blob(blobs: FolderBlobs) -> None:
    puts = [blobs.put(DATA) for _ in range(20)]
    streams = [blobs.put_stream(parts(DATA), limit=len(DATA)) for _ in range(20)]
    answers = await asyncio.gather(*puts, *streams)
    assert {answer if isinstance(answer, str) else answer[0] for answer in answers} == {SHA256}
    assert files(blobs) == [SHA256]
    assert await blobs.read(SHA256) == DATA


async def test_a_reader_goes_on_while_the_same_content_is_put_again(blobs: FolderBlobs) -> None:
    big = os.urandom(2_000_000)
    sha256 = await blobs.put(big)
    found = b""
    async for part in blobs.stream(sha256):
        found += part
        await blobs.put_stream(parts(big, 500_000), limit=len(big))
    assert found == big


async def test_too_much_is_refused_and_leaves_nothing(blobs: FolderBlobs) -> None:
    with pytest.raises(TooLarge, match=f"{len(DATA) - 1} bytes"):
        await blobs.put_stream(parts(DATA), limit=len(DATA) - 1)
    assert files(blobs) == []


async def test_a_source_that_breaks_leaves_nothing(blobs: FolderBlobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError("the client has gone")

    with pytest.raises(ConnectionResetError):
        await blobs.put_stream(broken(), limit=1 << 30)
    assert files(blobs) == []


async def test_a_put_that_is_cancelled_leaves_nothing(blobs: FolderBlobs) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield DATA
            reached.set()
            await asyncio.sleep(0.001)

    task = asyncio.create_task(blobs.put_stream(endless(), limit=1 << 40))
    await reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert files(blobs) == []


def make_old(blobs: FolderBlobs, sha256: str) -> None:
    then = blobs.path(sha256).stat().st_mtime - 100
    os.utime(blobs.path(sha256), (then, then))


async def old(blobs: FolderBlobs, seconds: float) -> set[str]:
    return {sha256 async for some in blobs.old(seconds) for sha256 in some}


async def test_a_blob_is_as_old_as_its_last_put(blobs: FolderBlobs) -> None:
    first, second = await blobs.put(b"first"), await blobs.put(b"second")
    assert await old(blobs, 50) == set()
    make_old(blobs, first)
    make_old(blobs, second)
    assert await old(blobs, 50) == {first, second}
    await blobs.put(b"first")
    assert await old(blobs, 50) == {second}
    await blobs.put_stream(parts(b"second"), limit=10)
    assert await old(blobs, 50) == set()


async def test_what_is_put_again_is_not_deleted(blobs: FolderBlobs) -> None:
    first, second = await blobs.put(b"first"), await blobs.put(b"second")
    make_old(blobs, first)
    make_old(blobs, second)
    await blobs.put(b"first")
    assert await blobs.delete_old([first, second, "0" * 64], 50) == 1
    assert await blobs.read(first) == b"first"
    with pytest.raises(NotFound):
        await blobs.read(second)
    assert await blobs.put(b"second") == second


async def test_what_killed_processes_left_behind_is_cleared(blobs: FolderBlobs) -> None:
    """A half-written file goes; a blob that was being deleted is there again."""
    sha256 = await blobs.put(DATA)
    incoming = blobs.folder / "incoming"
    blobs.path(sha256).rename(incoming / f"{sha256}.doomed")
    (incoming / "half").write_bytes(b"half")
    (incoming / "old").write_bytes(b"old")
    then = (incoming / "old").stat().st_mtime - 100
    os.utime(incoming / "old", (then, then))
    assert await old(blobs, 50) == set()
    assert await blobs.read(sha256) == DATA
    assert [file.name for file in incoming.iterdir()] == ["half"]


@pytest.mark.parametrize("sha256", ["", "x", "0" * 64, "../" * 21 + "x", "é" * 64, "0" * 63 + "/"])
async def test_an_unknown_hash_or_what_is_none_is_not_found(blobs: FolderBlobs, sha256: str) -> None:
    await blobs.put(DATA)
    with pytest.raises(NotFound, match="no blob"):
        await blobs.read(sha256)
    with pytest.raises(NotFound, match="no blob"):
        await streamed(blobs, sha256)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 KiB where this account may mount one; else none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this account may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_said_to_be_full_and_keeps_nothing_partial(small_disk: Path) -> None:
    blobs = FolderBlobs(small_disk)
    kept = await blobs.put(b"a" * 10_000)
    for big in (b"b" * 200_000, b"c" * 60_000):
        with pytest.raises(StorageFull, match="is full; free some space"):
            await blobs.put(big)
        with pytest.raises(StorageFull, match="is full; free some space"):
            await blobs.put_stream(parts(big), limit=1 << 30)
    assert files(blobs) == [kept]
    assert await blobs.read(kept) == b"a" * 10_000
    assert len(await blobs.put(b"d" * 5_000)) == 64


FILL = """
import asyncio, resource, signal, sys
from pathlib import Path
from mutirao.artifacts import FolderBlobs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
blobs = FolderBlobs(Path(sys.argv[1]))
for size in (5_000, 500_000):
    try:
        asyncio.run(blobs.put(bytes(size)))
    except OSError as error:
        print("OSError", error.errno)
    else:
        print("put")
"""


async def test_a_write_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """Everywhere, also where no small disk can be mounted: a limit of the process on the size of files."""
    blobs = FolderBlobs(tmp_path)
    assert signal.SIGXFSZ
    assert resource.RLIMIT_FSIZE
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["put", f"OSError {errno.EFBIG}"]
    assert files(blobs) == [hashlib.sha256(bytes(5_000)).hexdigest()]
