"""What the knowledge base of a worker process is made of, opened once."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.knowledge import KnowledgeStore
from mutirao.settings import Settings

from mutirao_agents.knowledge.chroma import Chroma
from mutirao_agents.knowledge.embeddings import Embeddings, embeddings
from mutirao_agents.knowledge.index import VectorIndex
from mutirao_agents.knowledge.retrieve import KnowledgeBase, Texts

_READERS = 2


@dataclass(frozen=True)
class KnowledgeServices:
    """Shared by all jobs of a process; nothing is loaded or connected before its first use."""

    settings: Settings
    store: KnowledgeStore
    embeddings: Embeddings
    chroma: Chroma
    index: VectorIndex
    texts: Texts = field(default_factory=Texts)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))

    @classmethod
    def open(cls, settings: Settings, db: Database, blobs: BlobStore) -> "KnowledgeServices":
        """Wire the services by the settings. Raises SettingsInvalid (an unusable `MUTIRAO_EMBEDDINGS`)."""
        store, chroma, model = KnowledgeStore(db, blobs), Chroma(settings.stack.chroma_url), embeddings(settings.model)
        return cls(settings, store, model, chroma, VectorIndex(chroma, model, store))

    def of_project(self, project_id: UUID) -> KnowledgeBase:
        """The knowledge of one project."""
        return KnowledgeBase(
            project_id=project_id,
            store=self.store,
            embeddings=self.embeddings,
            index=self.index,
            settings=self.settings.knowledge,
            texts=self.texts,
            readers=self.readers,
        )

    async def close(self) -> None:
        """Stop repairs, close connections and threads. The database is its owner's to close."""
        await self.index.close()
        await self.chroma.close()
        self.embeddings.close()
