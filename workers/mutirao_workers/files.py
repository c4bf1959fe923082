"""The artifact store as a running job sees it."""

from uuid import UUID

from mutirao.artifacts import BlobStore
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim
from mutirao.uploads import Uploads
from mutirao_agents.context import ArtifactRef, Emit

from mutirao_workers.steady import steadily


class JobFiles:
    """Artifacts of one attempt, and files its input names. Implements `mutirao_agents.context.Files`."""

    def __init__(self, claim: Claim, blobs: BlobStore, claims: ClaimStore, uploads: Uploads, emit: Emit) -> None:
        self._claim = claim
        self._blobs = blobs
        self._claims = claims
        self._uploads = uploads
        self._emit = emit

    async def put(self, name: str, data: bytes, media_type: str) -> ArtifactRef:
        """Store an artifact of this job; the same name again replaces it. Raises StorageFull, LeaseLost."""
        sha256 = await self._blobs.put(data)
        await steadily(lambda: self._claims.put_artifact(self._claim, name, media_type, len(data), sha256))
        artifact = ArtifactRef(name=name, media_type=media_type, size=len(data), sha256=sha256)
        self._emit("artifact", {"name": name, "media_type": media_type, "size": len(data), "sha256": sha256})
        return artifact

    async def read_upload(self, upload_id: UUID) -> tuple[str, bytes]:
        """Name and content of an uploaded file of this project. Raises NotFound."""
        upload = await steadily(lambda: self._uploads.get(self._claim.project_id, upload_id))
        return upload.name, await self._blobs.read(upload.sha256)

    async def read_blob(self, sha256: str) -> bytes:
        """Content of the artifact store by its hash. Raises NotFound."""
        return await self._blobs.read(sha256)
