"""The functional API."""

from langgraph.func import entrypoint, task


@task
async def draft(topic: str) -> str:
    return f"an essay about {topic}"


@entrypoint()
async def essay(asked: dict[str, str]) -> dict[str, str]:
    return {"essay": await draft(asked["topic"])}
