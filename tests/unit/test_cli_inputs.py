"""A job's input as people type it."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.cli.inputs import read_object, read_pairs
from mutirao.errors import InvalidInput

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "$defs": {"Level": {"enum": ["low", "high"], "type": "string"}, "Loop": {"$ref": "#/$defs/Loop"}},
    "properties": {
        "topic": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "deep": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "sizes": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        "level": {"$ref": "#/$defs/Level"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"type": ["integer", "string"]},
        "options": {"type": "object"},
        "anything": {},
        "nowhere": {"$ref": "#/$defs/Missing"},
        "loop": {"$ref": "#/$defs/Loop"},
    },
}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["topic=a=b "], {"topic": "a=b "}),
        (["topic="], {"topic": ""}),
        (["topic=5"], {"topic": "5"}),
        (["count=5", "share=2.5", "deep=yes"], {"count": 5, "share": 2.5, "deep": True}),
        (["names=a", "names=b,c"], {"names": ["a", "b,c"]}),
        (['names=["x", "y"]', "names=z"], {"names": ["x", "y", "z"]}),
        (["names=[not json"], {"names": ["[not json"]}),
        (["sizes=1", "sizes=2"], {"sizes": [1, 2]}),
        (["level=high"], {"level": "high"}),
        (["maybe=null"], {"maybe": None}),
        (["maybe=-3"], {"maybe": -3}),
        (["either=7"], {"either": 7}),
        (["either=seven"], {"either": "seven"}),
        (['options={"a": 1}'], {"options": {"a": 1}}),
        (['anything={"a": [1]}'], {"anything": {"a": [1]}}),
        (["anything=plain"], {"anything": "plain"}),
        (["nowhere=1", "loop=x"], {"nowhere": 1, "loop": "x"}),
        ([], {}),
    ],
)
def test_pairs_are_read_by_the_schema(pairs: list[str], expected: dict[str, Any]) -> None:
    assert read_pairs(pairs, SCHEMA, "w") == expected


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["topic"], "KEY=VALUE"),
        (["=x"], "KEY=VALUE"),
        (["count=x"], "not a whole number"),
        (["count=1.5"], "not a whole number"),
        (["share=nan"], "not a finite number"),
        (["share=inf"], "not a finite number"),
        (["deep=maybe"], "not one of true, false"),
        (["sizes=a"], "not a whole number"),
        (["maybe=x"], "not a whole number"),
        (["options=[1]"], "not a JSON object"),
        (["topic=a", "topic=b"], "given twice"),
        (["tpoic=a"], "no field 'tpoic'; it has 'topic', 'count'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(pairs: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_pairs(pairs, SCHEMA, "w")


def test_a_workflow_that_takes_other_fields_gets_them() -> None:
    assert read_pairs(["new=1"], {"type": "object"}, "w") == {"new": 1}
    assert read_pairs(["new=1"], {"additionalProperties": {"type": "string"}}, "w") == {"new": "1"}


@given(st.text())
def test_text_goes_through_as_it_is(text: str) -> None:
    assert read_pairs([f"topic={text}"], SCHEMA, "w") == {"topic": text}


@given(st.text(), st.text())
def test_nothing_typed_is_a_crash(name: str, value: str) -> None:
    for schema in (SCHEMA, {}):
        with contextlib.suppress(InvalidInput):
            assert list(read_pairs([f"{name}={value}"], schema, "w")) == [name.partition("=")[0]]


def test_json_comes_from_the_argument_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.json").write_bytes('\ufeff{"ç": 1}'.encode())
    assert read_object('{"a": [1, null]}') == {"a": [1, None]}
    assert read_object(f"@{tmp_path / 'in.json'}") == {"ç": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"b": 2}'))
    assert read_object("-") == {"b": 2}


@pytest.mark.parametrize("text", ["", "{", "[1]", "5", "null", '{"a": NaN}', "@/no/such/file", "@", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_object(text)
    assert len(refused.value.message) < 400


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_object(f"@{tmp_path / 'x'}")


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_every_json_object_comes_through(value: dict[str, Any]) -> None:
    assert read_object(json.dumps(value)) == value
