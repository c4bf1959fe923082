"""The steps of the code converter agent: one file through the rules, then the verdict on it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, cast

from typing_extensions import TypedDict

from mutirao_agents.context import job_context
from mutirao_agents.modernize.pool import ConverterFailed, ConverterPool
from mutirao_agents.modernize.records import Conversion, Outcome, Risk, Verdict
from mutirao_agents.modernize.rules.answers import CompiledRecord, Converted, Grammar

MEDIA_TYPE = "text/x-python"
MAX_RISK_LINES = 20


class ConverterInput(TypedDict):
    """What to convert. `origin` says where the content is, as the agent's reader understands it."""

    origin: str
    path: str
    skip_fixers: NotRequired[list[str]]


class Draft(TypedDict):
    """What the rules made of a file."""

    outcome: str
    sha256: str
    size: int
    answer: Converted


class ConverterState(ConverterInput):
    """The agent's state: no content, only where it is."""

    draft: NotRequired[Draft]
    conversions: NotRequired[list[Conversion]]


class ConverterOutput(TypedDict):
    """One conversion, in a list that a parent graph can add up."""

    conversions: list[Conversion]


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file to convert. `read` gives its content and may be called in a thread; `siblings` are the modules that
    `import name` finds beside it when it is in a package."""

    read: Callable[[], bytes]
    siblings: Sequence[str] = ()


Reader = Callable[[ConverterInput], Awaitable[SourceFile]]


async def from_artifacts(wanted: ConverterInput) -> SourceFile:
    """The default reader: `origin` is the SHA-256 of the file in the artifact store."""
    data = await job_context().files.read_blob(wanted["origin"])
    return SourceFile(read=lambda: data)


class Converter:
    """The agent's steps, each a coroutine for a graph's node. They need a running job."""

    def __init__(self, pool: ConverterPool, reader: Reader = from_artifacts) -> None:
        self._pool = pool
        self._reader = reader

    async def rules(self, state: ConverterInput) -> dict[str, Draft]:
        """Apply the rules and store what they made. A file that is too much for them is kept as it is."""
        source = await self._reader(state)
        context = job_context()
        try:
            answer, body = await self._ask("convert", state, source)
        except ConverterFailed as error:
            answer, body = await self._kept(state, source, str(error)), b""
        converted = cast("Converted", answer)
        if converted["changed"]:
            await context.files.put(f"converted/{state['path']}", body, MEDIA_TYPE)
            outcome = Outcome.CONVERTED
        else:
            body = await asyncio.to_thread(source.read)
            outcome = Outcome.KEPT if converted["reason"] else Outcome.UNCHANGED
        draft = Draft(outcome=outcome.value, sha256=hashlib.sha256(body).hexdigest(), size=len(body), answer=converted)
        return {"draft": draft}

    async def judge(self, state: ConverterState) -> ConverterOutput:
        """Give the verdict, and list what the rules left open."""
        draft = state["draft"]
        answer = draft["answer"]
        conversion = Conversion(
            path=state["path"],
            outcome=draft["outcome"],
            reason=answer["reason"],
            grammar=answer["grammar"],
            sha256=draft["sha256"],
            size=draft["size"],
            fixers=answer["fixers"],
            notes=answer["notes"],
            compiled=answer["compiled"],
            verdict=Verdict.NOT_VERIFIED.value,
            risks=remaining_risks(answer),
        )
        found = {key: conversion[key] for key in ("path", "outcome", "verdict")}
        job_context().emit("file", found | {"compiles": answer["compiled"]["ok"], "risks": len(conversion["risks"])})
        return {"conversions": [conversion]}

    async def convert(self, state: ConverterInput) -> ConverterOutput:
        """Both in one step, for a graph in which a file is one step with one checkpoint."""
        return await self.judge(cast("ConverterState", {**state, **await self.rules(state)}))

    async def _ask(self, op: str, state: ConverterInput, source: SourceFile) -> tuple[Mapping[str, Any], bytes]:
        header = {
            "op": op,
            "path": state["path"],
            "siblings": list(source.siblings),
            "skip_fixers": state.get("skip_fixers", []),
        }
        seconds = job_context().settings.modernize.convert_seconds
        answer = await self._pool.ask(header, source.read, seconds=seconds)
        return answer.header, answer.body

    async def _kept(self, state: ConverterInput, source: SourceFile, reason: str) -> Converted:
        try:
            checked = cast("CompiledRecord", (await self._ask("check", state, source))[0])
        except ConverterFailed as error:
            checked = CompiledRecord(ok=False, line=None, message=str(error), warnings=[])
        return Converted(
            grammar=Grammar.UNKNOWN.value,
            reason=reason,
            changed=False,
            fixers={},
            notes=[],
            compiled=checked,
            findings=[],
        )


def remaining_risks(answer: Converted) -> list[Risk]:
    """The findings that no fixer settled: those without one, and those whose fixer changed nothing in this file."""
    if answer["grammar"] == Grammar.PYTHON3:
        return []
    lines: dict[str, list[int]] = {}
    for finding in answer["findings"]:
        if finding["fixer"] not in answer["fixers"]:
            lines.setdefault(finding["construct"], []).append(finding["line"])
    return [
        Risk(construct=construct, count=len(found), lines=sorted(set(found))[:MAX_RISK_LINES])
        for construct, found in sorted(lines.items())
    ]
