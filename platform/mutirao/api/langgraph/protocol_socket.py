"""One WebSocket of the thread protocol: commands, their answers, and the events of its subscriptions, in one order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from mutirao.api.gate import OPENED, check_streams
from mutirao.api.langgraph.protocol_commands import BEGIN, Commands, answered
from mutirao.api.langgraph.protocol_events import Filter, agents, dump, told
from mutirao.api.langgraph.protocol_messages import Command, CommandError, Done, Namespace, Refused
from mutirao.api.open_requests import OpenRequest, caller_of
from mutirao.api.scopes import Class
from mutirao.api.services import Services
from mutirao.ids import new_id
from mutirao.jobs.thread_journal import ThreadEvent
from mutirao.keys import Identity
from mutirao.logs import logger

_log = logger("protocol")
_MOST_SUBSCRIPTIONS = 100
_MOST_NAMESPACES = 1000
_FAILED = {"type": "error", "id": None, "error": "unknown_error", "message": "the thread's events cannot be read"}


class _Subscribe(BaseModel):
    model_config = ConfigDict(extra="ignore")

    channels: list[Annotated[str, Field(max_length=200)]]
    namespaces: list[Namespace] | None = Field(None, max_length=_MOST_NAMESPACES)
    depth: int | None = Field(None, ge=0)
    since: int | None = Field(None, ge=-1, lt=1 << 63)


class _Unsubscribe(BaseModel):
    subscription_id: str


class _Reconnect(BaseModel):
    run_id: UUID
    last_event_id: str | None = None
    subscriptions: list[str] = Field(default_factory=list, max_length=_MOST_SUBSCRIPTIONS)


@dataclass
class _Subscription:
    """What one subscription wants, and the task that reads it."""

    wanted: Filter
    task: "asyncio.Task[None]"


class Socket:
    """Serves one connection to its end.

    An event that several subscriptions want comes once for each of them: one that begins late is told again what the
    others know. A client that reads slowly slows down its own subscriptions and nothing else.
    """

    def __init__(self, websocket: WebSocket, services: Services, caller: Identity, thread_id: UUID) -> None:
        self._websocket = websocket
        self._services = services
        self._opened: OpenRequest = websocket.scope[OPENED]
        self._streams = services.thread_streams
        self._commands = Commands(services, self._streams.journal, caller, thread_id)
        self._caller = caller
        self._thread_id = thread_id
        self._subscriptions: dict[str, _Subscription] = {}
        self._sending = asyncio.Lock()
        self._methods = {
            "subscription.subscribe": self._subscribe,
            "subscription.unsubscribe": self._unsubscribe,
            "subscription.reconnect": self._reconnect,
        }

    async def serve(self) -> None:
        """Take commands until the client goes away."""
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                raw = message.get("text")
                await self._take(raw if raw is not None else message.get("bytes") or b"")
        except WebSocketDisconnect:
            return
        finally:
            for subscription in self._subscriptions.values():
                subscription.task.cancel()
            await asyncio.gather(*(each.task for each in self._subscriptions.values()), return_exceptions=True)

    async def _take(self, raw: str | bytes) -> None:
        try:
            command = Command.model_validate(orjson.loads(raw))
        except (orjson.JSONDecodeError, ValidationError):
            message = "a command is JSON and has an integer `id` and a `method`"
            await self._send(Refused(id=None, error="invalid_argument", message=message).model_dump())
            return
        carry_out = self._methods.get(command.method)
        answer = await answered(command, self._counted(carry_out or self._commands.carry_out))
        if carry_out is None or isinstance(answer, Refused):
            await self._answer(answer)

    def _counted(self, carry_out: Callable[[Command], Awaitable[Done]]) -> Callable[[Command], Awaitable[Done]]:
        """The same, for a command that counts as a request over HTTP does."""

        async def counted(command: Command) -> Done:
            kind = Class.SUBMIT if command.method in BEGIN else Class.READ
            await self._services.rate_limits.take(str(caller_of(self._caller)), kind)
            return await carry_out(command)

        return counted

    async def _answer(self, answer: Done | Refused) -> None:
        await self._send(answer.model_dump(exclude_none=True, mode="json"))

    async def _subscribe(self, command: Command) -> Done:
        params = _Subscribe.model_validate(command.params)
        wanted = Filter.of(params.channels, params.namespaces, params.depth)
        if len(self._subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise CommandError("invalid_argument", f"a connection has at most {_MOST_SUBSCRIPTIONS} subscriptions")
        check_streams(self._services, self._opened)
        name = str(new_id())
        done = Done(id=command.id, result={"subscription_id": name})
        await self._answer(done)  # before its first event, or the client would not know whose that is
        self._begin(name, wanted, params.since)
        return done

    def _begin(self, name: str, wanted: Filter, since: int | None) -> None:
        self._opened.streams += 1
        task = asyncio.create_task(self._tell(wanted, since), name=f"subscription:{name}")
        self._subscriptions[name] = _Subscription(wanted, task)

    async def _unsubscribe(self, command: Command) -> Done:
        await self._end(_Unsubscribe.model_validate(command.params).subscription_id)
        done = Done(id=command.id, result={})
        await self._answer(done)
        return done

    async def _end(self, name: str) -> _Subscription:
        subscription = self._subscriptions.pop(name, None)
        if subscription is None:
            raise CommandError("no_such_subscription", f"this connection has no subscription {name[:80]!r}")
        self._opened.streams -= 1
        subscription.task.cancel()
        await asyncio.gather(subscription.task, return_exceptions=True)
        return subscription

    async def _reconnect(self, command: Command) -> Done:
        """Tell the subscriptions of this connection again from an event on."""
        params = _Reconnect.model_validate(command.params)
        since = _seq_of(params.last_event_id)
        known = [name for name in dict.fromkeys(params.subscriptions) if name in self._subscriptions]
        filters = [self._subscriptions[name].wanted for name in known]
        missed = 0

        def look(event: ThreadEvent) -> None:
            nonlocal missed
            missed += event.seq > since and any(wanted.wants(told(event)) for wanted in filters)

        root = await self._commands.tree(params.run_id, look)
        for name in known:
            await self._end(name)
        result: dict[str, Any] = {
            "restored": len(known) == len(params.subscriptions),
            "missed_events": missed,
            "current_namespaces": list(agents(root)),
        }
        done = Done(id=command.id, result=result)
        await self._answer(done)
        for name, wanted in zip(known, filters, strict=True):
            self._begin(name, wanted, since)
        return done

    async def _tell(self, wanted: Filter, since: int | None) -> None:
        try:
            async with aclosing(
                self._streams.follow(self._caller.project_id, self._thread_id, wanted, since)
            ) as events:
                async for event in events:
                    if event is not None:
                        await self._send(event)
        except (WebSocketDisconnect, RuntimeError):
            return  # the client has gone, which `serve` is told, too
        except Exception as error:  # noqa: BLE001 (said to the client, which nothing else would tell)
            _log.warning("protocol.stream_failed", thread=str(self._thread_id), error=repr(error))
            await self._send(_FAILED)
            await self._websocket.close(code=1011)

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            await self._websocket.send_text(dump(message).decode())


def _seq_of(event_id: str | None) -> int:
    """The number in an event's id; -1: from the beginning."""
    digits = (event_id or "").rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else -1
