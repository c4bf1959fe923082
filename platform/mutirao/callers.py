"""Who is calling, as a run's graph is told it: keys of `configurable` that only the server sets."""

from collections.abc import Mapping
from typing import Any

CALLER = "langgraph_auth_"
"""How these keys begin."""


def nobodys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says who is calling."""
    return {name: value for name, value in given.items() if not name.startswith(CALLER)}


def without_caller(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config whose `configurable` does not say who is calling."""
    configurable = config.get("configurable")
    if not isinstance(configurable, dict) or not any(name.startswith(CALLER) for name in configurable):
        return dict(config)
    return {**config, "configurable": nobodys(configurable)}
