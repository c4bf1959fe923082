"""What a job asks of LangGraph beside its input, in the form that LangGraph is told it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import Command, Send
from mutirao.jobs.records import Claim, RunOptions
from mutirao_agents.users import user_of
from pydantic import BaseModel

_RECURSION_LIMIT = 200
_OWN_KEYS = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id", "graph_id", "assistant_id")
_OWN_PREFIX = "__pregel_"
_STRICT = "__pregel_strict_resume"
_HOST = {"created_by": "system", "langgraph_version": version("langgraph"), "langgraph_host": "self-hosted"}

Graph = Pregel[Any, Any, Any, Any]


def config_of(claim: Claim) -> dict[str, Any]:
    """The `RunnableConfig` of an attempt. What the job brings is merged in; it cannot name another thread or job."""
    metadata = {"job_id": str(claim.job_id), "epoch": claim.epoch, "workflow": claim.workflow}
    own = {"thread_id": str(claim.thread_id)}
    run = claim.run
    if run is None:
        return {"configurable": own, "metadata": metadata, "recursion_limit": _RECURSION_LIMIT}
    known = {
        "run_id": str(claim.job_id),
        "graph_id": claim.workflow,
        "assistant_id": str(claim.assistant_id) if claim.assistant_id else "",
    }
    config: dict[str, Any] = {
        "configurable": _asked(run) | own | known,
        "metadata": {**(run.config.get("metadata") or {}), **claim.metadata, **_HOST, **own, **known, **metadata}
        | {"run_attempt": claim.epoch},
        "run_id": claim.job_id,
    }
    if user := user_of(run.config):
        config["configurable"]["langgraph_auth_user"] = user
    if run.kwargs.get("strict_resume"):
        config["configurable"][_STRICT] = True
    # Left out where the job says nothing: the graph may bring its own.
    return config | {key: run.config[key] for key in ("tags", "recursion_limit") if run.config.get(key) is not None}


def at_checkpoint(config: RunnableConfig, run: RunOptions | None) -> RunnableConfig:
    """The config that begins where the job asks to, in its own thread."""
    chosen = {
        key: value
        for key, value in ((run.checkpoint if run else None) or {}).items()
        if key in ("checkpoint_id", "checkpoint_ns", "checkpoint_map") and value is not None
    }
    return {**config, "configurable": {**config["configurable"], **chosen}} if chosen else config


def arguments_of(run: RunOptions | None, graph: Graph) -> dict[str, Any]:
    """What `astream` is told beside input, config and stream modes."""
    if run is None:
        return {"durability": "sync", "output_keys": graph.output_channels}
    given = {"interrupt_before": run.interrupt_before, "interrupt_after": run.interrupt_after}
    return {"durability": run.durability, "context": context_of(run, graph)} | {
        key: value for key, value in given.items() if value
    }


def context_of(run: RunOptions, graph: Graph) -> Any:
    """The static context. A graph that has a schema for it gets the configurable fields where no context is given."""
    schema = graph.context_schema
    if run.context is not None or schema is None:
        return run.context
    known = _fields(schema)
    context = {key: value for key, value in _asked(run).items() if known is None or key in known}
    return context if context or known is None else _default(schema)


def command_of(command: Mapping[str, Any]) -> Command[Any]:
    """`{"update", "resume", "goto"}` as LangGraph's own."""
    goto = command.get("goto")
    update = command.get("update")
    if isinstance(update, list):
        update = [tuple(pair) if isinstance(pair, list) else pair for pair in update]
    return Command(update=update, resume=command.get("resume"), goto=_targets(goto))


def output_of(graph: Graph, values: Any) -> Any:
    """A graph's output among all values that its readers see."""
    channels = graph.output_channels
    if channels == graph.stream_channels_asis or not isinstance(values, Mapping):
        return values
    if isinstance(channels, str):
        return values.get(channels)
    return {name: values[name] for name in channels if name in values}


def stops_at_steps(run: RunOptions | None, graph: Graph) -> bool:
    """Whether the graph may stop before or after a step without asking anything."""
    asked = run is not None and (run.interrupt_before or run.interrupt_after)
    return bool(asked or graph.interrupt_before_nodes or graph.interrupt_after_nodes)


def _targets(goto: Any) -> Any:
    if goto is None:
        return ()
    if isinstance(goto, Sequence) and not isinstance(goto, str):
        return [_target(each) for each in goto]
    return _target(goto)


def _target(goto: Any) -> Any:
    return Send(goto["node"], goto.get("input")) if isinstance(goto, Mapping) and "node" in goto else goto


def _asked(run: RunOptions) -> dict[str, Any]:
    asked = run.config.get("configurable") or {}
    return {key: value for key, value in asked.items() if key not in _OWN_KEYS and not key.startswith(_OWN_PREFIX)}


def _default(schema: Any) -> Any:
    """A context of defaults only; None where there must be more."""
    try:
        return schema()
    except (TypeError, ValueError):
        return None


def _fields(schema: Any) -> set[str] | None:
    """Names of a context schema's fields; None where it takes any."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return set(schema.model_fields)
    if is_dataclass(schema):
        return {each.name for each in fields(schema)}
    return None
