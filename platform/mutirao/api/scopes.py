"""Which scope a request needs: one table for all routes of all doors, and what a test holds it against.

A request that no line is for is let through without an identity: what is not there answers 404 or 405, and a route that
wants to know its caller refuses. So a new route without a line is closed, and a test fails.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Literal

from mutirao.keys import Scope

EVERY: Final = "every"
"""In place of a scope: whoever is known, whatever its scopes."""


class Class(StrEnum):
    """What a request counts as for rate limits."""

    READ = "read"
    SUBMIT = "submit"


@dataclass(frozen=True)
class Rule:
    """A line of the table. `scope` None: anybody, without a key; `EVERY`: any key, whatever it may do."""

    methods: str
    path: str
    """`*` stands for one part of a path or a piece of it, `**` for any number of parts, none included."""
    scope: Scope | Literal["every"] | None

    @property
    def limit(self) -> Class:
        return Class.READ if self.scope in (Scope.READ, EVERY) else Class.SUBMIT


_READ, _SUBMIT, _APPROVE, _ADMIN = Scope.READ, Scope.SUBMIT, Scope.APPROVE, Scope.ADMIN
_ANY = "GET POST PUT PATCH DELETE"

# The first line that fits counts.
RULES = (
    # Without a key: whether this is alive, and what it understands.
    Rule("GET", "/livez", None), Rule("GET", "/readyz", None), Rule("GET", "/metrics", None),
    Rule("GET", "/ok", None), Rule("GET", "/info", None), Rule("GET", "/openapi*", None),
    Rule("GET", "/docs/**", None), Rule("GET", "/redoc", None), Rule("GET", "/reference/**", None),
    # The dashboard's page holds nothing of anybody; what it shows it asks the API for.
    Rule("GET", "/ui/**", None),
    # The native API. Signing in is how one gets to be known.
    Rule("POST", "/api/v1/session", None), Rule("GET DELETE", "/api/v1/session", EVERY),
    Rule("POST", "/api/v1/session/links", _READ),
    Rule(_ANY, "/api/v1/keys/**", _ADMIN),
    Rule(_ANY, "/api/v1/projects/**", _ADMIN),
    Rule(_ANY, "/api/v1/audit/**", _ADMIN),
    Rule(_ANY, "/api/v1/webhooks/**", _ADMIN), Rule(_ANY, "/api/v1/deliveries/**", _ADMIN),
    Rule("PUT PATCH POST DELETE", "/api/v1/project/**", _ADMIN),
    Rule("POST PUT PATCH", "/api/v1/approvals/**", _APPROVE),
    Rule("POST", "/api/v1/search", _READ), Rule("POST", "/api/v1/**/search", _READ),
    Rule("POST", "/api/v1/**/count", _READ), Rule("POST", "/api/v1/**/validate", _READ),
    Rule("POST", "/api/v1/**/history", _READ),
    Rule("GET", "/api/v1/**", _READ),
    Rule("POST PUT PATCH DELETE", "/api/v1/**", _SUBMIT),
    # The LangGraph protocol. A search, a count and a stream of a thread are read, whatever their method.
    Rule("POST", "/*/search", _READ), Rule("POST", "/*/count", _READ),
    Rule("POST", "/runs/crons/search", _READ), Rule("POST", "/runs/crons/count", _READ),
    Rule("POST", "/store/items/search", _READ), Rule("POST", "/store/namespaces", _READ),
    Rule("POST", "/assistants/*/versions", _READ),
    Rule("POST", "/threads/*/history", _READ), Rule("POST", "/threads/*/state/checkpoint", _READ),
    Rule("POST", "/threads/*/stream/events", _READ), Rule("POST", "/threads/*/stream", _READ),
    *(Rule("GET", f"/{name}/**", _READ) for name in ("assistants", "threads", "runs", "store")),
    *(Rule("POST PUT PATCH DELETE", f"/{name}/**", _SUBMIT) for name in ("assistants", "threads", "runs", "store")),
    # Doors: a tool that is called, and a conversation, is a job.
    Rule("GET", "/v1/**", _READ), Rule("POST DELETE", "/v1/**", _SUBMIT),
    Rule("GET POST DELETE", "/mcp/**", _SUBMIT),
    # Methods of A2A share a path: what each needs, their door asks for.
    Rule("GET", "/.well-known/agent-card.json", _READ), Rule("GET", "/a2a/**", _READ), Rule("POST", "/a2a/**", EVERY),
)  # fmt: skip

OWN = "/**"
"""Path of the lines for a project's own routes (`http.app`): whatever no route of the API answers."""

_OWN_RULES = (Rule("GET", OWN, _READ), Rule("POST PUT PATCH DELETE", OWN, _SUBMIT))


def _expression(path: str) -> str:
    parts = re.split(r"(/\*\*|\*)", path)
    return "".join({"/**": "(?:/.*)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)


@cache
def _table(method: str) -> tuple[re.Pattern[str], tuple[Rule, ...]]:
    rules = tuple(rule for rule in RULES if method in rule.methods.split())
    return re.compile("|".join(f"({_expression(rule.path)})" for rule in rules) or "(?!)", re.DOTALL), rules


def needed(method: str, path: str) -> Rule | None:
    """The line for a request; None when there is none. HEAD is as GET, a websocket (method `WEBSOCKET`), too."""
    if method in ("HEAD", "WEBSOCKET"):
        method = "GET"
    if method not in _ANY.split():
        return None
    pattern, rules = _table(method)
    found = pattern.fullmatch(path)
    return rules[found.lastindex - 1] if found and found.lastindex else None


def of_own_route(method: str) -> Rule | None:
    """The line for a request to a project's own routes; None: no method of theirs."""
    return next((rule for rule in _OWN_RULES if ("GET" if method == "HEAD" else method) in rule.methods.split()), None)
