"""Sends what webhooks are to be told, in the worker's main process: no code of users runs here, and a killed worker's
messages are sent by another one."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

import httpx
import orjson
from mutirao import __version__
from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.deliveries import DeliveryStore, Taken, receiver
from mutirao.errors import AddressRefused, NoSecretKey
from mutirao.jobs.channels import WEBHOOKS_CHANNEL
from mutirao.logs import logger
from mutirao.outbound import Outbound, OutboundClient, reason
from mutirao.secrets_box import SecretsBox
from mutirao.settings import Settings
from mutirao.webhooks import Keys
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook as Signer

_log = logger("webhooks")
_LOOK_SECONDS = 2.0
_FORGET_SECONDS = 600.0
_ERROR_CHARS = 200


class Sender:
    """At most MUTIRAO_WEBHOOK_CONCURRENCY calls at once, a quarter of them to one receiver: a slow one holds up no other."""

    def __init__(self, db: Database, settings: Settings, *, beside: Notices | None = None) -> None:
        webhooks = settings.webhooks
        self._deliveries = DeliveryStore(db, webhooks)
        self._box = SecretsBox(webhooks.secret_key)
        self._client = OutboundClient(
            Outbound(webhooks.outbound_allow), seconds=webhooks.outbound_seconds, most_bytes=webhooks.outbound_bytes
        )
        self._notices = Notices(db.url, WEBHOOKS_CHANNEL, beside=beside)
        self._slots = webhooks.webhook_concurrency
        self._keep_days = settings.retention.keep_events_days
        self._calls: dict[asyncio.Task[None], str] = {}
        self._wake = asyncio.Event()
        self._forgotten = 0.0

    async def run(self) -> None:
        """Send until cancelled; what is under way then is due again in a moment."""
        await self._notices.start()
        try:
            async with self._notices.waiting("") as told:
                while True:
                    told.clear()
                    more = await self._guarded()
                    if not more:
                        await self._until(told)
        finally:
            await self._notices.stop()
            await self.close()

    async def once(self) -> int:
        """Begin to send what is due and there is room for; how many that are."""
        free = self._slots - len(self._calls)
        if free <= 0:
            return 0
        busy = Counter(self._calls.values())
        full = [name for name, calls in busy.items() if calls >= self._deliveries.each]
        taken = await self._deliveries.take(free, full=full, signed=self._box.usable)
        for delivery in taken:
            task = asyncio.create_task(self._send(delivery))
            self._calls[task] = receiver(delivery.url)
            task.add_done_callback(self._done)
        return len(taken)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._calls:
            await asyncio.wait([*self._calls])

    async def close(self) -> None:
        """End every call, and the client."""
        calls = [*self._calls]
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._client.close()

    async def _guarded(self) -> int:
        try:
            if self._keep_days and time.monotonic() - self._forgotten > _FORGET_SECONDS:
                self._forgotten = time.monotonic()
                await self._deliveries.forget(self._keep_days)
            return await self.once()
        except (SQLAlchemyError, OSError) as error:
            _log.warning("webhooks.database_error", error=str(error))
            await asyncio.sleep(_LOOK_SECONDS)
            return 0

    async def _until(self, told: asyncio.Event) -> None:
        """Until there may be more to do: something is new, a slot is free, or what was put off is due."""
        self._wake.clear()
        waits = [asyncio.create_task(told.wait()), asyncio.create_task(self._wake.wait())]
        try:
            await asyncio.wait(waits, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._calls[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            _log.warning("webhooks.not_recorded", error=str(error))  # it is due again by itself

    async def _send(self, taken: Taken) -> None:
        began = time.monotonic()
        status, error, final = None, None, False
        try:
            headers, body = self._message(taken)
            answer = await self._client.post(taken.url, body, headers)
            status = answer.status
            if not 200 <= status < 300:
                error = f"HTTP {status} {answer.text[:_ERROR_CHARS]}".strip().replace("\0", "")
        except AddressRefused as refused:
            error, final = str(refused), True
        except NoSecretKey as missing:
            error = str(missing)
        except (httpx.HTTPError, TimeoutError, OSError, ValueError) as failure:
            error = reason(failure)["error"]
        milliseconds = round((time.monotonic() - began) * 1000)
        state = await self._deliveries.record(taken, status=status, error=error, milliseconds=milliseconds, final=final)
        _log.info("webhooks.sent", delivery=str(taken.id), attempt=taken.attempts, status=status, state=state.value)

    def _message(self, taken: Taken) -> tuple[dict[str, str], bytes]:
        """Headers and body as Standard Webhooks has them. What a job tells its own webhook is not signed: whoever may
        submit says what that is, and where it goes."""
        now = datetime.now(UTC)
        told = taken.payload if "run_id" not in taken.payload else taken.payload | {"webhook_sent_at": now.isoformat()}
        body = orjson.dumps(told)
        message = f"msg_{taken.id.hex}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Mutirao/{__version__}",
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if taken.secret is not None and taken.signed_by is not None:
            valid = Keys(self._box, taken.signed_by).valid(taken.secret, now.timestamp())
            signatures = [Signer(secret).sign(message, now, body.decode()) for secret in valid]
            headers["webhook-signature"] = " ".join(signatures)
        return headers, body
