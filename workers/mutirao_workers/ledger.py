"""The ledger as a running job sees it: effects of its steps, and answers of models that are not paid for twice."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.load import dumps as dumped
from langchain_core.messages import AIMessage, BaseMessage, message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration, Generation
from mutirao.db import Database
from mutirao.db.jsonb import dumps
from mutirao.ids import new_id
from mutirao.jobs.effects import EffectStore
from mutirao.jobs.records import Claim, Effect
from mutirao_agents.context import JobContext, NoJob, job_context
from mutirao_agents.steps import StepCalls, place, step_name

from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.steady import steadily

REPLAYED = "mutirao_replayed"  # in a generation's info: the answer is one that an earlier run of the step was given
_HEX = 24
Kept = defaultdict[str, set[Any]]


class JobEffects:
    """`EffectRecords` of one attempt. A database that does not answer is waited for."""

    def __init__(self, claim: Claim, home: HomeLoop) -> None:
        self._claim = claim
        self._home = home

    async def begin(self, key: str, *, step: str | None, idempotent: bool, request_sha256: str) -> Effect:
        begun_by = new_id()

        async def begin(db: Database) -> Effect:
            return await EffectStore(db).begin(
                self._claim,
                key,
                step=step,
                idempotent=idempotent,
                request_sha256=request_sha256,
                begun_by=begun_by,
            )

        return await self._home.do(lambda db: steadily(lambda: begin(db)))

    async def again(self, key: str, note: Any) -> None:
        await self._home.do(lambda db: steadily(lambda: EffectStore(db).again(self._claim, key, note)))

    async def done(self, key: str, result: Any) -> None:
        await self._home.do(lambda db: steadily(lambda: EffectStore(db).done(self._claim, key, result)))

    async def take_back(self, key: str) -> None:
        await self._home.do(lambda db: steadily(lambda: EffectStore(db).take_back(self._claim, key)))


class ModelAnswers:
    """What models have answered to one job.

    An answer is kept under the step's place, the request, and its number among the equal requests of one run of the
    step: n equal samples stay n answers, and a step that runs again is given the same ones in the same order.
    """

    def __init__(self, claim: Claim, calls: StepCalls) -> None:
        self._claim = claim
        self._calls = calls
        # The numbers of the answers kept, by request and by prompt; None until they are read.
        self._kept: Kept | None = None if claim.epoch > 1 else Kept(set)

    async def find(self, db: Database, prompt: str, llm: str) -> list[Generation] | None:
        """The answer to the next such request of the running step; None when the model must be asked."""
        where, number = self._calls.next(f"model {_request(prompt, llm)}")
        request = _key(where, prompt, llm)
        kept = await self._numbers(db)
        if not where or number not in kept.get(request, ()):
            return None
        answer = await steadily(lambda: EffectStore(db).answer(self._claim.job_id, f"{request}:{number}"))
        return None if answer is None else generations_of(answer)

    async def keep(self, db: Database, prompt: str, llm: str, generations: Sequence[Generation]) -> None:
        """Keep an answer under the first free number of its request."""
        where = place()
        answer = answer_of(generations)
        if not where or answer is None:
            return
        kept = await self._numbers(db)
        request = _key(where, prompt, llm)
        key = f"{request}:{next(number for number in count() if number not in kept[request])}"
        _note(kept, key)
        digest = hashlib.sha256((prompt + llm).encode(errors="replace")).hexdigest()
        await steadily(
            lambda: EffectStore(db).answered(self._claim, key, answer, step=step_name(where), request_sha256=digest)
        )

    async def expected(self, db: Database, messages: Sequence[BaseMessage]) -> bool:
        """Whether the next call of the running step with this prompt will be given an answer that is kept."""
        prompt = dumped([message.model_copy(update={"id": None}) for message in messages])
        where, number = self._calls.next(f"expected {_hash(prompt)}")
        kept = await self._numbers(db)
        return number < len(kept.get(_prompt_key(where, prompt), ()))

    async def _numbers(self, db: Database) -> Kept:
        if self._kept is None:
            kept = Kept(set)
            for key in await steadily(lambda: EffectStore(db).answer_keys(self._claim.job_id)):
                _note(kept, key)
            self._kept = self._kept or kept
        return self._kept


@dataclass(frozen=True, kw_only=True)
class AttemptContext(JobContext):
    """The context of an attempt, with what only the worker may reach."""

    answers: ModelAnswers


class AnswersCache(BaseCache):
    """LangChain's cache of a worker process: finds the running job by its context. Outside of a job it holds nothing.

    Models ask it before they stream, and only in `invoke` and `ainvoke`: what is streamed with `astream` is asked anew.
    A model with a cache of its own, or `cache=False`, never comes here.
    """

    def __init__(self, home: HomeLoop) -> None:
        self._home = home

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """As LangChain says."""
        answers = _answers()
        return None if answers is None else self._home.now(lambda db: answers.find(db, prompt, llm_string))

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """As LangChain says."""
        answers = _answers()
        return None if answers is None else await self._home.do(lambda db: answers.find(db, prompt, llm_string))

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """As LangChain says."""
        if answers := _answers():
            self._home.now(lambda db: answers.keep(db, prompt, llm_string, return_val))

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """As LangChain says."""
        if answers := _answers():
            await self._home.do(lambda db: answers.keep(db, prompt, llm_string, return_val))

    def clear(self, **kwargs: Any) -> None:
        """Nothing: what is kept belongs to its job."""


def _answers() -> ModelAnswers | None:
    try:
        context = job_context()
    except NoJob:
        return None
    return context.answers if isinstance(context, AttemptContext) else None


def answer_of(generations: Sequence[Generation]) -> Any:
    """Generations as JSON; None when they are of a kind that could not be given back."""
    kept: list[dict[str, Any]] = []
    for generation in generations:
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
            kept.append({"message": message_to_dict(generation.message), "info": generation.generation_info})
        elif type(generation) is Generation:
            kept.append({"text": generation.text, "info": generation.generation_info})
        else:
            return None
    return orjson.loads(dumps(kept))


def generations_of(answer: Any) -> list[Generation]:
    """What `answer_of` was given, marked as replayed. Only messages come of it, whatever the row says."""
    found: list[Generation] = []
    for kept in answer:
        info = (kept.get("info") or {}) | {REPLAYED: True}
        if "message" in kept:
            [message] = messages_from_dict([kept["message"]])
            found.append(ChatGeneration(message=message, generation_info=info))
        else:
            found.append(Generation(text=kept["text"], generation_info=info))
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_HEX]


def _request(prompt: str, llm: str) -> str:
    return f"{_hash(prompt)}:{_hash(llm)}"


def _prompt_key(where: str, prompt: str) -> str:
    return f"model:{_hash(where)}:{_hash(prompt)}"


def _key(where: str, prompt: str, llm: str) -> str:
    return f"{_prompt_key(where, prompt)}:{_hash(llm)}"


def _note(kept: Kept, key: str) -> None:
    request, _, number = key.rpartition(":")
    kept[request].add(int(number))
    kept[request.rpartition(":")[0]].add(key)
