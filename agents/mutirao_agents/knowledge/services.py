"""What the knowledge base of a worker process is made of, opened once."""

from dataclasses import dataclass
from uuid import UUID

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.knowledge import KnowledgeStore
from mutirao.settings import Settings

from mutirao_agents.knowledge.embeddings import Embeddings, embeddings
from mutirao_agents.knowledge.index import ChromaIndex
from mutirao_agents.knowledge.retrieve import KnowledgeBase


@dataclass(frozen=True)
class KnowledgeServices:
    """Shared by all jobs of a process; nothing is loaded or connected before its first use."""

    settings: Settings
    store: KnowledgeStore
    embeddings: Embeddings
    index: ChromaIndex

    @classmethod
    def open(cls, settings: Settings, db: Database, blobs: BlobStore) -> "KnowledgeServices":
        model = embeddings(settings.model.embeddings)
        return cls(settings, KnowledgeStore(db, blobs), model, ChromaIndex(settings.stack.chroma_url, model.name))

    def of_project(self, project_id: UUID) -> KnowledgeBase:
        """The knowledge of one project."""
        return KnowledgeBase(project_id, self.store, self.embeddings, self.index, self.settings.knowledge)
