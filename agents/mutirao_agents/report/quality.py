"""The quality report: counted from the finished prose, not from the plan."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mutirao_agents.evidence import Evidence
from mutirao_agents.report.citations import cited_ids
from mutirao_agents.report.prose import Origin, Outcome, Prose, faults
from mutirao_agents.text.numbers import digits


def quality(
    prose: Prose, evidence: Mapping[str, Evidence], moved: list[str], spent: Mapping[str, Any]
) -> dict[str, Any]:
    """What a report is made of, and what was wrong on the way.

    Args:
        moved: ids of evidence that was left out because it was not found at its offset any more.
        spent: the model calls made.
    """
    outcomes = Counter(entry["outcome"] for entry in prose["written"])
    origins = Counter(entry["origin"] for entry in prose["sentences"])
    cited = cited_ids(prose)
    return {
        "sentences": len(prose["sentences"]),
        "sentences_by_model": origins[Origin.MODEL],
        "sentences_quoted": origins[Origin.QUOTE],
        "sentences_cited": sum(bool(entry["citations"]) for entry in prose["sentences"]),
        "numbers": sum(sum(digits(entry["text"]).values()) for entry in prose["sentences"]),
        "model_wrote": len(prose["written"]),
        "model_kept": outcomes[Outcome.KEPT],
        "model_replaced": outcomes[Outcome.REPLACED],
        "model_dropped": outcomes[Outcome.DROPPED],
        "reasons": dict(Counter(reason for entry in prose["written"] for reason in entry["reasons"])),
        "evidence_cited": len(cited),
        "documents_cited": len({evidence[name]["document_id"] for name in cited}),
        "quotes_not_at_their_offset": moved,
        "faults": faults(prose, evidence),
        "model": {name: value for name, value in spent.items() if name != "seconds"},  # the same report, the same file
        "written": [dict(entry) for entry in prose["written"]],
    }
