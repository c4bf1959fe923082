"""The LangGraph protocol, as `langgraph-sdk` and what is built on it speak it: a thin layer on the services of the API.

A run is a job, an assistant an assistant, a thread a thread: both APIs see the same rows. Errors are `{"detail": …}`.
Each module with a `router` has the routes of one part of the protocol.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter


def routers() -> Iterator[APIRouter]:
    """The routers of all parts."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        router = getattr(importlib.import_module(module.name), "router", None)
        if isinstance(router, APIRouter):
            yield router
