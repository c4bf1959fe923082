"""Verbs on webhooks and deliveries."""

from collections.abc import Iterable, Sequence
from types import NoneType
from typing import TypedDict, Unpack
from uuid import UUID

from mutirao.client.records import Delivery, Webhook, WebhookWithSecret
from mutirao.client.verbs import Sent, Verbs, listing, verb


class WebhookChanges(TypedDict, total=False):
    """What may be changed of a webhook."""

    url: str
    events: Sequence[str]
    name: str
    enabled: bool


class WebhookVerbs(Verbs):
    """Verbs on whom to tell of events. Each on one raises NotFound."""

    @listing("/webhooks", Webhook, "webhooks")
    def webhooks(self, limit: int | None = None) -> Sent:
        """Webhooks of the project, newest first."""
        return Sent(limit=limit)

    @verb("GET /webhooks/{webhook_id}", Webhook)
    def webhook(self, webhook_id: UUID | str) -> Sent:
        """One webhook."""
        return Sent()

    @verb("POST /webhooks", WebhookWithSecret)
    def add_webhook(self, url: str, events: Iterable[str], *, name: str | None = None, enabled: bool = True) -> Sent:
        """Tell a URL of events; the secret that signs the messages is shown this once.

        Raises:
            AddressRefused: nothing may be sent there.
            NoSecretKey: MUTIRAO_SECRET_KEY is not set.
        """
        given = {} if name is None else {"name": name}
        return Sent(body={"url": url, "events": list(events), "enabled": enabled, **given})

    @verb("PATCH /webhooks/{webhook_id}", Webhook)
    def change_webhook(
        self, webhook_id: UUID | str, *, revision: int | None = None, **changes: Unpack[WebhookChanges]
    ) -> Sent:
        """Change what is given: url, events, name, enabled.

        Raises:
            PreconditionFailed: it is not the `revision` any more.
        """
        return Sent(body={**changes}, revision=revision)

    @verb("DELETE /webhooks/{webhook_id}", NoneType)
    def delete_webhook(self, webhook_id: UUID | str, *, revision: int | None = None) -> Sent:
        """Delete a webhook. Raises PreconditionFailed."""
        return Sent(revision=revision)

    @verb("POST /webhooks/{webhook_id}/rotate", WebhookWithSecret)
    def rotate_webhook(self, webhook_id: UUID | str, keep_seconds: float | None = None) -> Sent:
        """A new secret; the old one signs as well for `keep_seconds`."""
        return Sent(body={} if keep_seconds is None else {"keep_seconds": keep_seconds})

    @verb("POST /webhooks/{webhook_id}/test", Delivery)
    def test_webhook(self, webhook_id: UUID | str) -> Sent:
        """Send a message that says no more than that it is a test."""
        return Sent()

    # Deliveries

    @listing("/deliveries", Delivery, "deliveries")
    def deliveries(
        self,
        limit: int | None = 50,
        *,
        state: str | None = None,
        event: str | None = None,
        job_id: UUID | str | None = None,
    ) -> Sent:
        """Messages of the project, newest first."""
        return Sent(query={"state": state, "event": event, "job": job_id}, limit=limit)

    @listing("/webhooks/{webhook_id}/deliveries", Delivery, "deliveries")
    def deliveries_of(
        self, webhook_id: UUID | str, limit: int | None = 50, *, state: str | None = None, event: str | None = None
    ) -> Sent:
        """Messages of one webhook, newest first."""
        return Sent(query={"state": state, "event": event}, limit=limit)

    @verb("GET /deliveries/{delivery_id}", Delivery)
    def delivery(self, delivery_id: UUID | str) -> Sent:
        """One message, with every try to deliver it."""
        return Sent()

    @verb("POST /deliveries/{delivery_id}/replay", Delivery)
    def replay_delivery(self, delivery_id: UUID | str) -> Sent:
        """Send a message once more."""
        return Sent()
