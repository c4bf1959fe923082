import re

try:
    from mutirao_agents.knowledge.sentences import sentence_spans
except ModuleNotFoundError:

    def sentence_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
        spans = []
        place = start
        pattern = re.compile(r"(?<=[.!?])[\"”’)]?\s+(?=[\"“(]?[A-ZÀ-Ý0-9*_])|\n\s*\n|\n(?=[-*#|>]|\d+\. )")
        for match in [*pattern.finditer(text, start, end), None]:
            stop = match.start() if match else end
            if match and re.search(r"\b(?:Dra?|Mrs?|Ms|Sra?|art|approx|No|Fig|[A-Z])\.$", text[place:stop]):
                continue
            piece = text[place:stop]
            if piece.strip():
                lead = len(piece) - len(piece.lstrip())
                spans.append((place + lead, place + len(piece.rstrip())))
            place = match.end() if match else end
        return spans


__all__ = ["sentence_spans"]
