"""A file is what its bytes say, not what its name says."""

import pytest
from mutirao.errors import DocumentInvalid
from mutirao.knowledge.media import DOCX, SUPPORTED, charset_of, decode, essence, sniff

from tests.documents import pdf, word, zip_bomb


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.pdf", pdf([["x"]]), "application/pdf"),
        ("a.PDF", b"rubbish before\n" + pdf([["x"]]), "application/pdf"),
        ("scan", pdf([["x"]]), "application/pdf"),
        ("a.docx", word(), DOCX),
        ("a.html", b"<p>x</p>", "text/html"),
        ("a.html", "<p>é</p>".encode("latin-1"), "text/html"),
        ("notes.md", b"# x", "text/markdown"),
        ("README", b"x", "text/plain"),
        ("a.txt", "ação 👩‍🌾 שלום".encode(), "text/plain"),
        ("a.txt", b"\xef\xbb\xbfx\r\ny", "text/plain"),
        ("a.txt", "ação".encode("latin-1"), "text/plain; charset=windows-1252"),
        ("a.txt", "a\x81ção".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        ("a.csv", b"a,b\n1,2\n", "text/csv"),
        ("PAYROLL.CBL", b"       IDENTIFICATION DIVISION.", "text/x-cobol"),
        ("docs\\deep\\x.py", b"x = 1\n", "text/x-python"),
    ],
)
def test_the_media_type_is_told(name: str, data: bytes, media_type: str) -> None:
    assert sniff(name, data) == media_type


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.txt", b"", "'empty.txt' is empty (0 bytes)"),
        ("a.pdf", b"hello, no pdf", "is not a PDF: it does not start with '%PDF-' but with b'hello, n'"),
        ("a.docx", b"hello", "is not a DOCX"),
        ("a.docx", word()[:2000], "is not a DOCX"),
        ("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99), "password-protected Word file"),
        ("a.docx", zip_bomb(64 << 20), "which no document does"),
        ("a.txt", b"text\x00binary", "is binary, not text"),
        ("a.py", bytes(range(1, 32)) * 9, "is binary, not text"),
        ("a.txt", "text".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("a.txt", pdf([["x"]]), "is a PDF file under the name of a text"),
        ("a.md", word(), "is a zip file under the name of a text"),
        ("a.html", b"no tag here", "has no HTML tag"),
        ("a.xlsx", b"PK", "files of type '.xlsx' cannot be read; supported: bas, "),
    ],
)
def test_what_is_not_what_it_says_is_refused_by_name(name: str, data: bytes, said: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        sniff(name, data)
    assert said in caught.value.message
    assert repr(name) in caught.value.message
    assert caught.value.code == "document_invalid"


def test_supported_types_are_named() -> None:
    assert {"pdf", "docx", "html", "md", "txt", "csv", "py", "cbl"} <= set(SUPPORTED)


def test_parameters_of_a_media_type() -> None:
    assert essence("Text/Plain; charset=x") == "text/plain"
    assert charset_of("text/plain; charset=Windows-1252") == "windows-1252"
    assert charset_of("text/plain") is None


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfx", b"a\r\nb\rc\n", "e\u0301".encode(), b"\xff\xe7", b"\x81"])
def test_decoding_changes_nothing(data: bytes) -> None:
    text, charset = decode(data)
    assert text.encode(charset) == data
