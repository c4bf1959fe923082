"""Places in a thread that a search may ask for."""

import pytest
from mutirao.api.langgraph.extracts import extract, known_path

ROW = {"values": {"messages": [{"content": "a"}, {"content": ["b", "c"]}]}, "metadata": {"user": "ana"}, "error": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("values.messages[0].content", "a"),
        ("values.messages[-1].content[1]", "c"),
        ("metadata", {"user": "ana"}),
        ("metadata.user", "ana"),
        ("metadata.user.name", None),
        ("values.messages[7]", None),
        ("values.messages[-3]", None),
        ("values[0]", None),
        ("error.code", None),
        ("interrupts.x", None),
    ],
)
def test_what_is_there_is_found_and_what_is_not_is_none(path: str, found: object) -> None:
    assert extract(ROW, known_path(path)) == found


@pytest.mark.parametrize(
    "path", ["", ".", "values.", "values[a]", "values..a", "colour.red", "[0]", "values" + "[0]" * 40]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        known_path(path)
