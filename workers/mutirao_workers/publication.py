"""A workflow as the catalogue shows it."""

from mutirao.catalogue import WorkflowEntry
from mutirao_agents.workflows import Workflow


def entry_of(workflow: Workflow) -> WorkflowEntry:
    """What clients may know of a workflow without loading it."""
    schemas = workflow.schemas
    return WorkflowEntry(
        name=workflow.name,
        version=workflow.version,
        description=workflow.description,
        queue=workflow.queue,
        kind=workflow.kind.value,
        input_schema=workflow.input_schema,
        output_schema=workflow.output_schema,
        graph=workflow.shape,
        config_schema=schemas["config_schema"] or {},
        state_schema=schemas["state_schema"] or {},
        context_schema=schemas["context_schema"] or {},
        subgraphs=workflow.subgraphs,
    )
