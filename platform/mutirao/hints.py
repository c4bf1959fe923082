"""Hints: "this job may be claimed", sent to the workers' Celery queue after the job is committed.

A hint carries nothing but jobs' ids and may be lost: workers also look for queued jobs by themselves. So sending
never fails a request and never makes it wait: a thread sends, and drops what it cannot send.
"""

import queue
import threading
import time
from uuid import UUID, uuid4

from kombu import Connection, Producer

from mutirao.logs import logger

TASK_NAME = "mutirao.hint"
_MOST_WAITING = 100_000
_BACK_OFF_SECONDS = (0.1, 0.5, 2.0, 5.0)
# Between two messages: what comes meanwhile goes in one. The more comes, the longer: who sends much waits for a worker
# that is busy anyway, and each message costs both sides as much as a good part of a job.
_APART_SECONDS = 0.01
_APART_AT_MOST_SECONDS = 0.04
_MOST_IN_MESSAGE = 200
_log = logger("hints")


def broker_options() -> dict[str, float]:
    """How long the broker's sockets may take, seconds: a dead Redis is noticed soon."""
    return {"socket_timeout": 5, "socket_connect_timeout": 2}


class HintSender:
    """Sends hints from a thread of its own. `close` lets what waits go out for at most a second."""

    def __init__(self, redis_url: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[str, UUID] | None] = queue.SimpleQueue()
        self._connection = Connection(redis_url, transport_options=broker_options())
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def send(self, queue_name: str, job_id: UUID) -> None:
        """Hint at a committed job. Never waits, never raises."""
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put((queue_name, job_id))

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=1)

    def _run(self) -> None:
        failures, apart = 0, _APART_SECONDS
        while (item := self._waiting.get()) is not None:
            began = time.monotonic()
            try:
                found = self._with_those_behind(*item)
                for queue_name, jobs in found.items():
                    self._publish(queue_name, jobs)
                many = sum(map(len, found.values())) > 1
                apart = min(apart * 2, _APART_AT_MOST_SECONDS) if many else _APART_SECONDS
                failures = 0
            except Exception as error:  # noqa: BLE001 (each broker's driver has errors of its own; the thread lives on)
                pause = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
                failures += 1
                _log.warning("hints.dropped", waiting=self._waiting.qsize(), error=str(error), pause_seconds=pause)
                self._forget()
                time.sleep(pause)
            time.sleep(max(0.0, began + apart - time.monotonic()))
        self._connection.release()

    def _with_those_behind(self, queue_name: str, job_id: UUID) -> dict[str, list[UUID]]:
        """A hint and those that wait behind it, by queue."""
        found = {queue_name: [job_id]}
        for _ in range(min(self._waiting.qsize(), _MOST_IN_MESSAGE)):
            if (item := self._waiting.get()) is None:
                self._waiting.put(None)  # the end: of what waits, it stays the last
                break
            found.setdefault(item[0], []).append(item[1])
        return found

    def _publish(self, queue_name: str, jobs: list[UUID]) -> None:
        # Celery's message protocol, version 2: the body is (args, kwargs, embedded).
        # Straight into the queue's list: an exchange would be looked up for each message.
        with Producer(self._connection.default_channel) as producer:
            producer.publish(
                [[str(job) for job in jobs], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
                exchange="",
                routing_key=queue_name,
                headers={"lang": "py", "task": TASK_NAME, "id": (message := str(uuid4())), "root_id": message},
                serializer="json",
                correlation_id=message,
                retry=False,
            )

    def _forget(self) -> None:
        """Drop what waits (workers find those jobs by polling) and the broken connection."""
        while not self._waiting.empty():
            if self._waiting.get() is None:
                self._waiting.put(None)
                break
        self._connection.release()
