"""Three numbers for a text: how much it is about the sea, the land and the rest."""


async def embed(texts: list[str]) -> list[list[float]]:
    return [_one(text.lower()) for text in texts]


def _one(text: str) -> list[float]:
    sea = sum(text.count(word) for word in ("sea", "fish", "wave"))
    land = sum(text.count(word) for word in ("land", "tree", "hill"))
    return [float(sea), float(land), 0.1]
