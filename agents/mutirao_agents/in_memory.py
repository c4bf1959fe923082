"""Children and effects without servers: what `mutirao_agents.testing.test_context` gives steps instead of the real ones."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from mutirao.errors import MutiraoError, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Effect
from mutirao.jobs.states import JobState

from mutirao_agents.context import ChildResult, Gathered
from mutirao_agents.effects import digest, encoded

Child = Callable[[dict[str, Any]], Any]


class InMemoryChildren:
    """`Children` that are functions: `{"workflow": callable}`, each given an input, returning the output or raising.

    They run one after another, at once; a group that was gathered before keeps its results. `started` has the workflow
    and the input of every child.
    """

    def __init__(self, workflows: Mapping[str, Child] | None = None) -> None:
        self.workflows = dict(workflows or {})
        self.started: list[tuple[str, dict[str, Any]]] = []
        self._groups: dict[str, Gathered] = {}

    async def gather(
        self,
        key: str,
        workflow: str,
        inputs: Sequence[dict[str, Any]],
        *,
        queue: str | None,
        priority: int | None,
        fail_fast: bool,
    ) -> Gathered:
        """Run the children. With `fail_fast` those after the first failure are cancelled."""
        if workflow not in self.workflows:
            raise NotFound(f"this test has no workflow {workflow!r}; give test_context(children={{{workflow!r}: …}})")
        if key not in self._groups:
            results: list[ChildResult] = []
            for ordinal, value in enumerate(inputs):
                failed = fail_fast and any(not result.ok for result in results)
                results.append(
                    ChildResult(ordinal=ordinal, job_id=new_id(), state=JobState.CANCELLED)
                    if failed
                    else await self._run(ordinal, workflow, value)
                )
            self._groups[key] = Gathered(group=new_id(), results=results)
        return self._groups[key]

    async def _run(self, ordinal: int, workflow: str, value: dict[str, Any]) -> ChildResult:
        self.started.append((workflow, value))
        job_id = new_id()
        try:
            output = self.workflows[workflow](value)
            output = await output if inspect.isawaitable(output) else output
        except Exception as error:  # noqa: BLE001 (as of a job: whatever it raises is its end)
            code = error.code if isinstance(error, MutiraoError) else "step_failed"
            problem = {"code": code, "message": str(error), "kind": type(error).__name__}
            return ChildResult(ordinal=ordinal, job_id=job_id, state=JobState.FAILED, error=problem)
        plain = orjson.loads(encoded(output, f"the output of {workflow!r}"))
        return ChildResult(ordinal=ordinal, job_id=job_id, state=JobState.SUCCEEDED, output=plain)


class InMemoryEffects:
    """The rows of a ledger. `unknown(key)` leaves one as a crash in the middle of its call would."""

    def __init__(self) -> None:
        self.rows: dict[str, Effect] = {}

    def unknown(self, key: str, request: Any = None) -> None:
        """Let an earlier attempt have begun the effect, and never ended it."""
        self.rows[key] = Effect(key=key, fresh=False, state="intent", epoch=0, request_sha256=digest(request))

    async def begin(self, key: str, *, step: str | None, idempotent: bool, request_sha256: str) -> Effect:
        fresh = key not in self.rows
        if fresh:
            self.rows[key] = Effect(key=key, fresh=False, state="intent", epoch=1, request_sha256=request_sha256)
        return self.rows[key].model_copy(update={"fresh": fresh})

    async def again(self, key: str, note: Any) -> None:
        self.rows[key] = self.rows[key].model_copy(update={"result": note})

    async def done(self, key: str, result: Any) -> None:
        self.rows[key] = self.rows[key].model_copy(update={"state": "done", "result": result})

    async def take_back(self, key: str) -> None:
        del self.rows[key]
