"""Sentences against quotes: what may stand in a report, and what must not, in English and Portuguese."""

import pytest
from mutirao_agents.evidence import Evidence
from mutirao_agents.report.facts import Reason
from mutirao_agents.report.verify import check, in_source

HOMES = "The programme gave cisterns to 40 schools and 12 homes in March 2019."
FOUNDED = "The association was founded on 19 March 1998 by Ana Lima."
ABOUT = "By December 2022, approximately 1,240 households took part in the scheme."
MEAT = "Meat and dairy are not accepted in the shared bins because they attract rats."
PLANNED = "The council planned to build up to 30 cisterns next to the school."
MAY = "The pump may fail when the water level falls below 20 cm."
ASIDE = "The cooperative, which runs the market, collected 312 tonnes of waste in Recife."
TAIL = "The yard opened on 3 June 2022; in 2024 it received 38,640 kg of food scraps."
BEAT = "Ana Lima taught Rui Costa how to lay bricks in Olinda."
COMPARED = "The school uses less water than the garden in every month of the year."
ACRONYM = "The World Health Organization (WHO) published the guideline on drinking water in 2017."
ALL_BUT = "All cisterns were tested in 2024, except those of the school."
LIST = "The mix needs carbon, nitrogen, water and air at the same time."
HOWEVER = "However, the second goal was reached in October by the members."
DEGREES = "The pile is kept at −5 °C to 55 °C for 15 days by the crew."
SHARE = "In 2024, 12.1% of the samples contained bacteria of that kind."
TWO = "A community can build a cistern in a few days. It cannot build a dam or a paved road."
CLAIM = "The mayor said that the new road is safe for lorries of 20 tonnes."
HALF = "Two of the twelve trainees came back and half of the group stayed at home."
CAUSE = "The number of deliveries fell from 61 to 23 in one year."

QUANTO = "Em 2024 foram analisadas 58 amostras, uma por cisterna, pela Dra. Inês Carvalho."
NUNCA = "A cisterna-calçadão nunca deve ser usada para beber sem tratamento."
CERCA = "Cerca de 1.240 famílias participaram do mutirão em Vila Serena."
MENOS = "A escola gasta 2,5 mil litros por mês e a horta gasta 4 mil litros."
PREVISTO = "O telhado foi previsto para até 30 casas em março de 2023."
QUE = "A associação, que cuida da horta, recolheu 312 toneladas de resíduos em Recife."
SO = "Somente duas famílias receberam a bomba manual em dezembro de 2024."
PORQUE = "A chuva de 2024 ajudou, e seria errado atribuir a queda apenas às cisternas novas."
PAIS = "Os pais de João visitaram o país vizinho em 12 de outubro de 2013."

SUPPORTED = [
    (HOMES, HOMES),
    (HOMES, "the programme gave cisterns to 40 schools and 12 homes in March 2019"),
    (HOMES, "  The programme gave   cisterns to 40 schools\nand 12 homes in March 2019. "),
    (HOMES, "In addition, the programme gave cisterns to 40 schools and 12 homes in March 2019."),
    (HOMES, "“The programme gave cisterns to 40 schools and 12 homes in March 2019.”"),
    (ABOUT, "By December 2022, approximately 1,240 households took part in the scheme"),
    (MEAT, MEAT),
    (PLANNED, PLANNED),
    (ASIDE, "The cooperative collected 312 tonnes of waste in Recife."),
    (ACRONYM, "The World Health Organization published the guideline on drinking water in 2017."),
    (LIST, "The mix needs carbon, nitrogen, water, and air at the same time."),
    (HOWEVER, "The second goal was reached in October by the members."),
    (DEGREES, "The pile is kept at -5 °C to 55 °C for 15 days by the crew."),
    (TWO, "A community can build a cistern in a few days."),
    (TWO, TWO),
    (CAUSE, CAUSE),
    (QUANTO, "Em 2024 foram analisadas 58 amostras, uma por cisterna, pela Dra. Inês Carvalho"),
    (NUNCA, "A cisterna\u2011calçadão nunca deve ser usada para beber sem tratamento."),
    (CERCA, "Além disso, cerca de 1.240 famílias participaram do mutirão em Vila Serena."),
    (QUE, "A associação recolheu 312 toneladas de resíduos em Recife."),
    (SO, "Somente duas famílias receberam a bomba manual em dezembro de 2024."),
    (PAIS, "Os pais de Joa\u0303o visitaram o país vizinho em 12 de outubro de 2013."),
]

UNSUPPORTED = [
    # numbers, units, dates
    (HOMES, "The programme gave cisterns to 12 schools and 40 homes in March 2019.", Reason.UNIT),
    (HOMES, "The programme gave cisterns to 41 schools and 12 homes in March 2019.", Reason.NUMBER),
    (HOMES, "The programme gave cisterns to 52 schools and homes in March 2019.", Reason.NUMBER),
    (HOMES, "The programme gave cisterns to forty schools and 12 homes in March 2019.", Reason.NUMBER),
    (HOMES, "The programme gave cisterns to 40 schools and 12 homes in May 2019.", Reason.NAME),
    (HOMES, "The programme gave cisterns to 40 schools and 12 homes.", Reason.ORDER),
    (HOMES, "The programme gave cisterns to 40 clinics and 12 homes in March 2019.", Reason.UNIT),
    (ABOUT, "By December 2022, approximately 1.240 households took part in the scheme.", Reason.NUMBER),
    (ABOUT, "By December 2022, approximately 1 240 households took part in the scheme.", Reason.NUMBER),
    (FOUNDED, "The association was founded on 19 March 1989 by Ana Lima.", Reason.NUMBER),
    (FOUNDED, "The association was founded in 1998 by Ana Lima on 19 March.", Reason.ORDER),
    (DEGREES, "The pile is kept at 5 °C to 55 °C for 15 days by the crew.", Reason.ORDER),
    (DEGREES, "The pile is kept at −5 °F to 55 °F for 15 days by the crew.", Reason.UNIT),
    (DEGREES, "The pile is kept at −5 °C to 55 °C for 15 hours by the crew.", Reason.UNIT),
    (SHARE, "In 2024, 12.1 of the samples contained bacteria of that kind.", Reason.UNIT),
    (SHARE, "In 2024, 12,1% of the samples contained bacteria of that kind.", Reason.NUMBER),
    (CAUSE, "The number of deliveries fell from 23 to 61 in one year.", Reason.UNIT),
    (HALF, "Two of the twelve trainees came back and a third of the group stayed at home.", Reason.NUMBER),
    (HALF, "Twelve of the two trainees came back and half of the group stayed at home.", Reason.UNIT),
    (CAUSE, "The number of deliveries fell from ٦١ to ٢٣ in one year.", Reason.NUMBER),
    # negation
    (MEAT, "Meat and dairy are accepted in the shared bins because they attract rats.", Reason.NEGATION),
    (HOMES, "The programme never gave cisterns to 40 schools and 12 homes in March 2019.", Reason.NEGATION),
    (ALL_BUT, "All cisterns were tested in 2024.", Reason.NEGATION),
    (ALL_BUT, "All cisterns were tested in 2024, including those of the school.", Reason.NEGATION),
    # qualifiers, comparisons, causes
    (ABOUT, "By December 2022, 1,240 households took part in the scheme.", Reason.QUALIFIER),
    (PLANNED, "The council planned to build 30 cisterns next to the school.", Reason.QUALIFIER),
    (PLANNED, "The council built up to 30 cisterns next to the school.", Reason.QUALIFIER),
    (MAY, "The pump fails when the water level falls below 20 cm.", Reason.NEGATION),
    (MAY, "The pump may fail.", Reason.QUALIFIER),
    (COMPARED, "The garden uses less water than the school in every month of the year.", Reason.ORDER),
    (COMPARED, "The school uses more water than the garden in every month of the year.", Reason.QUALIFIER),
    (CAUSE, "The number of deliveries fell from 61 to 23 in one year because of the cisterns.", Reason.QUALIFIER),
    (CLAIM, "The new road is safe for lorries of 20 tonnes.", Reason.QUALIFIER),
    (HOMES, "Only the programme gave cisterns to 40 schools and 12 homes in March 2019.", Reason.QUALIFIER),
    (HOMES, "The programme always gave cisterns to 40 schools and 12 homes in March 2019.", Reason.QUALIFIER),
    # names, subjects, order
    (BEAT, "Rui Costa taught Ana Lima how to lay bricks in Olinda.", Reason.ORDER),
    (BEAT, "Ana Souza taught Rui Costa how to lay bricks in Olinda.", Reason.NAME),
    (BEAT, "Ana Lima taught Rui Costa how to lay bricks in Recife.", Reason.NAME),
    (ASIDE, "The market collected 312 tonnes of waste in Recife.", Reason.ORDER),
    (ASIDE, "The cooperative, which runs Recife, collected 312 tonnes of waste.", Reason.ORDER),
    (TAIL, "The yard opened on 3 June 2022.", Reason.ORDER),
    (TAIL, "The yard opened on 3 June 2022; in 2024 it received food scraps.", Reason.ORDER),
    # words the quote does not have
    (HOMES, "The generous programme gave cisterns to 40 schools and 12 homes in March 2019.", Reason.WORDS),
    (LIST, "The mix needs carbon, nitrogen, sunlight and air at the same time.", Reason.WORDS),
    (HOMES, "Cisterns are a marvel of modern engineering.", Reason.WORDS),
    (TWO, "It cannot build a dam or a paved road.", Reason.ORDER),
    (HOMES, "A escola recebeu as cisternas do programa em março.", Reason.LANGUAGE),
    # Portuguese
    (QUANTO, "Em 2024 foram analisadas 85 amostras, uma por cisterna, pela Dra. Inês Carvalho.", Reason.NUMBER),
    (QUANTO, "Em 2024 foram analisadas 58 amostras, uma por cisterna, pela Dra. Inês Ferreira.", Reason.NAME),
    (NUNCA, "A cisterna-calçadão deve ser usada para beber sem tratamento.", Reason.NEGATION),
    (NUNCA, "A cisterna-calçadão nunca deve ser usada para beber com tratamento.", Reason.NEGATION),
    (CERCA, "1.240 famílias participaram do mutirão em Vila Serena.", Reason.QUALIFIER),
    (CERCA, "Cerca de 1,240 famílias participaram do mutirão em Vila Serena.", Reason.NUMBER),
    (MENOS, "A horta gasta 2,5 mil litros por mês e a escola gasta 4 mil litros.", Reason.ORDER),
    (MENOS, "A escola gasta 2,5 litros por mês e a horta gasta 4 mil litros.", Reason.UNIT),
    (PREVISTO, "O telhado foi feito para até 30 casas em março de 2023.", Reason.QUALIFIER),
    (PREVISTO, "O telhado foi previsto para 30 casas em março de 2023.", Reason.QUALIFIER),
    (QUE, "A horta recolheu 312 toneladas de resíduos em Recife.", Reason.ORDER),
    (SO, "Duas famílias receberam a bomba manual em dezembro de 2024.", Reason.QUALIFIER),
    (SO, "Somente doze famílias receberam a bomba manual em dezembro de 2024.", Reason.NUMBER),
    (PORQUE, "A chuva de 2024 ajudou.", Reason.NEGATION),
    (PORQUE, "A chuva de 2024 ajudou, e seria certo atribuir a queda apenas às cisternas novas.", Reason.NEGATION),
    (PAIS, "Os pais de João visitaram o pais vizinho em 12 de outubro de 2013.", Reason.ORDER),
    (PAIS, "Os pais de João visitaram o país vizinho em 13 de outubro de 2012.", Reason.NUMBER),
]


def of(quote: str, name: str = "E1") -> Evidence:
    """A quote as evidence of a document that is nothing else."""
    return Evidence(
        id=name, document_id="d", document_name="d.md", document_sha256="0", version=1, media_type="text/markdown",
        language=None, page=1, page_start=0, start=0, end=len(quote), quote=quote, heading="", section="s", question="q",
        score=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("quote", "text"), SUPPORTED)
def test_what_the_quote_says_is_kept(quote: str, text: str) -> None:
    verdict = check(text, [of(quote)])
    assert verdict.evidence == "E1", verdict.reasons
    assert verdict.reasons == ()


@pytest.mark.parametrize(("quote", "text", "reason"), UNSUPPORTED)
def test_what_the_quote_does_not_say_is_not_kept(quote: str, text: str, reason: Reason) -> None:
    verdict = check(text, [of(quote)])
    assert not verdict.supported
    assert reason in verdict.reasons


def test_a_sentence_without_evidence_is_not_kept() -> None:
    assert check(HOMES, []).reasons == (Reason.UNCITED,)


def test_the_wrong_evidence_does_not_help() -> None:
    assert not check(HOMES, [of(MEAT)]).supported


def test_one_of_several_quotes_is_enough_and_is_named() -> None:
    assert check(HOMES, [of(MEAT, "E1"), of(HOMES, "E2")]).evidence == "E2"


def test_numbers_of_two_quotes_are_not_mixed() -> None:
    text = "The programme gave cisterns to 40 schools and 38,640 homes in March 2019."
    assert Reason.NUMBER in check(text, [of(HOMES, "E1"), of(TAIL, "E2")]).reasons


def test_a_later_sentence_of_a_quote_is_told_apart_from_the_first() -> None:
    quote = "The yard opened in June. Two windrows were started in July by the crew."
    assert check("The yard opened in June.", [of(quote)]).part == 0
    assert check("Two windrows were started in July by the crew.", [of(quote)]).part == 1


@pytest.mark.parametrize("text", ["", " ", ".", "…", "\u200b", "\u202e", "[E1]", "12", "E1"])
def test_nothing_is_no_sentence(text: str) -> None:
    assert not check(text, [of(HOMES)]).supported


def test_a_quote_is_in_its_source_only_word_for_word_at_its_offset() -> None:
    item = of(HOMES)
    assert in_source(item, {"d": HOMES})
    assert not in_source(item, {"d": f" {HOMES}"})
    assert not in_source(item, {"d": HOMES.lower()})
    assert not in_source(item, {"d": HOMES[:-1]})
    assert not in_source(item, {})
    assert not in_source(Evidence(**(item | {"start": -5})), {"d": HOMES})
    assert not in_source(Evidence(**(item | {"end": 0, "quote": ""})), {"d": HOMES})
