"""What people say about a question, in the form that the graph which has asked it expects.

Four shapes of questions are known, by what they look like: the batched request of LangChain's human-in-the-loop
middleware (`action_requests` with `review_configs`), its request for a single tool call (`tool_approval`), the older
`HumanInterrupt` (`action_request` with `config`, alone or in a list), and any other value.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson
from pydantic import ConfigDict, Field

from mutirao.errors import InvalidInput
from mutirao.jobs.records import LONGEST_SECONDS, Record

EXPIRED = {"expired": True}
"""What the graph gets instead of a decision that nobody has made in time."""


class Kind(StrEnum):
    """What can be decided."""

    APPROVE = "approve"  # as proposed
    EDIT = "edit"  # with other arguments
    REJECT = "reject"  # not at all
    ANSWER = "answer"  # something else than a yes or no


class Verdict(Record):
    """A decision on one proposed action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Kind
    args: Any = Field(None, description="For `edit`: the arguments in place of the proposed ones.")
    message: str | None = Field(None, max_length=10_000, description="For `reject`: why.")
    answer: Any = Field(None, description="For `answer`: any JSON.")


class OnExpiry(StrEnum):
    """What happens when nobody has decided in time."""

    EXPIRE = "expire"  # the graph gets `EXPIRED`
    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"  # to `escalate_to`, with as much time again


class Terms(Record):
    """What a question says of how it is to be asked."""

    assignee: str | None = None
    expires_seconds: float | None = None
    on_expiry: OnExpiry = OnExpiry.EXPIRE
    escalate_to: str | None = None
    remind_seconds: float | None = None


def terms(request: Any) -> Terms:
    """The terms in a question; what makes no sense there counts as not said."""
    said: Mapping[str, Any] = request if isinstance(request, dict) else {}
    escalate_to = _name(said.get("escalate_to"))
    on_expiry = said.get("on_expiry")
    known = on_expiry in [*OnExpiry] and (on_expiry != OnExpiry.ESCALATE or escalate_to is not None)
    return Terms(
        assignee=_name(said.get("assignee")),
        expires_seconds=_seconds(said.get("expires_seconds")),
        on_expiry=OnExpiry(str(on_expiry)) if known else OnExpiry.EXPIRE,
        escalate_to=escalate_to,
        remind_seconds=_seconds(said.get("remind_seconds")),
    )


def digest(request: Any) -> str:
    """SHA-256 of a question, whatever the order of its keys: what a decision is bound to."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)).hexdigest()


def allowed(request: Any) -> list[Kind]:
    """What can be decided about all of a question at once."""
    return [kind for kind in Kind if all(kind in kinds for kinds in _kinds(request))]


def answer_to(request: Any, verdicts: Sequence[Verdict]) -> Any:
    """What the graph gets. One verdict that approves or rejects stands for all actions of a question.

    Raises:
        InvalidInput: a verdict is not allowed, says too little, or there is not one for each action.
    """
    kinds = _kinds(request)
    if len(verdicts) == 1 and len(kinds) > 1 and verdicts[0].type in (Kind.APPROVE, Kind.REJECT):
        verdicts = [verdicts[0]] * len(kinds)
    if len(verdicts) != len(kinds):
        raise InvalidInput(f"the question proposes {len(kinds)} actions; send one decision for each, in their order")
    for number, (verdict, possible) in enumerate(zip(verdicts, kinds, strict=True)):
        if verdict.type not in possible:
            names = ", ".join(possible) or "none"
            raise InvalidInput(f"action {number}: {verdict.type.value!r} is not allowed for it; allowed: {names}")
        if verdict.type is Kind.EDIT and "args" not in verdict.model_fields_set:
            raise InvalidInput(f"action {number}: `edit` needs `args`, the arguments in place of the proposed ones")
        if verdict.type is Kind.ANSWER and "answer" not in verdict.model_fields_set:
            raise InvalidInput(f"action {number}: `answer` needs `answer`, any JSON")
    if _batched(request):
        actions = zip(request["action_requests"], verdicts, strict=True)
        return {"decisions": [_hitl(action.get("name"), verdict) for action, verdict in actions]}
    if _single(request):
        return _hitl(request.get("name"), verdicts[0])
    if _interrupts(request):
        asked = request if isinstance(request, list) else [request]
        answers = [_human_response(one, verdict) for one, verdict in zip(asked, verdicts, strict=True)]
        return answers if isinstance(request, list) else answers[0]
    return _plain(verdicts[0])


def at_expiry(request: Any, on_expiry: OnExpiry) -> Any:
    """What the graph gets when the time has passed; `EXPIRED` where the question does not allow what it says itself."""
    kind = {OnExpiry.APPROVE: Kind.APPROVE, OnExpiry.REJECT: Kind.REJECT}.get(on_expiry)
    if kind is None or kind not in allowed(request):
        return EXPIRED
    return answer_to(request, [Verdict(type=kind, message="nobody has decided in time" if kind == "reject" else None)])


def _batched(request: Any) -> bool:
    actions = request.get("action_requests") if isinstance(request, dict) else None
    return isinstance(actions, list) and bool(actions) and all(isinstance(action, dict) for action in actions)


def _single(request: Any) -> bool:
    return isinstance(request, dict) and request.get("type") == "tool_approval"


def _interrupts(request: Any) -> bool:
    asked = request if isinstance(request, list) else [request]
    return bool(asked) and all(
        isinstance(one, dict) and isinstance(one.get("action_request"), dict) and isinstance(one.get("config"), dict)
        for one in asked
    )


_CONFIG = {
    Kind.APPROVE: "allow_accept",
    Kind.EDIT: "allow_edit",
    Kind.REJECT: "allow_ignore",
    Kind.ANSWER: "allow_respond",
}


def _kinds(request: Any) -> list[list[Kind]]:
    """What is allowed for each action that a question proposes."""
    if _batched(request):
        reviews = [one for one in _list(request.get("review_configs")) if isinstance(one, dict)]
        return [_reviewed(action.get("name"), reviews) for action in request["action_requests"]]
    if _interrupts(request):
        asked = request if isinstance(request, list) else [request]
        return [[kind for kind in Kind if one["config"].get(_CONFIG[kind])] for one in asked]
    return [[*Kind]]


def _reviewed(name: Any, reviews: Sequence[Mapping[str, Any]]) -> list[Kind]:
    for review in reviews:
        if review.get("action_name") == name:
            names = _list(review.get("allowed_decisions"))
            return [kind for kind in Kind if kind in names or (kind is Kind.ANSWER and "respond" in names)]
    return [*Kind]


def _hitl(name: Any, verdict: Verdict) -> dict[str, Any]:
    """LangChain's middleware."""
    if verdict.type is Kind.EDIT:
        return {"type": "edit", "edited_action": {"name": name, "args": verdict.args}}
    if verdict.type is Kind.REJECT:
        return {"type": "reject", **({"message": verdict.message} if verdict.message else {})}
    if verdict.type is Kind.ANSWER:
        return {"type": "respond", "message": _as_text(verdict.answer)}
    return {"type": "approve"}


def _human_response(asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The answer to a `HumanInterrupt`."""
    if verdict.type is Kind.EDIT:
        return {"type": "edit", "args": {"action": asked["action_request"].get("action"), "args": verdict.args}}
    if verdict.type is Kind.ANSWER:
        return {"type": "response", "args": _as_text(verdict.answer)}
    return {"type": "accept" if verdict.type is Kind.APPROVE else "ignore", "args": None}


def _plain(verdict: Verdict) -> Any:
    """The answer to anything else. A rejection is false and nothing more: a graph may do no more than ask whether it is."""
    if verdict.type is Kind.EDIT:
        return verdict.args
    return verdict.answer if verdict.type is Kind.ANSWER else verdict.type is Kind.APPROVE


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_text(answer: Any) -> str:
    return answer if isinstance(answer, str) else orjson.dumps(answer).decode()


def _name(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _seconds(value: Any) -> float | None:
    """A time at most `LONGEST_SECONDS`; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        return None
    return float(min(value, LONGEST_SECONDS))
