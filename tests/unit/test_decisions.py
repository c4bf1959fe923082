"""What people decide, in the form that each kind of question expects."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mutirao.errors import InvalidInput
from mutirao.jobs.decisions import EXPIRED, Kind, OnExpiry, Verdict, allowed, answer_to, at_expiry, digest, terms

pytestmark = pytest.mark.anyio

MAIL = {"name": "mail", "args": {"to": "a"}}
BATCH = {
    "action_requests": [MAIL, {"name": "wipe", "args": {}}],
    "review_configs": [
        {"action_name": "mail", "allowed_decisions": ["approve", "edit", "reject", "respond"]},
        {"action_name": "wipe", "allowed_decisions": ["approve", "reject"]},
    ],
}
ONE = {"action_requests": [MAIL], "review_configs": BATCH["review_configs"]}
SINGLE = {"type": "tool_approval", "tool_call_id": "c", "name": "mail", "args": {"to": "a"}, "description": "?"}
OLD = {
    "action_request": {"action": "mail", "args": {"to": "a"}},
    "config": {"allow_accept": True, "allow_edit": True, "allow_respond": True, "allow_ignore": True},
    "description": "?",
}
APPROVE, REJECT = Verdict(type=Kind.APPROVE), Verdict(type=Kind.REJECT, message="no")
EDIT, ANSWER = Verdict(type=Kind.EDIT, args={"to": "b"}), Verdict(type=Kind.ANSWER, answer="later")


@pytest.mark.parametrize(
    ("request_", "verdict", "answer"),
    [
        (ONE, APPROVE, {"decisions": [{"type": "approve"}]}),
        (ONE, EDIT, {"decisions": [{"type": "edit", "edited_action": {"name": "mail", "args": {"to": "b"}}}]}),
        (ONE, REJECT, {"decisions": [{"type": "reject", "message": "no"}]}),
        (ONE, ANSWER, {"decisions": [{"type": "respond", "message": "later"}]}),
        (BATCH, APPROVE, {"decisions": [{"type": "approve"}] * 2}),
        (SINGLE, APPROVE, {"type": "approve"}),
        (SINGLE, EDIT, {"type": "edit", "edited_action": {"name": "mail", "args": {"to": "b"}}}),
        ([OLD], APPROVE, [{"type": "accept", "args": None}]),
        ([OLD], EDIT, [{"type": "edit", "args": {"action": "mail", "args": {"to": "b"}}}]),
        ([OLD], REJECT, [{"type": "ignore", "args": None}]),
        (OLD, ANSWER, {"type": "response", "args": "later"}),
        ("sure?", APPROVE, True),
        ({"question": "sure?"}, REJECT, False),
        ({"args": {"to": "a"}}, EDIT, {"to": "b"}),
        (None, Verdict(type=Kind.ANSWER, answer=None), None),
        ([], Verdict(type=Kind.ANSWER, answer=[1]), [1]),
    ],
)
def test_each_kind_of_question_gets_what_it_expects(request_: Any, verdict: Verdict, answer: Any) -> None:
    assert answer_to(request_, [verdict]) == answer


def test_each_of_several_actions_has_a_decision_of_its_own() -> None:
    assert answer_to(BATCH, [EDIT, REJECT]) == {
        "decisions": [
            {"type": "edit", "edited_action": {"name": "mail", "args": {"to": "b"}}},
            {"type": "reject", "message": "no"},
        ]
    }
    assert answer_to([OLD, OLD], [APPROVE, REJECT]) == [
        {"type": "accept", "args": None},
        {"type": "ignore", "args": None},
    ]


@pytest.mark.parametrize(
    ("request_", "verdicts", "says"),
    [
        (BATCH, [EDIT], "proposes 2 actions"),
        (BATCH, [APPROVE] * 3, "proposes 2 actions"),
        (BATCH, [APPROVE, EDIT], "action 1: 'edit' is not allowed for it; allowed: approve, reject"),
        ([{**OLD, "config": {"allow_accept": True}}], [REJECT], "'reject' is not allowed for it; allowed: approve"),
        (ONE, [Verdict(type=Kind.EDIT)], "needs `args`"),
        ("?", [Verdict(type=Kind.ANSWER)], "needs `answer`"),
        ("?", [APPROVE, APPROVE], "proposes 1 actions"),
    ],
)
def test_what_a_question_does_not_allow_is_refused(request_: Any, verdicts: list[Verdict], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        answer_to(request_, verdicts)


def test_a_question_shows_what_is_allowed_for_all_of_it() -> None:
    assert allowed(BATCH) == ["approve", "reject"]
    assert allowed(ONE) == allowed(SINGLE) == allowed("?") == [*Kind]
    assert allowed([{**OLD, "config": {"allow_ignore": True, "allow_respond": True}}]) == ["reject", "answer"]
    for odd in ({}, {"review_configs": 5}, {"review_configs": [3]}, {"review_configs": [{"action_name": ["mail"]}]}):
        assert allowed({"action_requests": [MAIL], **odd}) == [*Kind]
    assert allowed({**ONE, "review_configs": [{"action_name": "mail", "allowed_decisions": 5}]}) == []


def test_terms_that_make_no_sense_count_as_not_said() -> None:
    said = {
        "assignee": "ana",
        "expires_seconds": 5,
        "on_expiry": "escalate",
        "escalate_to": "bo",
        "remind_seconds": 2.5,
    }
    assert terms(said).model_dump() == {**said, "on_expiry": OnExpiry.ESCALATE}
    odd = {"assignee": 7, "expires_seconds": -1, "on_expiry": "escalate", "remind_seconds": float("inf")}
    for request in (odd, {"on_expiry": ["approve"]}, {"on_expiry": "never"}, "text", None, [said]):
        assert terms(request).model_dump(exclude_none=True) == {"on_expiry": OnExpiry.EXPIRE}


def test_what_happens_at_expiry_is_said_in_the_question_s_own_form() -> None:
    assert at_expiry("?", OnExpiry.EXPIRE) == EXPIRED
    assert at_expiry("?", OnExpiry.APPROVE) is True
    assert at_expiry("?", OnExpiry.REJECT) is False
    assert at_expiry(ONE, OnExpiry.APPROVE) == {"decisions": [{"type": "approve"}]}
    assert at_expiry([{**OLD, "config": {"allow_respond": True}}], OnExpiry.APPROVE) == EXPIRED


def test_the_digest_is_that_of_the_content() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest(None)) == 64


class Calls(GenericFakeChatModel):
    """A model that calls tools as it is told."""

    def bind_tools(self, tools: Any, **more: Any) -> Any:
        return self


@pytest.mark.parametrize(
    ("verdict", "ran", "answer"),
    [
        (APPROVE, [{"to": "a"}], "sent to a"),
        (EDIT, [{"to": "b"}], "sent to b"),
        (REJECT, [], "with reason: no"),
        (ANSWER, [], "later"),
    ],
)
@pytest.mark.parametrize("mode", ["batched", "per_call"])
async def test_langchain_s_middleware_takes_the_answer(
    mode: Any, verdict: Verdict, ran: list[Any], answer: str
) -> None:
    done = []

    @tool
    def mail(to: str) -> str:
        """Send a mail."""
        done.append({"to": to})
        return f"sent to {to}"

    call = AIMessage("", tool_calls=[{"name": "mail", "args": {"to": "a"}, "id": "c1"}])
    decided: Any = {"allowed_decisions": ["approve", "edit", "reject", "respond"]}
    middleware: Any = HumanInTheLoopMiddleware(interrupt_on={"mail": decided}, interrupt_mode=mode)
    model = Calls(messages=iter([call, AIMessage("done")]))
    agent = create_agent(model, [mail], middleware=[middleware], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}}
    asked = await agent.ainvoke({"messages": [("user", "mail a")]}, config)
    [interrupt] = asked["__interrupt__"]
    assert allowed(interrupt.value) == [*Kind]
    resumed = await agent.ainvoke(Command(resume={interrupt.id: answer_to(interrupt.value, [verdict])}), config)
    assert done == ran
    [told] = [message for message in resumed["messages"] if message.type == "tool"]
    assert answer in told.content
