"""Stream modes: what a client asks for, and which events of a journal that is."""

from collections.abc import Sequence

MODES = (
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "events",
    "debug",
    "tasks",
    "checkpoints",
    "tools",
)
"""Those that a run may be streamed in. `lifecycle` may be asked for, too: its events are those of the thread's stream."""

PREFIX = "stream."
"""Of the types of those events; behind it the name of the frame."""

_OF_FRAME = {
    "messages": "messages-tuple",
    "messages/metadata": "messages",
    "messages/partial": "messages",
    "messages/complete": "messages",
}


def as_list(given: str | Sequence[str] | None) -> list[str]:
    """Modes as they may be given: none, one, or several; each once, in their order."""
    if given is None:
        return []
    return list(dict.fromkeys([given] if isinstance(given, str) else given))


def mode_of(frame: str) -> str:
    """The mode that has frames of this name."""
    return _OF_FRAME.get(frame, frame)
