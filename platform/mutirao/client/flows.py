"""What a call does, told step by step and without a socket: the same steps are taken by `Client` and by `AsyncClient`.

A flow is a generator. It yields a `Step`, is resumed with what came of it or with the error it ended in, and returns the
result. What it yields as `Item` goes to whoever iterates over the call.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Generic, TypeVar

from mutirao.errors import MutiraoError, RateLimited, Unavailable

R = TypeVar("R")
RETRY_AFTER = "retry_after_seconds"
"""Where an error keeps what the header `Retry-After` has said."""
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; the step's result is the body of the answer. `silence_seconds`: how much longer than usual it may take."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    files: Mapping[str, tuple[str, BinaryIO]] | None = None
    silence_seconds: float = 0

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in _REPEATABLE or "Idempotency-Key" in self.headers


@dataclass(frozen=True)
class Open:
    """Send the request and leave its answer open, to be read in parts."""

    request: Request


@dataclass(frozen=True)
class Part:
    """The next bytes of the answer that is open; None at its end."""


@dataclass(frozen=True)
class Close:
    """Leave the answer that is open."""


@dataclass(frozen=True)
class Pause:
    """Let some time pass."""

    seconds: float


@dataclass(frozen=True)
class Item:
    """Something for whoever iterates over the call."""

    value: Any


Step = Request | Open | Part | Close | Pause | Item
Flow = Generator[Step, Any, R]


class Course(Generic[R]):
    """A flow under way: `step` is what it asks for, until it is `over` and has its `result`."""

    step: Step
    result: R

    def __init__(self, flow: Flow[R]) -> None:
        self._flow = flow
        self.over = False
        self.answer(None)

    def answer(self, value: Any) -> None:
        """Go on with what came of the step. Raises what the flow raises."""
        try:
            self.step = self._flow.send(value)
        except StopIteration as end:
            self.over, self.result = True, end.value

    def fail(self, error: MutiraoError) -> None:
        """Go on with the error that the step ended in. Raises what the flow raises."""
        try:
            self.step = self._flow.throw(error)
        except StopIteration as end:
            self.over, self.result = True, end.value

    def close(self) -> None:
        """Give the flow up."""
        self._flow.close()


def asked(request: Request, patience_seconds: float) -> Flow[Any]:
    """The answer's body; the request is sent again when the API says when, and if that is safe and soon enough."""
    left = patience_seconds
    while True:
        try:
            return (yield request)
        except (RateLimited, Unavailable) as error:
            pause = error.details.get(RETRY_AFTER)
            safe = isinstance(error, RateLimited) or request.repeatable
            if pause is None or not safe or pause > left:
                raise
        left -= max(pause, 0.1)
        yield Pause(pause)
