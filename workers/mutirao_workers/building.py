"""The graph of one attempt."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from langgraph.store.base import BaseStore
from mutirao.errors import WorkflowUnavailable
from mutirao.jobs.records import Claim
from mutirao_agents.factories import RUN
from mutirao_agents.workflows import Graph, Workflow


@asynccontextmanager
async def built_for(claim: Claim, workflows: Mapping[str, Workflow], store: BaseStore | None) -> AsyncIterator[Graph]:
    """The graph that an attempt runs: of a factory, one made of the job's config, let go of when the block ends.

    Raises:
        WorkflowUnavailable: this worker does not serve the job's workflow.
    """
    workflow = workflows.get(claim.workflow)
    if workflow is None:
        raise WorkflowUnavailable(f"this worker does not serve workflow {claim.workflow!r}")
    given: dict[str, Any] = claim.run.config if claim.run else {}
    own = {"thread_id": str(claim.thread_id), "run_id": str(claim.job_id), "graph_id": claim.workflow}
    config = {**given, "configurable": {**(given.get("configurable") or {}), **own}}
    context = claim.run.context if claim.run else None
    async with workflow.built(config, access=RUN, store=store, context=context) as graph:
        yield graph
