"""Bodies of requests."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from mutirao.errors import InvalidInput


def encoded(body: Mapping[str, Any]) -> bytes:
    """`body` as JSON; times as ISO 8601, records as the API shows them. Raises InvalidInput when it is none."""
    try:
        return json.dumps(body, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the input is not JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"a {type(value).__name__} is no JSON")
