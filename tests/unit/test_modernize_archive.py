"""Hostile archives are refused with the entry's name and a remedy; plain ones keep every byte."""

import io
import stat
import zipfile
import zlib
from contextlib import suppress

import pytest
from mutirao.errors import ArchiveInvalid, TooLarge
from mutirao.settings import ModernizeSettings
from mutirao_agents.modernize.archive import open_archive

LIMITS = ModernizeSettings(max_archive_bytes=4 << 20, max_archive_files=20)


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return data.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../evil.py", "leaves its folder"),
        ("a/../../evil.py", "leaves its folder"),
        ("/etc/evil.py", "absolute"),
        ("C:/evil.py", "absolute"),
        ("a\\evil.py", "backslash"),
        ("a//evil.py", "empty part"),
        ("a\nevil.py", "control character"),
        ("x" * 300 + ".py", "longer than"),
    ],
)
def test_names_that_may_not_be_unpacked(name: str, says: str) -> None:
    with pytest.raises(ArchiveInvalid, match=says) as caught:
        open_archive("a.zip", packed((name, b"x = 1\n")), LIMITS)
    assert caught.value.code == "archive_invalid"
    assert caught.value.details["entry"] == name


@pytest.mark.parametrize(
    ("mode", "says"), [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO | 0o644, "neither a file")]
)
def test_links_and_devices(mode: int, says: str) -> None:
    with pytest.raises(ArchiveInvalid, match=says):
        open_archive("a.zip", packed((special("link.py", mode), b"/etc/passwd")), LIMITS)


def test_encrypted_entry() -> None:
    data = bytearray(packed(("a.py", b"x = 1\n")))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    with pytest.raises(ArchiveInvalid, match="encrypted"):
        open_archive("a.zip", bytes(data), LIMITS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("a.py", "a.py"), ("a.py", "A.py"), ("caf\u00e9.py", "cafe\u0301.py"), ("a", "a/b.py")]
)
def test_names_that_collide(names: tuple[str, str]) -> None:
    with pytest.raises(ArchiveInvalid, match="rename"):
        open_archive("a.zip", packed(*((name, b"x\n") for name in names)), LIMITS)


def test_damaged_content_names_the_entry() -> None:
    data = packed(("good.py", b"x = 1\n"), ("bad.py", b"y = 2\n"), method=zipfile.ZIP_STORED)
    with pytest.raises(ArchiveInvalid, match=r"'bad\.py' is damaged"):
        open_archive("a.zip", data.replace(b"y = 2\n", b"y = 3\n"), LIMITS)


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 100, packed()])
def test_what_is_no_archive_with_files(data: bytes) -> None:
    with pytest.raises(ArchiveInvalid, match="zip -r"):
        open_archive("a.zip", data, LIMITS)


def test_bombs() -> None:
    with pytest.raises(ArchiveInvalid, match="as bombs are"):
        open_archive("a.zip", packed(("zeros", b"\0" * (3 << 20))), LIMITS)
    big = zlib.compress(b"", 0) + bytes(range(256)) * 20_000
    with pytest.raises(TooLarge, match="MUTIRAO_MAX_ARCHIVE_BYTES"):
        open_archive("a.zip", packed(("big", big), method=zipfile.ZIP_STORED), LIMITS)
    with pytest.raises(TooLarge, match="MUTIRAO_MAX_ARCHIVE_FILES"):
        open_archive("a.zip", packed(*((f"{n}.py", b"") for n in range(21))), LIMITS)
    with pytest.raises(TooLarge, match="MUTIRAO_MAX_ARCHIVE_FILES"):
        open_archive("a.zip", b"PK\x01\x02" * 401, LIMITS)


def test_random_damage_never_raises_anything_else() -> None:
    data = packed(("a.py", b"print 1\n" * 50), ("b/c.txt", b"text"))
    for position in range(0, len(data), 3):
        broken = bytearray(data)
        broken[position] ^= 0xFF
        with suppress(ArchiveInvalid, TooLarge):
            open_archive("a.zip", bytes(broken), LIMITS)


def test_a_plain_archive() -> None:
    archive = open_archive(
        "a.zip",
        packed(
            ("pkg/__init__.py", b""),
            ("pkg/a b.py", b"x\n"),
            ("pkg/\u00e9.py", b""),
            (special("run", 0o755), b"#!/usr/bin/python\n"),
            ("data.csv", b"1"),
        ),
        LIMITS,
    )
    assert archive.python_paths == ["pkg/__init__.py", "pkg/a b.py", "pkg/\u00e9.py", "run"]
    assert archive.read("pkg/a b.py") == b"x\n"
    assert archive.siblings("pkg/a b.py") == ["a b", "\u00e9"]
    assert archive.siblings("run") == []
    assert [entry.mode for entry in archive.entries if entry.path == "run"] == [0o755]
