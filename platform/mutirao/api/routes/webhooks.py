"""Webhooks: where a project is told of what happens, and the log of what was sent."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from mutirao.api import pages
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.audit_rows import record
from mutirao.deliveries import Delivery, DeliveryState
from mutirao.webhooks import NewWebhook, Webhook, WebhookWithSecret

router = APIRouter(tags=["webhooks"])

_EXAMPLE: JsonDict = {"name": "chat", "url": "https://example.com/hooks", "events": ["job.failed", "approval.*"]}

Name = Annotated[str, Field(max_length=200, description="For people.")]
Url = Annotated[str, Field(min_length=1, max_length=2_000, description="http or https, of a public address.")]
Events = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]],
    Field(min_length=1, max_length=50, description="Types of events: `job.succeeded`, `job.*`, `approval.*`, `*`."),
]
State = Annotated[DeliveryState | None, Query(description="Only those in this state.")]
EventType = Annotated[str | None, Query(alias="event", max_length=100, description="Only those of this event.")]


class WebhookRequest(BaseModel):
    """A webhook to keep. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    name: Name = ""
    url: Url
    events: Events
    enabled: bool = True


class WebhookChanges(BaseModel):
    """What to change of a webhook; what is left out or null stays. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"enabled": False}})

    name: Name | None = None
    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = Field(None, description="false: nothing more is written for it, and what waits has failed.")


class RotateRequest(BaseModel):
    """How to change the secret. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    keep_seconds: float = Field(
        0, ge=0, le=30 * 86_400, description="So long messages are signed with the old secret as well."
    )


class WebhookPage(BaseModel):
    """Webhooks, newest first."""

    webhooks: list[Webhook]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


class DeliveryPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("/webhooks", status_code=201, responses=responses(401, 413, 422, 503))
async def add_webhook(
    request: WebhookRequest, response: Response, services: HasServices, caller: Caller
) -> WebhookWithSecret:
    """Keep a webhook. The answer has the secret its messages are signed with; it is not shown again."""
    new = NewWebhook.model_validate(request.model_dump())
    await services.limits.check("max_webhooks", caller.project_id)
    webhook = await services.webhooks.add(caller.project_id, new)
    await _audit(services, caller, "webhook.create", webhook.id, {"url": webhook.url, "events": webhook.events})
    response.headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    tag(response, webhook.revision)
    return webhook


@router.get("/webhooks", responses=responses(401, 422))
async def list_webhooks(services: HasServices, caller: Caller, cursor: Cursor = None, limit: Limit = 50) -> WebhookPage:
    """Webhooks of the project, newest first."""
    before = pages.read_cursor(cursor)
    rows, following = pages.cut(await services.webhooks.page(caller.project_id, before=before, limit=limit + 1), limit)
    return WebhookPage(webhooks=rows, next=following)


@router.get("/webhooks/{webhook_id}", responses=responses(401, 404, 422))
async def get_webhook(webhook_id: UUID, response: Response, services: HasServices, caller: Caller) -> Webhook:
    """One webhook, without its secret."""
    webhook = await services.webhooks.get(caller.project_id, webhook_id)
    tag(response, webhook.revision)
    return webhook


@router.patch("/webhooks/{webhook_id}", responses=responses(401, 404, 412, 413, 422))
async def change_webhook(
    webhook_id: UUID,
    request: WebhookChanges,
    response: Response,
    services: HasServices,
    caller: Caller,
    expected: Expected,
) -> Webhook:
    """Change a webhook, or switch it off and on."""
    changes = request.model_dump(exclude_none=True)
    webhook = await services.webhooks.change(caller.project_id, webhook_id, changes, revision=expected)
    await _audit(services, caller, "webhook.change", webhook_id, changes)
    tag(response, webhook.revision)
    return webhook


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=responses(401, 404, 412, 422))
async def delete_webhook(webhook_id: UUID, services: HasServices, caller: Caller, expected: Expected) -> Response:
    """Delete a webhook with its deliveries."""
    await services.webhooks.delete(caller.project_id, webhook_id, revision=expected)
    await _audit(services, caller, "webhook.delete", webhook_id, {})
    return Response(status_code=204)


@router.post("/webhooks/{webhook_id}/test", status_code=202, responses=responses(401, 404, 422))
async def test_webhook(webhook_id: UUID, services: HasServices, caller: Caller) -> Delivery:
    """Send a message of type `webhook.test`; what becomes of it is in its deliveries."""
    return await services.deliveries.test(caller.project_id, webhook_id)


@router.post("/webhooks/{webhook_id}/rotate", responses=responses(401, 404, 413, 422, 503))
async def rotate_webhook(
    webhook_id: UUID,
    response: Response,
    services: HasServices,
    caller: Caller,
    request: RotateRequest | None = None,
) -> WebhookWithSecret:
    """Another secret, shown this once."""
    keep = request.keep_seconds if request else 0
    webhook = await services.webhooks.rotate(caller.project_id, webhook_id, keep_seconds=keep)
    await _audit(services, caller, "webhook.rotate", webhook_id, {"keep_seconds": keep})
    tag(response, webhook.revision)
    return webhook


@router.get("/webhooks/{webhook_id}/deliveries", responses=responses(401, 404, 422))
async def list_deliveries_of_webhook(
    webhook_id: UUID,
    services: HasServices,
    caller: Caller,
    state: State = None,
    event: EventType = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """What was or will be sent to a webhook, newest first, with every try."""
    await services.webhooks.get(caller.project_id, webhook_id)
    before = pages.read_cursor(cursor)
    found = await services.deliveries.page(
        caller.project_id, webhook=webhook_id, state=state, event=event, before=before, limit=limit + 1
    )
    rows, following = pages.cut(found, limit)
    return DeliveryPage(deliveries=rows, next=following)


@router.get("/deliveries", responses=responses(401, 422))
async def list_deliveries(
    services: HasServices,
    caller: Caller,
    state: State = None,
    event: EventType = None,
    job: Annotated[UUID | None, Query(description="Only those about this job.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """Deliveries of the project, those of jobs' own webhooks included, newest first."""
    before = pages.read_cursor(cursor)
    found = await services.deliveries.page(
        caller.project_id, job=job, state=state, event=event, before=before, limit=limit + 1
    )
    rows, following = pages.cut(found, limit)
    return DeliveryPage(deliveries=rows, next=following)


@router.get("/deliveries/{delivery_id}", responses=responses(401, 404, 422))
async def get_delivery(delivery_id: UUID, services: HasServices, caller: Caller) -> Delivery:
    """One delivery, with its payload and its tries."""
    return await services.deliveries.get(caller.project_id, delivery_id)


@router.post("/deliveries/{delivery_id}/replay", status_code=202, responses=responses(401, 404, 422))
async def replay_delivery(delivery_id: UUID, services: HasServices, caller: Caller) -> Delivery:
    """Send it again with the same `webhook-id`, to the present URL of its webhook."""
    delivery = await services.deliveries.replay(caller.project_id, delivery_id)
    await _audit(services, caller, "delivery.replay", delivery_id, {})
    return delivery


async def _audit(services: HasServices, caller: Caller, action: str, resource_id: UUID, data: dict[str, Any]) -> None:
    async with services.db.autocommit() as connection:
        await record(connection, caller.project_id, caller.actor, action, resource_id, data)
