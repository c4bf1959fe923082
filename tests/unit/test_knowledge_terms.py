"""Words of documents and queries meet, whatever their case, accents and separators."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutirao.knowledge.terms import fold, language_of, lexemes, quoted, tsvector, words


def forms(text: str) -> list[tuple[str, ...]]:
    return [word.forms for word in words(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Água LIMPA", [("água",), ("limpa",)]),
        ("1,656,000 or 1.656.000", [("1,656,000", "1656000"), ("or",), ("1.656.000", "1656000")]),
        ("3.5 km", [("3.5",), ("km",)]),
        ("day-case", [("day",), ("case",)]),
        ("day\ufffecase", [("day", "daycase"), ("case",)]),
        ("hyphen-\n  ated", [("hyphen", "hyphenated"), ("ated",)]),
        ("soft\u00adhyphen zero\u200bwidth", [("softhyphen",), ("zerowidth",)]),
        ("get_user_name", [("get_user_name", "get", "user", "name")]),
        ("getUserName", [("getusername", "get", "user", "name")]),
        ("日本語", [("日",), ("本",), ("語",)]),
        ("e\u0301te\u0301", [("été",)]),
        ("... --- ''' \x00 👍", []),
    ],
)
def test_words_and_their_spellings(text: str, found: list[tuple[str, ...]]) -> None:
    assert forms(text) == found


def test_positions_count_words() -> None:
    assert [word.position for word in words("a b c")] == [1, 2, 3]
    assert max(word.position for word in words("a " * 20_000)) == 16_383


def test_folding_takes_case_and_accents_away() -> None:
    assert fold("ÇÃO") == fold("cao") == "cao"
    assert fold("Straße") == "strasse"
    assert len(fold("x" * 500)) == 64


def test_a_vector_holds_folded_words_and_stems_at_one_position() -> None:
    stems = {"cisternas": ("cistern", "cistern"), "águas": ("águ",)}
    assert tsvector(words("Cisternas, águas"), stems) == "'agu':2 'aguas':2 'cistern':1 'cisternas':1"
    assert lexemes("águas", stems) == {"agu", "aguas"}


def test_quoting() -> None:
    assert quoted("it's \\") == "'it''s \\\\'"


@given(st.text())
def test_any_text_has_words_of_bounded_length(text: str) -> None:
    for word in words(text):
        assert word.position >= 1
        assert all(0 < len(form) <= 64 for form in word.forms)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The community has 97 cisterns and each of them holds 16,000 litres of water.", "en"),
        ("A comunidade tem 97 cisternas, e cada uma delas guarda 16.000 litros de água para beber.", "pt"),
        ("a comunidade nao tem agua para beber e nem para a horta da escola", "pt"),
        ("La comunidad tiene 97 cisternas y cada una de ellas guarda el agua para los vecinos.", None),
        ("Die Gemeinde hat 97 Zisternen, und jede fasst das Wasser für ein Jahr.", None),
        ("La commune a des citernes et les gens sont contents dans une maison", None),
        ("x = foo(bar)[3]", None),
        ("これは文です", None),
        ("", None),
    ],
)
def test_the_language_is_told_or_not_claimed(text: str, language: str | None) -> None:
    assert language_of(text) == language
