"""Uploads: files a job takes as input, stored before the job is submitted."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Record

_ADD = text("""
INSERT INTO uploads (id, project_id, name, media_type, size, sha256)
VALUES (:id, :project_id, :name, :media_type, :size, :sha256)
RETURNING id, name, media_type, size, sha256, created_at""")

_GET = text("""
SELECT id, name, media_type, size, sha256, created_at FROM uploads WHERE id = :id AND project_id = :project_id""")


class Upload(Record):
    """A stored file: `size` in bytes, `sha256` in hex."""

    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime


class Uploads:
    """Every verb on uploads."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def add(self, project_id: UUID, *, name: str, media_type: str, size: int, sha256: str) -> Upload:
        """Name a blob as an upload of the project."""
        values = {
            "id": new_id(),
            "project_id": project_id,
            "name": name,
            "media_type": media_type,
            "size": size,
            "sha256": sha256,
        }
        async with self.db.autocommit() as connection:
            return Upload.model_validate(dict((await connection.execute(_ADD, values)).mappings().one()))

    async def get(self, project_id: UUID, upload_id: UUID) -> Upload:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GET, {"id": upload_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise NotFound(f"no upload {str(upload_id)!r} in this project")
        return Upload.model_validate(dict(row))
