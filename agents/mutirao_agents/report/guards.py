"""Words on which the truth of a sentence hangs: leaving one out, or putting one in, says something else."""

from mutirao_agents.text.tokens import Kind, Token

_NEGATIONS = """
    no not never none nobody nothing nowhere neither nor without cannot lack lacks lacked lacking fail fails
    failed deny denies denied refuse refuses refused hardly barely scarcely seldom rarely except unless unable
    impossible false wrong untrue illegal invalid absent excluding exclude excludes excluded excepted exempt
    exempted against não nunca jamais nada ninguém nenhum nenhuma nenhuns nenhumas nem sem tampouco exceto salvo
    menos falta faltam faltou falhou falham nega negam negou recusa recusam recusou impossível falso falsa
    errado errada ausência contra raramente
"""
_APPROXIMATIONS = """
    approximately about around roughly nearly almost circa ca approx estimated some up least most over under
    above below more less fewer than exactly between cerca aproximadamente quase pelo pela máximo mínimo até
    acima abaixo estimado estimada uns umas mais exatamente entre perto média médio
"""
_QUALIFIERS = """
    may might could would should can must will shall ought planned plan plans planning proposed expected expects
    intended intends aims aim goal target scheduled draft provisional promised promises hopes hoped wants if
    when whenever whether while until till before after since during only just merely mainly mostly usually
    often sometimes generally normally partly partially mere many few several all every each any both always
    ever once again still already yet likely unlikely possible possibly probable probably perhaps potential
    potentially reported reportedly alleged allegedly claimed claims claim said says say according believes
    believed thinks thought suggests suggested appears appeared seems seemed assumed assumes former formerly
    previously originally initially temporarily respectively latter another other others same similar so such
    too enough pode podem podia poderia poderiam poder deve devem devia deveria deveriam dever será serão seria
    seriam planejado planejada planejados planejadas prevista previsto previstas previstos prevê preveem
    proposto proposta esperado esperada espera pretende pretendem meta objetivo rascunho provisório provisória
    prometeu promete se caso quando enquanto antes depois desde durante apenas só somente principalmente
    geralmente normalmente às vezes parte parcialmente muito muita muitos muitas pouco pouca poucos poucas
    vários várias todo toda todos todas cada qualquer quaisquer ambos ambas sempre outra vez ainda já provável
    provavelmente talvez possível possivelmente supostamente segundo conforme afirma afirmam disse diz dizem
    alega alegam acredita acreditam parece parecem antigo antiga anteriormente originalmente inicialmente
    temporariamente respectivamente outro outros outras mesmo mesma semelhante assim tão tal bastante
"""
_COMPARISONS = """
    better best worse worst larger largest smaller smallest higher highest lower lowest greater greatest longer
    longest shorter shortest newer newest older oldest first last main sole unique because therefore thus hence
    consequently due cause causes caused thanks melhor melhores pior piores maior maiores menor menores superior
    inferior primeiro primeira último última principal única único porque pois portanto logo consequentemente
    devido causa causou causam graças
"""
NEGATIONS = frozenset(_NEGATIONS.split())
APPROXIMATIONS = frozenset(_APPROXIMATIONS.split())
QUALIFIERS = frozenset(_QUALIFIERS.split()) | frozenset(_COMPARISONS.split())

# Connectives that only link a sentence to the one before it: `ADDING` may be put before a sentence, `LINKING` and
# `ADDING` may be left out before a comma.
_ADDING = "also|additionally|furthermore|moreover|in addition|além disso|também|ademais"
_LINKING = "however|therefore|thus|nevertheless|porém|contudo|entretanto|todavia|portanto|assim|no entanto"
ADDING = frozenset(tuple(phrase.split()) for phrase in _ADDING.split("|"))
LINKING = ADDING | frozenset(tuple(phrase.split()) for phrase in _LINKING.split("|"))

# Words with which a clause between commas says more about a thing without telling which thing is meant.
ASIDES = frozenset({"which", "who", "whose", "including", "que", "cujo", "cuja", "cujos", "cujas", "incluindo"})


def negation(token: Token) -> bool:
    """Whether a token denies."""
    return token.kind is Kind.WORD and (token.norm in NEGATIONS or token.norm.endswith("n't"))


def qualifier(token: Token) -> bool:
    """Whether a token limits, compares, explains or makes uncertain what is said."""
    return token.norm in QUALIFIERS or token.norm in APPROXIMATIONS or token.norm in {"~", "≈", "±", "<", ">", "≤", "≥"}
