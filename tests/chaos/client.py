"""A client that keeps what it was answered: jobs with 202, cancels with 202. It outlasts an API that dies."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.chaos.history import Accepted

_CONNECTIONS = 8
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_MOST_ATTEMPTS = 20


@dataclass(frozen=True)
class Wanted:
    """A job to submit, and how it must end."""

    workflow: str
    given: Mapping[str, Any]
    ends: frozenset[str] = frozenset({"succeeded"})
    effects: int = 0
    attempts: int = _MOST_ATTEMPTS


class Client:
    """Submits jobs by several connections at once; every job has an idempotency key, and is asked for until it has a 202."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
        )
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="client")
        self._guard = threading.Lock()
        self._accepted: dict[UUID, Accepted] = {}
        self.two_jobs: list[tuple[UUID, UUID]] = []
        self.closed = False

    def close(self) -> None:
        """Submit no more."""
        self.closed = True
        self._pool.shutdown(cancel_futures=True)
        self._http.close()

    @property
    def accepted(self) -> list[Accepted]:
        """Every job that was answered with 202."""
        with self._guard:
            return list(self._accepted.values())

    def submit(self, wanted: Wanted) -> UUID:
        """The id of a new job, as soon as it is accepted."""
        body = {"workflow": wanted.workflow, "input": dict(wanted.given), "max_attempts": wanted.attempts}
        key = str(uuid4())
        answer = self.post("/jobs", json=body, headers={"Idempotency-Key": key})
        job = self.keep(answer.json()["id"], wanted.ends, wanted.effects).id
        if random.random() < 0.02:  # the key again: the same job
            again = UUID(self.post("/jobs", json=body, headers={"Idempotency-Key": key}).json()["id"])
            if again != job:
                self.two_jobs.append((job, again))
        return job

    def submit_all(self, wanted: Iterable[Wanted]) -> list[UUID]:
        """Ids of new jobs, when all are accepted."""
        return list(self._pool.map(self.submit, wanted))

    def each(self, do: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """`do` for each item, several at once."""
        return list(self._pool.map(do, items))

    def cancel(self, job: UUID) -> bool:
        """Ask for its end; whether that was acknowledged."""
        answer = self.post(f"/jobs/{job}/cancel", also=(409,))
        if answer.status_code != 202:
            return False
        with self._guard:
            self._accepted[job] = replace(self._accepted[job], cancelled=True)
        return True

    def post(self, path: str, *, also: tuple[int, ...] = (), **more: Any) -> httpx.Response:
        """POST until the API has taken it: 2xx, or one of `also`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            said = "the API does not answer"
            try:
                answer = self._http.post(path, **more)
                said = f"{answer.status_code} {answer.text[:300]}"
                if answer.is_success or answer.status_code in also:
                    return answer
                if answer.status_code < 500 and answer.status_code not in (409, 429):
                    raise AssertionError(f"POST {path}: {said}")
            except httpx.TransportError as error:
                said = repr(error)
            if self.closed or time.monotonic() > deadline:
                raise AssertionError(f"POST {path}: not taken within {_PATIENCE_SECONDS:g} s: {said}")
            time.sleep(_PAUSE_SECONDS)

    def get(self, path: str, **more: Any) -> Any:
        """The JSON that a path answers with."""
        answer = self._http.get(path, **more)
        answer.raise_for_status()
        return answer.json()

    def keep(self, job: str, ends: frozenset[str], effects: int = 0) -> Accepted:
        """Remember a job that was accepted, and how it must end."""
        accepted = Accepted(id=UUID(job), ends=ends, effects=effects)
        with self._guard:
            self._accepted[accepted.id] = accepted
        return accepted
