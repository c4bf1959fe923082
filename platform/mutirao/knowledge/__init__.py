"""The knowledge base as the control plane keeps it; parsing, embeddings and Chroma are the agents' part."""

from mutirao.knowledge.store import KnowledgeStore

__all__ = ["KnowledgeStore"]
