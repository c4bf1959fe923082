"""What the API adds to the OpenAPI document that FastAPI makes of its routes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI


def amend(app: FastAPI, change: Callable[[dict[str, Any]], None]) -> None:
    """Have `change` complete the document, after those that were given before. It is called whenever somebody asks for
    the document: what it has done already it must not do twice."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        change(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI says to do it
