"""What a file is: its media type, checked against its bytes before anything else looks at it."""

import io
import re
import zipfile
from pathlib import PurePosixPath

from mutirao.errors import DocumentInvalid

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
TSV = "text/tab-separated-values"

_BY_SUFFIX = {
    "pdf": PDF, "docx": DOCX, "html": HTML, "htm": HTML, "xhtml": HTML, "md": MARKDOWN, "markdown": MARKDOWN,
    "txt": PLAIN, "text": PLAIN, "log": PLAIN, "rst": PLAIN, "tex": PLAIN, "csv": CSV, "tsv": TSV,
}  # fmt: skip

# Source code keeps one media type a language, so that a citation says what it points into.
_SOURCE = {
    "py": "python", "pyi": "python", "cob": "cobol", "cbl": "cobol", "cpy": "cobol", "js": "javascript",
    "mjs": "javascript", "ts": "typescript", "tsx": "typescript", "jsx": "javascript", "java": "java", "kt": "kotlin",
    "c": "c", "h": "c", "cc": "c++", "cpp": "c++", "hpp": "c++", "cs": "csharp", "go": "go", "rs": "rust", "rb": "ruby",
    "php": "php", "pl": "perl", "r": "r", "sh": "shell", "sql": "sql", "swift": "swift", "scala": "scala", "css": "css",
    "json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "ini": "ini", "cfg": "ini", "xml": "xml",
    "f90": "fortran", "for": "fortran", "pas": "pascal", "bas": "basic", "vb": "basic", "jcl": "jcl",
}  # fmt: skip

SUPPORTED = tuple(sorted({*_BY_SUFFIX, *_SOURCE}))
"""File name endings that can be ingested, without the dot."""

# A DOCX is small XML: what unpacks to more than this, or a hundredfold, is an attack and not a document.
MAX_UNPACKED_BYTES = 256 << 20
MAX_UNPACK_RATIO = 100
_RATIO_FLOOR_BYTES = 16 << 20
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")
_BINARY_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b\x08"))
# A text file may hold a stray control character; one in a hundred is no text.
_MAX_BINARY_SHARE = 0.01


def sniff(name: str, data: bytes) -> str:
    """The media type of a file by its name, when its bytes agree.

    A text file that is not UTF-8 gets a `charset` parameter, so that its text can be read again exactly.

    Raises:
        DocumentInvalid: the file is empty, of an unsupported type, or not what its name says.
    """
    if not data:
        raise DocumentInvalid(f"{name!r} is empty (0 bytes); upload the whole file", name=name)
    media_type = _by_name(name, data)
    if media_type == PDF:
        _check_pdf(name, data)
    elif media_type == DOCX:
        _check_docx(name, data)
    else:
        charset = _checked_charset(name, data)
        if media_type == HTML and not re.search(rb"<[a-zA-Z!?/]", data):
            raise DocumentInvalid(f"{name!r} has no HTML tag; rename it to .txt if it is plain text", name=name)
        return media_type if charset == "utf-8" or media_type == HTML else f"{media_type}; charset={charset}"
    return media_type


def essence(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def charset_of(media_type: str) -> str | None:
    """The `charset` parameter of a media type."""
    found = re.search(r";\s*charset=\"?([\w.:-]+)", media_type)
    return found.group(1).lower() if found else None


def decode(data: bytes) -> tuple[str, str]:
    """Text and charset of a text file: UTF-8, else Windows-1252, else Latin-1. Nothing is normalised.

    A byte order mark stays in the text, as `open(path, encoding="utf-8", newline="")` gives it.
    """
    for charset in ("utf-8", "windows-1252"):
        try:
            return data.decode(charset), charset
        except UnicodeDecodeError:
            continue
    return data.decode("iso-8859-1"), "iso-8859-1"


def _by_name(name: str, data: bytes) -> str:
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lstrip(".").lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix in _SOURCE:
        return f"text/x-{_SOURCE[suffix]}"
    if not suffix:
        return PDF if data.startswith(b"%PDF-") else PLAIN
    raise DocumentInvalid(
        f"{name!r}: files of type {'.' + suffix!r} cannot be read; supported: {', '.join(SUPPORTED)}",
        name=name, supported=list(SUPPORTED),
    )  # fmt: skip


def _check_pdf(name: str, data: bytes) -> None:
    # Readers accept some bytes of rubbish before the header.
    if b"%PDF-" not in data[:1024]:
        raise DocumentInvalid(
            f"{name!r} is not a PDF: it does not start with '%PDF-' but with {data[:8]!r}; "
            "upload the PDF itself, or rename the file after what it is", name=name,
        )  # fmt: skip


def _check_docx(name: str, data: bytes) -> None:
    if data.startswith(_OLD_OFFICE):
        raise DocumentInvalid(
            f"{name!r} is an old or password-protected Word file; save it as .docx without a password", name=name
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DocumentInvalid(f"{name!r} is not a DOCX: {error}; save it again as .docx", name=name) from None
    if not any(entry.filename == "word/document.xml" for entry in entries):
        raise DocumentInvalid(f"{name!r} is a zip file without 'word/document.xml'; save it again as .docx", name=name)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES or unpacked > max(_RATIO_FLOOR_BYTES, MAX_UNPACK_RATIO * len(data)):
        raise DocumentInvalid(
            f"{name!r} unpacks from {len(data)} to {unpacked} bytes, which no document does; "
            "save it again from a word processor", name=name,
        )  # fmt: skip


def _checked_charset(name: str, data: bytes) -> str:
    if data.startswith(b"%PDF-") or data.startswith(b"PK\x03\x04"):
        kind = "PDF" if data.startswith(b"%PDF-") else "zip"
        raise DocumentInvalid(
            f"{name!r} is a {kind} file under the name of a text; rename it after what it is", name=name
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentInvalid(f"{name!r} is UTF-16; save it as UTF-8", name=name)
    binary = len(data) - len(data.translate(None, _BINARY_BYTES))
    if b"\x00" in data or binary > _MAX_BINARY_SHARE * len(data):
        raise DocumentInvalid(
            f"{name!r} is binary, not text ({binary} control characters); supported binary types: pdf, docx", name=name
        )
    return decode(data)[1]
