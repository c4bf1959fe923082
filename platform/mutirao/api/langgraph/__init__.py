"""The LangGraph protocol, as `langgraph-sdk` and what is built on it speak it: a thin layer on the services of the API.

A run is a job, an assistant an assistant, a thread a thread: both APIs see the same rows. Errors are `{"detail": …}`.
Each module with a `router` has the routes of one part of the protocol.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter

_MOSTLY = ("runs", "threads")


def routers() -> Iterator[APIRouter]:
    """The routers of all parts, those first that are asked for most."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    for name in sorted(names, key=lambda name: (name not in _MOSTLY, name)):
        router = getattr(importlib.import_module(f"{__name__}.{name}"), "router", None)
        if isinstance(router, APIRouter):
            yield router
