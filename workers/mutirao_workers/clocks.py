"""Checkpoints are ordered by their ids, and LangGraph makes ids of the clock of the machine that it runs on."""

from contextlib import suppress
from typing import Any

from langgraph.checkpoint.base import id as ids

_ids: Any = ids
_LAST_TIME = (1 << 60) - (1 << 50)  # no id's time may pass 60 bits


def seen(checkpoint_id: str) -> bool:
    """Ids that are made from now on are above this one, whatever this machine's clock says; whether they would not have
    been. An id that LangGraph has not made is let pass."""
    if str(ids.uuid6()) > checkpoint_id:
        return False
    with suppress(ValueError):
        found = ids.UUID(checkpoint_id)
        # What `uuid6` has given last, and goes on from when the clock is behind it.
        if found.version == 6 and found.time < _LAST_TIME:
            _ids._last_v6_timestamp = max(_ids._last_v6_timestamp or 0, found.time)
            return True
    return False
