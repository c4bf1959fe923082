"""Effects: what a step does to the world outside, done once however often the step runs."""

import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from langgraph.types import interrupt
from mutirao.db.jsonb import unkeepable
from mutirao.errors import Conflict, InvalidInput, StepFailed
from mutirao.faults import fault
from mutirao.ids import stable_id
from mutirao.jobs.records import Effect

from mutirao_agents.context import Wait, job_context
from mutirao_agents.steps import place, step_name

Function = TypeVar("Function", bound=Callable[..., Any])
DECISION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"outcome": {"enum": ["done", "retry"]}, "result": {}},
    "required": ["outcome"],
    "additionalProperties": False,
}
_EFFECT_ID = "effect_id"
_LONGEST_KEY = 500
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY


class EffectMismatch(Conflict):
    """Raised when a key of the ledger is used for two different requests, or twice at once."""

    code = "effect_mismatch"


class EffectRefused(StepFailed):
    """Raised when the result of an effect cannot be kept. The effect is recorded as done and is never repeated."""

    code = "effect_refused"


class EffectUnknown(StepFailed):
    """Raised when nobody decided in time whether an effect without a recorded end was done."""

    code = "effect_unknown"


class NotDone(Exception):
    """Raised by a call that knows that it has had no effect: the intent is taken back, and the step fails as usual."""


class EffectRecords(Protocol):
    """The ledger's rows of one attempt; see `mutirao.jobs.effects.EffectStore` for what each verb promises."""

    async def begin(self, key: str, *, step: str | None, idempotent: bool, request_sha256: str) -> Effect: ...

    async def again(self, key: str, note: Any) -> None: ...

    async def done(self, key: str, result: Any) -> None: ...

    async def take_back(self, key: str) -> None: ...


Turn = Callable[[], Any]


class EffectLedger:
    """`Effects` of one attempt.

    What is kept as result is `{"value": …}`, or `{"refused": why}`, with `"decisions": n`: how many answers of people
    this effect has used. A step that runs again must use them again, since LangGraph counts a step's questions.
    """

    def __init__(self, records: EffectRecords, job_id: UUID, wait: Wait, most_bytes: int) -> None:
        self._records = records
        self._job_id = job_id
        self._wait = wait
        self._most_bytes = most_bytes
        self._open: set[str] = set()

    async def once(
        self, key: str, call: Callable[..., Awaitable[Any]], *, idempotent: bool = False, request: Any = None
    ) -> Any:
        """See `mutirao_agents.context.Effects`."""
        turns, given, error = self._turns(key, call, idempotent, request), None, None
        try:
            while True:
                turn = turns.throw(error) if error else turns.send(given)
                given, error = None, None
                try:
                    given = await turn()
                except BaseException as raised:  # noqa: BLE001 (the ledger sees it and raises it again)
                    error = raised
        except StopIteration as end:
            return end.value

    def once_sync(self, key: str, call: Callable[..., Any], *, idempotent: bool = False, request: Any = None) -> Any:
        """See `mutirao_agents.context.Effects`."""
        turns, given, error = self._turns(key, call, idempotent, request), None, None
        try:
            while True:
                turn = turns.throw(error) if error else turns.send(given)
                given, error = None, None
                try:
                    given = turn()
                    given = self._wait(given) if inspect.iscoroutine(given) else given
                except BaseException as raised:  # noqa: BLE001 (the ledger sees it and raises it again)
                    error = raised
        except StopIteration as end:
            return end.value

    def _turns(self, key: str, call: Callable[..., Any], idempotent: bool, request: Any) -> Generator[Turn, Any, Any]:
        """What to call, one after another; each yield gives back its result. Returns the effect's result."""
        asked = digest(request)
        step = step_name(place())
        self._take(key)
        try:
            fault("effect.before")
            found = yield lambda: self._records.begin(key, step=step, idempotent=idempotent, request_sha256=asked)
            if found.request_sha256 != asked:
                raise EffectMismatch(f"effect {key!r} was begun with another request; use a key for each request")
            kept = found.result or {}
            if found.done:
                for _ in range(kept.get("decisions", 0)):
                    interrupt(_question(key, None))
                return _given(key, kept)
            decided = None if found.fresh or idempotent else self._decided(key, kept.get("decisions", 0))
            decisions = decided[1] if decided else 0
            if decided and decided[0]["outcome"] == "done":
                kept = self._kept(key, decided[0].get("result"), decisions)
            else:
                if not found.fresh:
                    yield lambda: self._records.again(key, {"decisions": decisions})
                kept = self._kept(key, (yield from self._called(key, call)), decisions)
            fault("effect.between")
            yield lambda: self._records.done(key, kept)
            fault("effect.after")
            return _given(key, kept)
        finally:
            self._open.discard(key)

    def _take(self, key: str) -> None:
        if not key or len(key) > _LONGEST_KEY:
            raise InvalidInput(f"effect {key[:80]!r}: a key has 1 to {_LONGEST_KEY} characters")
        if key in self._open:
            raise EffectMismatch(f"effect {key!r} is under way in this job; use a key for each effect")
        self._open.add(key)

    def _called(self, key: str, call: Callable[..., Any]) -> Generator[Turn, Any, Any]:
        arguments = {_EFFECT_ID: str(stable_id("effect", self._job_id, key))} if _wants_id(call) else {}
        try:
            return (yield lambda: call(**arguments))
        except NotDone:
            yield lambda: self._records.take_back(key)
            raise

    def _decided(self, key: str, used: int) -> tuple[dict[str, Any], int]:
        """What a person has decided about a call without an end, and how many answers were used for it by now.

        Asks, which ends this run of the step, until the answer is one of those it may be.
        """
        for _ in range(used):
            interrupt(_question(key, None))
        refused = None
        while True:
            decision = interrupt(_question(key, refused))
            used += 1
            if decision is None or decision == {"expired": True}:
                raise EffectUnknown(f"effect {key!r} may have been done or not, and nobody has decided; retry the job")
            refused = _illegal(decision)
            if refused is None:
                return decision, used

    def _kept(self, key: str, value: Any, decisions: int) -> dict[str, Any]:
        note = {"decisions": decisions} if decisions else {}
        try:
            data = encoded(value, "its result")
        except InvalidInput as error:
            return note | {"refused": str(error)}
        if len(data) > self._most_bytes:
            why = f"its result of {len(data)} bytes is larger than MUTIRAO_MAX_EFFECT_BYTES={self._most_bytes}"
            return note | {"refused": f"{why}; store it as an artifact and return its name"}
        return note | {"value": orjson.loads(data)}


def effect(*, key: Callable[..., str] | None = None, idempotent: bool = False) -> Callable[[Function], Function]:
    """Put every call of a function in the job's ledger: for tools, which models call.

    It may be a coroutine function or a plain one. A parameter `effect_id` is given the effect's id, and is hidden from
    the function's signature.

    Args:
        key: makes the key of the same arguments. Default: the calls of a step with the same arguments are numbered, so
            that two calls are two effects, and each is done once when the step runs again.
        idempotent: see `Effects.once`.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        shown = [entry for name, entry in signature.parameters.items() if name != _EFFECT_ID]
        plain = signature.replace(parameters=shown)

        def prepared(args: Any, kwargs: Any) -> tuple[str, Callable[..., Any], Any]:
            bound = plain.bind(*args, **kwargs)
            bound.apply_defaults()
            request = dict(bound.arguments)
            name = f"{function.__module__}.{function.__qualname__}"
            chosen = key(*args, **kwargs) if key is not None else _numbered(name, request)
            call = functools.partial(function, *args, **kwargs)
            return chosen, call, request

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            chosen, call, request = prepared(args, kwargs)
            return await job_context().effects.once(chosen, call, idempotent=idempotent, request=request)

        def plain_call(*args: Any, **kwargs: Any) -> Any:
            chosen, call, request = prepared(args, kwargs)
            return job_context().effects.once_sync(chosen, call, idempotent=idempotent, request=request)

        wrapper: Any = awaited if inspect.iscoroutinefunction(function) else plain_call
        dressed: Function = _dressed(wrapper, function, plain)
        return dressed

    return decorate


def digest(request: Any) -> str:
    """The SHA-256 of a request as JSON; "" when there is none. Raises InvalidInput."""
    return "" if request is None else hashlib.sha256(encoded(request, "the request")).hexdigest()


def encoded(value: Any, what: str) -> bytes:
    """`value` as JSON, its keys sorted. Raises InvalidInput where the ledger could not give it back as it is."""
    try:
        data = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError as error:
        raise InvalidInput(f"{what} is no JSON: {error}") from None
    odd = unkeepable(orjson.loads(data))
    if odd is not None:
        raise InvalidInput(f"{what} cannot be kept: {odd}")
    return data


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not JSON")


def _dressed(wrapper: Any, function: Any, signature: inspect.Signature) -> Any:
    functools.update_wrapper(wrapper, function)
    del wrapper.__wrapped__  # whoever looks for the signature must not find the one with `effect_id`
    wrapper.__signature__ = signature
    wrapper.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if name != _EFFECT_ID}
    return wrapper


def _numbered(name: str, request: dict[str, Any]) -> str:
    try:
        asked = digest(request)[:32]
    except InvalidInput as error:
        raise InvalidInput(f"effect {name!r}: {error}") from None
    where, number = job_context().calls.next(f"effect {name} {asked}")
    return f"{name}:{hashlib.sha256(where.encode()).hexdigest()[:16]}:{asked}:{number}"


def _wants_id(call: Callable[..., Any]) -> bool:
    try:
        return _EFFECT_ID in inspect.signature(call).parameters
    except (TypeError, ValueError):  # a builtin that has no signature
        return False


def _question(key: str, refused: str | None) -> dict[str, Any]:
    question = (
        f"Effect {key!r} was begun and its end is not known: it may have been done or not. Decide "
        '{"outcome": "done", "result": …} with what it gave, or {"outcome": "retry"} to do it again.'
    )
    return {"question": question, "effect": key, "schema": DECISION_SCHEMA} | ({"refused": refused} if refused else {})


def _illegal(decision: Any) -> str | None:
    """Why a decision is none of those that may be given."""
    if not isinstance(decision, dict) or decision.get("outcome") not in ("done", "retry"):
        return f'the decision {str(decision)[:200]!r} is neither {{"outcome": "done"}} nor {{"outcome": "retry"}}'
    unknown = sorted(set(decision) - ({"outcome", "result"} if decision["outcome"] == "done" else {"outcome"}))
    return f"the decision has unknown parts {unknown}" if unknown else None


def _given(key: str, kept: dict[str, Any]) -> Any:
    if "refused" in kept:
        raise EffectRefused(f"effect {key!r} was done, but {kept['refused']}")
    return kept["value"]
