"""Server-sent events read off a connection that cuts them anywhere."""

from hypothesis import given
from hypothesis import strategies as st
from mutirao.client.stream import EventReader

ODD = "Olá \u2028 line \x85 separators \x0b\x0c in JSON, 日本, 🐐"


def read(*parts: bytes) -> list[str]:
    reader = EventReader()
    return [data for part in parts for data in reader.take(part)]


def frames(texts: list[str]) -> bytes:
    return b"".join(f"id: {n}\r\nevent: x\ndata: {text}\n\n".encode() for n, text in enumerate(texts))


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), st.integers(1, 9))
def test_every_text_comes_out_as_it_went_in_wherever_the_parts_are_cut(texts: list[str], cut: int) -> None:
    body = frames(texts)
    parts = [body[start : start + cut] for start in range(0, len(body), cut)]
    assert read(*parts) == texts


def test_separators_that_are_no_line_ends_stay_in_the_data() -> None:
    assert read(frames([ODD])) == [ODD]


def test_a_comment_is_a_sign_of_life_and_half_an_event_is_none() -> None:
    body = b": still here\n\nid: 1\ndata: one\n\nid: 2\ndata: tw"
    assert read(body) == ["", "one"]
    assert read(b"data: one\n") == []


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: a\ndata:b\n\n") == ["a\nb"]
