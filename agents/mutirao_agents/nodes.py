"""What can be told of a graph's nodes without running them."""

from typing import Any

from langgraph.pregel import Pregel


def synchronous_nodes(graph: Pregel[Any, Any, Any, Any]) -> list[str]:
    """Names of the nodes that would block a shared loop: functions that are not coroutines. Looks into subgraphs."""
    found = []
    for name, node in graph.nodes.items():
        if name.startswith("__") or isinstance(node.bound, Pregel):
            continue
        if _runs_in_thread(node.bound):
            found.append(name)
    for _, sub in graph.get_subgraphs():
        if isinstance(sub, Pregel):
            found += synchronous_nodes(sub)
    return found


def _runs_in_thread(bound: Any) -> bool:
    """LangGraph wraps a plain function so that its coroutine form is `run_in_executor`."""
    if steps := getattr(bound, "steps", None):  # an entrypoint, and what is done with its result
        return _runs_in_thread(steps[0])
    if tools := getattr(bound, "tools_by_name", None):
        return any(getattr(tool, "func", None) and not getattr(tool, "coroutine", None) for tool in tools.values())
    if getattr(bound, "func", None) is None:
        return False
    coroutine = getattr(bound, "afunc", None)
    return coroutine is None or getattr(getattr(coroutine, "func", None), "__name__", "") == "run_in_executor"
