"""The sample documents that ship with Mutirão, and what the demo asks of them.

Twelve pages in English and Portuguese on one theme, written for this project and dedicated to the public domain (CC0).
`samples/README.md` says what is true of the world in them and what belongs to a fictional community.
"""

from importlib.resources import files
from pathlib import Path

__all__ = ["DEMO_COLLECTION", "DEMO_TOPIC", "DEMO_WORKFLOW", "sample_documents"]

DEMO_COLLECTION = "baixa-do-umbu"
DEMO_WORKFLOW = "report"
DEMO_TOPIC = "How Baixa do Umbu stores rainwater and composts its food scraps by collective work"

SUFFIXES = frozenset({".md", ".txt"})


def sample_documents() -> list[Path]:
    """Paths of the sample documents, English before Portuguese, by name within a language. All are UTF-8 with LF."""
    root = Path(str(files(__name__) / "documents"))
    return sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
