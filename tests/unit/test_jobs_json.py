"""JSON that PostgreSQL can keep: what clients send is checked, what steps produce is made so."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.db.jsonb import DEEPEST, dumps, unkeepable


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": [1, 2.5, None, True, "é"]}, {"a": [1, 2.5, None, True, "é"]}),
        ("a\x00b", "a\ufffdb"),
        ("\\u0000", "\\u0000"),
        ("\\\x00", "\\\ufffd"),
        ("\\\\\x00\x00", "\\\\\ufffd\ufffd"),
        ({"k\x00": 1}, {"k\ufffd": 1}),
        ("\ud800", "?"),
        ({"\udfff": 1}, {"?": 1}),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, str(2**64)),
        (float("nan"), None),
        ((1, 2), [1, 2]),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ([Broken(), 2**70], ["<Broken>", str(2**70)]),
    ],
)
def test_what_cannot_be_kept_is_changed_as_little_as_possible(value: Any, kept: Any) -> None:
    assert json.loads(dumps(value)) == kept


def test_an_enormous_integer_is_written_too() -> None:
    assert json.loads(dumps(1 << 40_000)) == f"{1 << 40_000:#x}"


def test_what_is_nested_without_end_is_cut() -> None:
    loop: list[Any] = []
    loop.append(loop)
    loop.append({"again": loop})
    assert json.loads(dumps(loop)) == ["…", {"again": "…"}]
    text = dumps(nested(10_000)).decode()
    assert text.count("[") == DEEPEST + 1
    assert "…" in text


def test_the_default_is_asked_for_objects_also_beside_what_is_odd() -> None:
    assert json.loads(dumps({"a": {3, 1}, "b": 2**70}, sorted)) == {"a": [1, 3], "b": str(2**70)}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [0, "x\x00"]}, "/a/1: text with a NUL"),
        ({"a/b": {"c\x00": 1}}, "/a~1b: text with a NUL"),
        ({"a": "\ud83d"}, "/a: text with half a surrogate pair"),
        ({"\ud83d": 1}, ": text with half a surrogate pair"),
        ({"a": 2**64}, "/a: an integer beyond 64 bits"),
        ({"a": float("inf")}, "/a: inf is not JSON"),
        ({"a": nested(300)}, "nested deeper"),
    ],
)
def test_what_cannot_be_kept_is_named_by_its_path(value: Any, says: str) -> None:
    found = unkeepable(value)
    assert found is not None
    assert says in found
    assert len(found) < 200


@pytest.mark.parametrize("value", [{}, {"a": "\\u0000"}, {"a": [1.0, -0.0, 2**63]}, {"😀": "😀"}, {"a": nested(90)}])
def test_good_json_is_good(value: Any) -> None:
    assert unkeepable(value) is None


texts = st.text(st.characters(codec=None), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_whatever_is_given_becomes_json_without_nul(value: Any) -> None:
    kept = json.loads(dumps(value).decode("utf-8"))
    assert "\x00" not in json.dumps(kept, ensure_ascii=False)
    assert unkeepable(kept) is None


@given(values)
def test_what_is_keepable_is_kept_as_it_is(value: Any) -> None:
    if unkeepable(value) is None:
        assert json.loads(dumps(value)) == value
