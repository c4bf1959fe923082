"""Identifiers: unique, ordered by their time, stable where they should be."""

import time
from uuid import RFC_4122

import pytest
from mutirao.ids import new_id, stable_id


def test_new_ids_are_uuids_of_version_seven() -> None:
    before, made, after = time.time_ns() // 1_000_000, new_id(), time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_new_ids_are_unique() -> None:
    assert len({new_id() for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize("nanoseconds", [250, 1_000, 999_999, 1_000_000, 10**9])
def test_a_later_id_is_a_larger_one_also_within_a_millisecond(
    monkeypatch: pytest.MonkeyPatch, nanoseconds: int
) -> None:
    made = []
    for at in (10**18, 10**18 + nanoseconds, 10**18 + 2 * nanoseconds):
        monkeypatch.setattr(time, "time_ns", lambda at=at: at)
        made.append(new_id())
    assert made == sorted(made)


def test_an_id_may_be_made_later_than_another_one_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_id()]
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    for _ in range(5_000):  # more than there are parts of a millisecond
        made.append(new_id(made[-1]))
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    monkeypatch.undo()
    assert new_id(new_id()).int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_the_same_parts_give_the_same_id() -> None:
    assert stable_id("a", 1) == stable_id("a", 1)
    assert len({stable_id("a", "b"), stable_id("ab"), stable_id("a", "b", "")}) == 3
