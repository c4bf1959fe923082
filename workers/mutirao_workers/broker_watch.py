"""Notices that Celery has stopped consuming although its broker is there.

After some failures of the broker's connection a consumer lives on and is deaf. So the worker sends itself a probe
through its own queue now and then; one that does not come back, while the broker answers, means that.
"""

import threading
from collections.abc import Callable
from uuid import UUID

import redis
from mutirao.hints import HintSender
from mutirao.logs import logger

_log = logger("broker")
_MOST_MISSED = 3
_PING_SECONDS = 2.0


def probe_queue(worker_name: str) -> str:
    """The queue of a worker's own probes. It goes with the name: what a dead worker has left there its successor reads."""
    return f"mutirao.probe.{worker_name}"


class BrokerWatch:
    """A thread that probes every `seconds`; `on_deaf` is called once, when several probes in a row have been lost while
    the broker answered."""

    def __init__(
        self, redis_url: str, worker_name: str, token: UUID, seconds: float, on_deaf: Callable[[], None]
    ) -> None:
        self.token = token
        self._queue = probe_queue(worker_name)
        self._seconds = seconds
        self._on_deaf = on_deaf
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=_PING_SECONDS, socket_connect_timeout=_PING_SECONDS
        )
        self._hints = HintSender(redis_url)
        self._heard = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def heard(self) -> None:
        """A probe has come back. May be called from any thread."""
        self._heard.set()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=_PING_SECONDS)
        self._hints.close()
        self._redis.close()

    def _run(self) -> None:
        missed = 0
        while missed < _MOST_MISSED:
            self._heard.clear()
            answered = self._answers()
            if answered:
                self._hints.send(self._queue, self.token)
            if self._ended.wait(self._seconds):
                return
            # A broker that is away, or has just come back, says nothing about the consumer.
            missed = 0 if self._heard.is_set() or not (answered and self._answers()) else missed + 1
        _log.error("broker.consumer_deaf", queue=self._queue, missed=missed)
        self._on_deaf()

    def _answers(self) -> bool:
        try:
            return bool(self._redis.ping())
        except (redis.RedisError, OSError):
            return False
