"""The knowledge base's rows: collections, documents, chunks, and keyword search over them.

Parsing, embeddings, Chroma and fused retrieval are in `mutirao_agents.knowledge`.
"""

from mutirao.knowledge.store import KnowledgeStore

__all__ = ["KnowledgeStore"]
