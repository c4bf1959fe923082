"""The knowledge base as the control plane keeps it. Parsing, embeddings and Chroma are in `mutirao_agents.knowledge`."""

from mutirao.knowledge.store import KnowledgeStore

__all__ = ["KnowledgeStore"]
