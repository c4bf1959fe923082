"""Files a client sends and fetches: names that lead out of the folder, content that changed, folders as archives."""

import hashlib
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from mutirao.client import zip_folder
from mutirao.client.connection import ConnectionLost
from mutirao.client.download import NameRefused, place_of, writing
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Artifact


def artifact(content: bytes, name: str = "report.md") -> Artifact:
    return Artifact(
        id=uuid4(), job_id=uuid4(), name=name, media_type="text/plain", size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), created_at=datetime.now(UTC),
    )  # fmt: skip


def write(found: Artifact, parts: list[bytes], target: Path) -> None:
    with writing(found, target) as take:
        for part in parts:
            take(part)


@pytest.mark.parametrize(
    "name", ["report.md", "notes/a b.txt", "converted/pkg/mod.py", "relatório.md", "a..b", "%2e%2e"]
)
def test_a_plain_name_has_its_place_in_the_folder(tmp_path: Path, name: str) -> None:
    place = place_of(name, tmp_path)
    assert place == tmp_path / name
    assert place.parent.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "a/./b",
        "a/",
        "C:\\x",
        "c:x",
        "a\\b",
        "a\0b",
        "a\nb",
        "\x1b[2Jx",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    with pytest.raises(NameRefused) as refused:
        place_of(name, folder)
    assert repr(name) in refused.value.message
    assert not folder.exists()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(NameRefused):
        place_of("link/x.txt", tmp_path / "out")


def test_a_link_in_the_place_of_the_file_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.md").symlink_to(target)
    write(artifact(b"new"), [b"ne", b"w"], place_of("report.md", tmp_path / "out"))
    assert target.read_text() == "precious"
    assert (tmp_path / "out" / "report.md").read_bytes() == b"new"


@pytest.mark.parametrize("came", [[b"hal"], [b"other"], [], [b"whole", b"more"]])
def test_content_that_is_not_what_was_stored_never_appears(tmp_path: Path, came: list[bytes]) -> None:
    with pytest.raises(ConnectionLost):
        write(artifact(b"whole"), came, tmp_path / "report.md")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_becomes_the_same_archive_twice_without_links_and_caches(tmp_path: Path) -> None:
    folder = tmp_path / "legacy"
    (folder / "pkg" / "__pycache__").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "pkg" / "__pycache__" / "a.pyc").write_text("x")
    (folder / "pkg" / "b.py").write_text("print 1\n")
    (folder / "a.py").write_text("print 2\n")
    (folder / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    left_out = zip_folder(folder, tmp_path / "one.zip")
    os.utime(folder / "a.py", (1, 1))
    zip_folder(folder, tmp_path / "two.zip")
    assert sorted(left_out) == [".git", "__pycache__", "passwd", "pipe"]
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.py", "pkg/b.py"]
        assert archive.read("a.py") == b"print 2\n"


def test_an_empty_folder_and_a_name_that_is_not_unicode_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="has no files"):
        zip_folder(tmp_path / "empty", tmp_path / "x.zip")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / os.fsdecode(b"caf\xe9.py")).write_text("x")
    with pytest.raises(InvalidInput, match="not Unicode"):
        zip_folder(tmp_path / "odd", tmp_path / "x.zip")
