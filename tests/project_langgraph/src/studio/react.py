"""A messages agent with tools."""

from langchain.agents import create_agent
from langchain_core.tools import tool

from .models import Parrot


@tool
def weather(city: str) -> str:
    """How the weather is."""
    return f"sunny in {city}"


graph = create_agent(Parrot(), [weather])
