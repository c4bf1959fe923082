"""Templates: which sections a report has, and what each must answer. Data, not code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mutirao_agents.researcher import Question

DEFAULT_TEMPLATE = "research"
DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Section:
    """A section by language: its title and its question, in which `{topic}` stands for the topic.

    `cues` are words of all languages that answers tend to have; `numbers` asks for sentences with figures.
    """

    titles: Mapping[str, str]
    questions: Mapping[str, str]
    cues: str
    numbers: bool = False


_BACKGROUND = Section(
    titles={"en": "Background", "pt": "Contexto"},
    questions={
        "en": "{topic}: what is it, and when and where did it begin?",
        "pt": "{topic}: o que é, e quando e onde começou?",
    },
    cues="began begun begin started start founded created opened origin history called known means definition comes "
    "belongs since community programme começou iniciou início fundada fundado criada criado aberta origem história "
    "chama conhecido significa definição pertence desde comunidade programa",
)
_PRACTICE = Section(
    titles={"en": "How it works", "pt": "Como funciona"},
    questions={
        "en": "{topic}: how does it work in practice, by which steps, rules and methods, and who does what?",
        "pt": "{topic}: como funciona na prática, com que passos, regras e métodos, e quem faz o quê?",
    },
    cues="how works step rule method builds uses takes collects every week month day turned members crew must each "
    "como funciona passo regra método constrói usa leva recolhe toda semana mês dia membros equipe deve cada",
)
_FIGURES = Section(
    titles={"en": "Facts and figures", "pt": "Números e fatos"},
    questions={
        "en": "{topic}: what are the amounts, costs, sizes and shares?",
        "pt": "{topic}: quais são as quantidades, os custos, os tamanhos e as proporções?",
    },
    cues="total average mean cost costs price percent share amount number households litres tonnes hours together "
    "total média custo custa preço porcento parte quantidade número famílias litros toneladas horas juntas",
    numbers=True,
)
_RESULTS = Section(
    titles={"en": "Results", "pt": "Resultados"},
    questions={
        "en": "{topic}: what results, effects or benefits were found or reached?",
        "pt": "{topic}: que resultados, efeitos ou benefícios foram encontrados ou alcançados?",
    },
    cues="result effect benefit improved reduced reduces increased fell rose saved produced reached found learned "
    "resultado efeito benefício melhorou reduziu reduz aumentou caiu subiu economizou produziu alcançou achamos",
)
_LIMITS = Section(
    titles={"en": "Limits and open questions", "pt": "Limites e questões em aberto"},
    questions={
        "en": "{topic}: what are the limits, problems and risks, and what is not known or not reached?",
        "pt": "{topic}: quais são os limites, problemas e riscos, e o que não se sabe ou não foi alcançado?",
    },
    cues="not never cannot limit problem risk lack without missed failed difficult less wrong unknown refused none "
    "não nunca limite problema risco falta sem faltou falhou difícil menos errado desconhecido recusado nenhum",
)

TEMPLATES: Mapping[str, Sequence[Section]] = {
    "research": (_BACKGROUND, _PRACTICE, _FIGURES, _RESULTS, _LIMITS),
    "summary": (_BACKGROUND, _FIGURES, _RESULTS),
}


def questions(template: str, topic: str, language: str) -> list[Question]:
    """The questions of a template on a topic, in a language (English where the template does not speak it); `also` has
    them in the other languages of the template."""
    asked = []
    for section in TEMPLATES[template]:
        spoken = language if language in section.titles else DEFAULT_LANGUAGE
        asked.append(
            Question(
                section=section.titles[spoken],
                question=section.questions[spoken].replace("{topic}", topic),
                cues=section.cues.split(),
                numbers=section.numbers,
                also=[text.replace("{topic}", topic) for code, text in section.questions.items() if code != spoken],
            )
        )
    return asked
