"""Graphs as text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.cli.graph_text import draw
from mutirao.cli.workflow_commands import fields_of


def graph(*edges: str) -> dict[str, Any]:
    """`a>b`: an edge; `a?b`: one that depends on a condition."""
    found = [(*edge.replace("?", ">").split(">"), "?" in edge) for edge in edges]
    ends = {"start": "__start__", "end": "__end__"}
    return {
        "nodes": [],
        "edges": [
            {"source": ends.get(source, source), "target": ends.get(target, target), "conditional": conditional}
            for source, target, conditional in found
        ],
    }


@pytest.mark.parametrize(
    ("edges", "lines"),
    [
        (["start>a", "a>b", "b>end"], ["start → a → b → end"]),
        (["start>a", "a?b", "a?c", "b>end", "c>end"], ["start → a", "a ⇢ b → end", "a ⇢ c → end"]),
        (["start>a", "a>a"], ["start → a", "a → a"]),
        (["start>a", "a>b", "b?a", "b?end"], ["start → a", "a → b", "b ⇢ a", "b ⇢ end"]),
        (["x>y", "start>a"], ["start → a", "x → y"]),
    ],
)
def test_chains_are_lines(edges: list[str], lines: list[str]) -> None:
    assert draw(graph(*edges)) == lines


def test_a_graph_without_edges_is_its_nodes() -> None:
    assert draw({"nodes": [{"id": "alone"}], "edges": []}) == ["alone"]
    assert draw({}) == []


@given(
    st.lists(st.tuples(st.sampled_from("abcdes"), st.sampled_from("abcdez"), st.booleans()), unique_by=lambda e: e[:2])
)
def test_every_edge_is_drawn_once(edges: list[tuple[str, str, bool]]) -> None:
    shape = {"edges": [{"source": s, "target": t, "conditional": c} for s, t, c in edges]}
    arrows = sum(line.count("→") + line.count("⇢") for line in draw(shape))
    assert arrows == len(edges)


def test_fields_say_their_type_and_whether_they_are_needed() -> None:
    schema = {
        "properties": {
            "topic": {"type": "string", "description": "What about."},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 5},
        },
        "required": ["topic"],
        "$defs": {"Tag": {"enum": ["a", "b"]}},
    }
    assert [" ".join(line.split()) for line in fields_of(schema)] == [
        "topic string required What about.",
        'tags list of "a" | "b"',
        "limit integer | null default 5",
    ]
