"""Legacy-code modernization: the `modernize` workflow and what it is made of."""

from mutirao_agents.modernize.workflow import modernize

__all__ = ["modernize"]
