"""The text of a Python source file and everything needed to write it back as it was: encoding, BOM, line ends."""

import re
from dataclasses import dataclass, replace

BOM = b"\xef\xbb\xbf"
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(?:#.*)?$")


class SourceUnreadable(ValueError):
    """Raised when a file cannot be decoded and written back byte for byte; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A decoded source file.

    `text` has "\\n" as its only line end, except when `newline` is "mixed": then it has the line ends of the file.
    `declared` says whether a coding line or a BOM names the encoding.
    """

    text: str
    encoding: str
    declared: bool
    bom: bool
    newline: str

    def with_text(self, text: str) -> "Source":
        """The same file with another text."""
        return replace(self, text=text)

    def encode(self) -> bytes:
        """The bytes of the file."""
        text = self.text if self.newline == "mixed" else self.text.replace("\n", self.newline)
        return (BOM if self.bom else b"") + text.encode(self.encoding)


def decode(data: bytes) -> Source:
    """Decode by PEP 263: coding line, BOM, else UTF-8 (of which Python 2's ASCII is a part).

    Raises:
        SourceUnreadable: the encoding is unknown, does not fit the bytes, or would not give them back; or the file
            mixes bare carriage returns with other line ends.
    """
    bom = data.startswith(BOM)
    body = data[len(BOM) :] if bom else data
    cookie = coding_line(body)
    if bom and cookie and cookie.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise SourceUnreadable(f"it starts with a UTF-8 mark but declares {cookie!r}; correct the coding line")
    text = _decoded(body, cookie)
    newline = _newline(text)
    if newline in ("\r\n", "\r"):
        text = text.replace(newline, "\n")
    return Source(text=text, encoding=cookie or "utf-8", declared=bool(bom or cookie), bom=bom, newline=newline)


def coding_line(body: bytes) -> str | None:
    """The encoding named in the first two lines, None when there is none."""
    for line in re.split(rb"\r\n|\r|\n", body[:2000], maxsplit=2)[:2]:
        match = _CODING.match(line)
        if match:
            return match.group(1).decode("ascii", "replace")
        if not _BLANK_OR_COMMENT.match(line):
            return None
    return None


def _decoded(body: bytes, cookie: str | None) -> str:
    try:
        text = body.decode(cookie or "utf-8")
        same = text.encode(cookie or "utf-8") == body
    except LookupError:
        raise SourceUnreadable(f"Python 3 has no text encoding {cookie!r}; correct the coding line") from None
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise SourceUnreadable(_undecodable(body[error.start], line, cookie)) from None
    except (UnicodeError, ValueError) as error:
        raise SourceUnreadable(f"it cannot be decoded as {cookie!r}: {error}") from None
    if not same:
        raise SourceUnreadable(f"decoding it as {cookie!r} and encoding it again changes bytes; use utf-8 or latin-1")
    return text


def _undecodable(byte: int, line: int, cookie: str | None) -> str:
    if cookie:
        return f"byte 0x{byte:02x} in line {line} is not {cookie}; correct the coding line"
    return (
        f"byte 0x{byte:02x} in line {line} is not UTF-8 and the file names no encoding; "
        "add a first line such as `# -*- coding: latin-1 -*-`"
    )


def _newline(text: str) -> str:
    crlf = text.count("\r\n")
    lf = text.count("\n") - crlf
    cr = text.count("\r") - crlf
    if cr and (crlf or lf):
        raise SourceUnreadable("it mixes bare carriage returns with other line ends; convert its line ends first")
    if cr:
        return "\r"
    if crlf:
        return "mixed" if lf else "\r\n"
    return "\n"
