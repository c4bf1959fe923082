"""The words of the dashboard: every one is there in every language, every one that the sources name exists, none is left over."""

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).parents[2] / "platform" / "dashboard" / "src"
LOCALES = SOURCES / "locales"
LANGUAGES = {"en": ("one", "other"), "pt-BR": ("one", "many", "other")}
NAMESPACES = sorted({path.stem for path in LOCALES.glob("*/*.json")})
COMMON = "common"

HOOK = re.compile(r"""useTranslation\(\s*(\[[^\]]*\]|"[\w-]+"|)\s*\)""")
CALL = re.compile(r"""(?<![\w.])(?:t|t[A-Z]\w*|common|words)\(\s*(?:"([^"\n]+)"|`([^`\n]+)`)|i18nKey="([^"]+)\"""")
QUOTED = re.compile(r'"([^"\n]*)"')
TEMPLATE = re.compile(r"`([^`\n]+)`")
NAMESPACE = re.compile(r"^[\w-]+:")
FORM = re.compile(r"_(zero|one|two|few|many|other)$")


def flat(words: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in words.items():
        yield from flat(value, f"{above}{key}.") if isinstance(value, dict) else [(above + key, value)]


@cache
def words(language: str, namespace: str) -> dict[str, str]:
    return dict(flat(json.loads((LOCALES / language / f"{namespace}.json").read_text(encoding="utf-8"))))


def plural_of(key: str, keys: Collection[str]) -> str | None:
    """The plural that a key is a form of; of one every language has the form `other`."""
    base = FORM.sub("", key)
    return base if base != key and f"{base}_other" in keys else None


def plain(keys: Collection[str]) -> set[str]:
    """Keys as the sources name them: a plural is one."""
    return {plural_of(key, keys) or key for key in keys}


@cache
def sources() -> dict[str, str]:
    files = [path for ending in ("ts", "tsx") for path in SOURCES.rglob(f"*.{ending}")]
    return {
        path.relative_to(SOURCES).as_posix(): path.read_text(encoding="utf-8")
        for path in files
        if ".test." not in path.name and path.name != "schema.d.ts"
    }


def namespaces_of(source: str) -> set[str]:
    """Where a file looks for its words; one that is handed its `t` may look anywhere."""
    found: set[str] = set()
    for given in HOOK.findall(source):
        found |= set(re.findall(r"[\w-]+", given)) or {COMMON}
    return found or set(NAMESPACES)


def as_pattern(template: str) -> re.Pattern[str]:
    """`state.${state}` as what it can become."""
    return re.compile(
        "".join(".+" if part.startswith("${") else re.escape(part) for part in re.split(r"(\$\{[^}]*\})", template))
    )


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_language_has_the_same_words(namespace: str) -> None:
    by_language = {language: words(language, namespace) for language in LANGUAGES}
    assert plain(by_language["en"]) == plain(by_language["pt-BR"])
    for language, forms in LANGUAGES.items():
        keys = by_language[language]
        plurals = {plural for key in keys if (plural := plural_of(key, keys))}
        assert {f"{key}_{form}" for key in plurals for form in forms} - keys.keys() == set(), language
        assert [key for key, text in keys.items() if not str(text).strip()] == []


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_translations_fill_in_the_same_values(namespace: str) -> None:
    english, portuguese = words("en", namespace), words("pt-BR", namespace)
    values = re.compile(r"\{\{\s*(\w+)")
    differing = [
        key for key in english.keys() & portuguese.keys()
        if set(values.findall(english[key])) != set(values.findall(portuguese[key])) and not key.endswith("_one")
    ]  # fmt: skip
    assert differing == []


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_words_are_sorted(namespace: str) -> None:
    def unsorted(found: dict[str, Any], above: str = "") -> list[str]:
        here = [] if [*found] == sorted(found) else [above or "the top"]
        return here + [
            at for key, value in found.items() if isinstance(value, dict) for at in unsorted(value, f"{above}{key}.")
        ]

    for language in LANGUAGES:
        assert unsorted(json.loads((LOCALES / language / f"{namespace}.json").read_text(encoding="utf-8"))) == []


def test_every_word_that_is_asked_for_exists() -> None:
    missing = []
    for name, source in sources().items():
        known = namespaces_of(source)
        keys = {key for namespace in known for key in plain(words("en", namespace))}
        for literal, template, attribute in CALL.findall(source):
            asked = literal or template or attribute
            own, _, rest = asked.rpartition(":")
            there = plain(words("en", own)) if own in NAMESPACES else keys
            wanted = as_pattern(rest if own in NAMESPACES else asked)
            if not any(wanted.fullmatch(key) for key in there):
                missing.append(f"{name}: {asked}")
    assert missing == []


def test_no_word_is_left_over() -> None:
    exact = {NAMESPACE.sub("", said) for source in sources().values() for said in QUOTED.findall(source)}
    templates = {NAMESPACE.sub("", said) for source in sources().values() for said in TEMPLATE.findall(source)}
    patterns = [as_pattern(said) for said in templates if re.match(r"[a-z_]+[.$]", said)]
    unused = [
        f"{namespace}: {key}"
        for namespace in NAMESPACES
        for key in sorted(plain(words("en", namespace)))
        if key not in exact and not any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert unused == []
