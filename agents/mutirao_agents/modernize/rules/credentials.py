"""Secrets left in files: where they are and of what kind, never what they are."""

import re
from dataclasses import dataclass

# Longer lines are generated or binary; a secret in one is found when it starts before this column.
MAX_LINE_BYTES = 4096
MAX_FOUND = 200


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A secret in a file; `masked` keeps at most the public prefix that names its kind."""

    line: int
    kind: str
    masked: str


@dataclass(frozen=True)
class _Kind:
    name: str
    pattern: re.Pattern[bytes]
    public: int = 0  # leading bytes that every secret of the kind has

    @property
    def made_up(self) -> bool:
        """Whether people choose such a secret, and so write examples of it."""
        return self.public == 0


def _kind(name: str, pattern: str, public: int = 0) -> _Kind:
    return _Kind(name, re.compile(pattern.encode()), public)


_KINDS = (
    _kind("private key", r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY-----", 11),
    _kind("AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", 4),
    _kind("AWS secret key", r"(?i)aws.{0,20}?secret.{0,20}?['\"][0-9A-Za-z/+]{40}['\"]"),
    _kind("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50})", 4),
    _kind("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20}", 6),
    _kind("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10}", 5),
    _kind("Google API key", r"\bAIza[0-9A-Za-z_-]{35}", 4),
    _kind("Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{16}", 8),
    _kind("model provider key", r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32}", 3),
    _kind("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,500}\.", 3),
    _kind("password in an address", r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@'\"]{1,80}:[^/\s:@'\"]{3,80}@"),
    _kind(
        "assigned secret",
        r"(?i)(?:password|passwd|pwd|secret|api_?key|auth_?token|access_?token)['\"]?\]?\s{0,4}[:=]\s{0,4}"
        r"u?['\"][^'\"\s]{8,200}['\"]",
    ),
)
_PLACEHOLDER = re.compile(
    rb"(?i):passw(?:or)?d@|change.?me|example|placeholder|your.?|xxxx|\*\*\*|<[^>]+>|\$\{|%\(|%s|\{\w*\}"
)


def find_credentials(data: bytes) -> list[Credential]:
    """What looks like a secret in a text file, at most one a line. A file with a NUL byte is binary and not read."""
    if b"\0" in data[:8192]:
        return []
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        credential = _in_line(line[:MAX_LINE_BYTES], number)
        if credential:
            found.append(credential)
            if len(found) == MAX_FOUND:
                break
    return found


def _in_line(line: bytes, number: int) -> Credential | None:
    for kind in _KINDS:
        match = kind.pattern.search(line)
        if match and not (kind.made_up and _PLACEHOLDER.search(match.group())):
            prefix = match.group()[: kind.public].decode("ascii")
            return Credential(line=number, kind=kind.name, masked=prefix + "****")
    return None
