"""What changes in the project, live: for pages that show lists."""

from fastapi import APIRouter, Response

from mutirao.api.frames import FrameStream
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices

router = APIRouter(prefix="/changes", tags=["changes"])


@router.get("", status_code=200, response_class=FrameStream, responses=responses(401))
async def follow_changes(services: HasServices, caller: Caller) -> Response:
    """What changes in the project as server-sent events, without an end and without a past.

    First `hello` (`{"at"}`, the server's time): read your lists then; nothing that changes later is missed. `jobs` has
    those whose row or journal has changed, as lists show them but without input and output: `{"jobs": [...],
    "deleted": []}`, each once, at most 500, five times a second at most. `many` (`{}`) stands for more than can be told:
    read your lists again. `approvals` (`{"pending"}`) comes behind `hello` and when another number of approvals waits.
    """
    idle = services.settings.api.stream_heartbeat_seconds
    return FrameStream(services.changes.follow(caller.project_id, idle_seconds=idle))
