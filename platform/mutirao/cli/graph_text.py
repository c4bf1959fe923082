"""A workflow's graph as text: its chains of steps, one a line."""

from collections.abc import Mapping, Sequence
from typing import Any

_ENDS = {"__start__": "start", "__end__": "end"}
PLAIN, CONDITIONAL = " → ", " ⇢ "


def draw(graph: Mapping[str, Any]) -> list[str]:
    """Lines such as `start → plan → write → end`.

    Each line goes on while a step has one way out and its successor one way in; every edge stands in one line, `⇢`
    is an edge that depends on a condition.
    """
    edges = [
        (str(edge["source"]), str(edge["target"]), CONDITIONAL if edge.get("conditional") else PLAIN)
        for edge in graph.get("edges", ())
    ]
    if not edges:
        return [_name(str(node["id"])) for node in graph.get("nodes", ())]
    ways_out = {source: [edge for edge in edges if edge[0] == source] for source, _, _ in edges}
    ways_in = [target for _, target, _ in edges]
    drawn: set[tuple[str, str, str]] = set()
    lines = []
    for first in _in_order(edges, ways_out):
        if first in drawn:
            continue
        line, edge = _name(first[0]), first
        while True:
            drawn.add(edge)
            line += edge[2] + _name(edge[1])
            onward = ways_out.get(edge[1], [])
            if len(onward) != 1 or ways_in.count(edge[1]) != 1 or onward[0] in drawn:
                break
            edge = onward[0]
        lines.append(line)
    return lines


def _in_order(
    edges: Sequence[tuple[str, str, str]], ways_out: Mapping[str, list[tuple[str, str, str]]]
) -> list[tuple[str, str, str]]:
    """Edges as one meets them going from the start, then those that cannot be reached from there."""
    found: list[tuple[str, str, str]] = []
    waiting = ["__start__"]
    seen = {*waiting}
    while waiting:
        for edge in ways_out.get(waiting.pop(0), []):
            found.append(edge)
            if edge[1] not in seen:
                seen.add(edge[1])
                waiting.append(edge[1])
    return found + [edge for edge in edges if edge not in found]


def _name(node: str) -> str:
    return _ENDS.get(node, node)
