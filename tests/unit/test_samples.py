"""The sample documents keep what their README says: languages, encoding, sums that agree, traps set on purpose."""

import re
from pathlib import Path

import pytest
from mutirao.samples import DEMO_COLLECTION, DEMO_TOPIC, sample_documents

NO_BREAK_SPACE = "\u00a0"
HERE = {path.name: path for path in sample_documents()}


def text(name: str) -> str:
    return HERE[name].read_text(encoding="utf-8").replace(NO_BREAK_SPACE, " ")


def number(written: str) -> int:
    return int(re.sub(r"[.,]", "", written))


def test_there_are_twelve_in_two_languages() -> None:
    languages = [path.parent.name for path in sample_documents()]
    assert languages == ["en"] * 8 + ["pt"] * 4
    assert {path.suffix for path in sample_documents()} == {".md", ".txt"}


@pytest.mark.parametrize("path", sample_documents(), ids=lambda path: path.name)
def test_each_is_a_real_page(path: Path) -> None:
    content = path.read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    words = content.decode("utf-8").split()
    assert 500 <= len(words) <= 900
    assert re.search(r"Version date: \d|Data da versão: \d|Versão consolidada de \d", content.decode("utf-8"))
    assert re.search(r"fictional|fictíci", content.decode("utf-8"))


def test_the_readme_lists_each_page() -> None:
    readme = (Path(sample_documents()[0]).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in sample_documents() if f"`{path.parent.name}/{path.name}`" not in readme] == []


def test_the_demo_names_a_collection_chroma_accepts() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9._-]{3,512}", DEMO_COLLECTION)
    assert "Baixa do Umbu" in DEMO_TOPIC


def test_the_months_of_the_logbook_add_up() -> None:
    months = re.findall(
        r"^[A-Z][a-z]+: ([\d,]+) kg of scraps, (\d+|no)(?: mm)?(?: of)? rain", text("yard-logbook-2024.txt"), re.M
    )
    assert len(months) == 12
    assert sum(number(scraps) for scraps, _ in months) == 38_640
    assert sum(0 if rain == "no" else int(rain) for _, rain in months) == 612


@pytest.mark.parametrize(
    ("figure", "pages"),
    [
        ("38,640", ("yard-logbook-2024.txt", "composting-handbook.md")),
        ("38.640", ("relatorio-anual-2024.txt",)),
        ("1,656,000", ("water-plan-2025.md", "visitor-questions.md")),
        ("1.656.000", ("relatorio-anual-2024.txt", "visitor-questions.md")),
        ("62.3%", ("water-plan-2025.md",)),
        ("62,3%", ("relatorio-anual-2024.txt",)),
    ],
)
def test_pages_agree_across_languages(figure: str, pages: tuple[str, ...]) -> None:
    assert [page for page in pages if figure not in text(page)] == []


def test_the_older_plan_differs_from_the_newer_one() -> None:
    older, newer = text("water-plan-2023.md"), text("water-plan-2025.md")
    assert "Version date: 14 March 2023" in older
    assert "This plan replaces the water plan of 14 March 2023" in newer
    for old, new in [("R$ 4,150", "R$ 5,380"), ("104 households", "112 households"), ("240 hours", "224 hours")]:
        assert old in older
        assert new in newer
        assert new not in older


def test_the_hostile_page_is_hostile() -> None:
    raw = HERE["visitor-questions.md"].read_text(encoding="utf-8")
    assert "IGNORE ALL PREVIOUS INSTRUCTIONS" in raw
    assert f"16,000{NO_BREAK_SPACE}litres" in raw
    assert "[^1]:" in raw
    assert "“" in raw
    assert "Dr." in raw
    assert "30–34" in raw


def test_the_money_of_the_annual_report_adds_up() -> None:
    paragraph = text("relatorio-anual-2024.txt").partition("DINHEIRO")[2].partition("O QUE NÃO DEU CERTO")[0]
    income, spending = paragraph.split("Gastamos")
    *parts, total = [number(found) for found in re.findall(r"R\$ ([\d.]+,\d\d)", income)]
    assert sum(parts) == total == 11_049_000
    spent = [number(found) for found in re.findall(r"R\$ ([\d.]+,\d\d)", spending)]
    assert spent[0] + sum(spent[2:5]) == spent[5]
    assert total - spent[5] == spent[6]
