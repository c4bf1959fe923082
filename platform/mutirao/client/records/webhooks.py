"""Webhooks and their deliveries."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Record


class Webhook(Record):
    """Where to tell of events."""

    id: UUID
    name: str
    url: str
    events: list[str]
    enabled: bool
    revision: int
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    """A webhook that was made or has a new secret."""

    secret: str = Field(repr=False, description="What messages are signed with: it is shown this once.")


class DeliveryState(StrEnum):
    """How far a message is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Try(Record):
    """One try to deliver."""

    at: datetime
    status: int | None = None
    milliseconds: int
    error: str | None = None


class Delivery(Record):
    """A message to a URL, and what became of it."""

    id: UUID
    webhook_id: UUID | None = None
    job_id: UUID | None = None
    event: str
    url: str
    payload: dict[str, Any]
    state: DeliveryState
    attempts: int
    tries: list[Try]
    next_at: datetime | None = None
    created_at: datetime
    delivered_at: datetime | None = None
