"""Agent cards: what an agent is, where it is called, and what it needs to be called with."""

from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mutirao.assistants import Assistant
from mutirao.catalogue import CataloguedWorkflow

VERSIONS = ("1.0", "0.3")

# Both versions' words for the same: each client passes over what it does not know.
_SCHEMES: dict[str, dict[str, Any]] = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "apiKeySecurityScheme": {"location": "header", "name": "X-Api-Key"},
    },
    "bearer": {"type": "http", "scheme": "bearer", "httpAuthSecurityScheme": {"scheme": "bearer"}},
}


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class AgentInterface(_Camel):
    """Where and how an agent is called, in the words of 1.0."""

    url: str
    protocol_binding: Literal["JSONRPC"] = "JSONRPC"
    protocol_version: str


class AgentCapabilities(_Camel):
    """What an agent can do beside answering."""

    streaming: bool = True
    push_notifications: bool = False
    state_transition_history: bool = False
    extended_agent_card: bool = False


class AgentSkill(_Camel):
    """What an agent is good for: its workflow."""

    id: str
    name: str
    description: str
    tags: list[str]
    examples: list[str] = []
    input_modes: list[str]
    output_modes: list[str]


class AgentCard(_Camel):
    """A conversational workflow as an agent, in the words of A2A 0.3 and of 1.0."""

    protocol_version: str = "0.3.0"
    name: str
    description: str
    url: str = Field(description="Where its methods are called.")
    preferred_transport: Literal["JSONRPC"] = "JSONRPC"
    supported_interfaces: list[AgentInterface]
    version: str = Field(description="Of the workflow.")
    capabilities: AgentCapabilities = AgentCapabilities()
    default_input_modes: list[str] = ["text/plain", "application/json"]
    default_output_modes: list[str] = ["text/plain"]
    skills: list[AgentSkill]
    security_schemes: dict[str, dict[str, Any]] = _SCHEMES
    security: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    security_requirements: list[dict[str, Any]] = [{"schemes": {name: {"list": []}}} for name in _SCHEMES]
    supports_authenticated_extended_card: bool = False


def card_of(assistant: Assistant, workflow: CataloguedWorkflow, called: str, base_url: str) -> AgentCard:
    """The card of an assistant that is called by this name or id, below this address."""
    url = f"{base_url.rstrip('/')}/a2a/{quote(called, safe='')}"
    description = assistant.description or workflow.description or f"The workflow {workflow.name}."
    skill = AgentSkill(
        id=workflow.name,
        name=assistant.name,
        description=description,
        tags=["conversation"],
        input_modes=["text/plain", "application/json"],
        output_modes=["text/plain"],
    )
    return AgentCard(
        name=assistant.name,
        description=description,
        url=url,
        supported_interfaces=[AgentInterface(url=url, protocol_version=version) for version in VERSIONS],
        version=workflow.version,
        skills=[skill],
    )
