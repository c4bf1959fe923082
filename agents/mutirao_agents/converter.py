"""The agent **code converter**: turns one Python 2 file into Python 3.

This version works by rules alone (fissix's standard fixers, then a compile check). It asks no model: a model's help for
the places that the rules leave open needs a gate that runs the code, and there is no sandbox yet. So its verdict on
every file is `NOT VERIFIED`, and its `risks` say where a person should look.

As a subgraph::

    graph.add_node("convert", converter().compile())
    # in:  {"origin": sha256 of the file in the artifact store, "path": "tool.py"}
    # out: {"conversions": [Conversion]}; the result is the artifact `converted/tool.py` when the rules changed it
"""

from langgraph.graph import END, START, StateGraph

from mutirao_agents.modernize.conversion import (
    Converter,
    ConverterInput,
    ConverterOutput,
    ConverterState,
    Reader,
    SourceFile,
    from_artifacts,
)
from mutirao_agents.modernize.pool import ConverterPool
from mutirao_agents.modernize.records import Conversion

__all__ = [
    "Conversion",
    "ConverterInput",
    "ConverterOutput",
    "ConverterPool",
    "ConverterState",
    "Reader",
    "SourceFile",
    "converter",
    "from_artifacts",
]


def converter(
    pool: ConverterPool | None = None, reader: Reader = from_artifacts
) -> StateGraph[ConverterState, None, ConverterInput, ConverterOutput]:
    """The agent as a subgraph of two steps, `rules` and `judge`.

    Args:
        pool: converter processes to share with other graphs; a pool of its own by default.
        reader: how `origin` and `path` become a file; from the artifact store by default.
    """
    agent = Converter(pool or ConverterPool(), reader)
    graph = StateGraph(ConverterState, input_schema=ConverterInput, output_schema=ConverterOutput)
    graph.add_node("rules", agent.rules)
    graph.add_node("judge", agent.judge)
    graph.add_edge(START, "rules")
    graph.add_edge("rules", "judge")
    graph.add_edge("judge", END)
    return graph
