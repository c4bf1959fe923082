"""The `report` workflow with the built-in model behind its real server: poor prose, true report."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from mutirao.errors import ModelUnavailable
from mutirao.samples import DEMO_TOPIC, sample_documents
from mutirao.settings import ModelSettings, Settings
from mutirao_agents import use_context
from mutirao_agents.models import ChatModels, ask_json, ask_text
from mutirao_agents.report import report
from mutirao_agents.researcher import PlannedQueries
from mutirao_agents.testing import test_context as job_for

pytestmark = pytest.mark.integration

DOCUMENTS = {path.name: path.read_text(encoding="utf-8") for path in sample_documents() if path.suffix != ".html"}
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def settings(model_url: str) -> ModelSettings:
    return ModelSettings(model="builtin", model_url=model_url)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("topic", [DEMO_TOPIC, "compostagem e cisternas na comunidade da Baixa do Umbu"])
def test_the_report_is_true_whatever_the_model_wrote(model_url: str, tmp_path: Path, topic: str) -> None:
    wanted = settings(model_url)
    context = job_for(documents=DOCUMENTS, folder=tmp_path, settings=Settings(model=wanted), models=ChatModels(wanted))
    asked: Any = {
        "topic": topic,
        "collections": ["default"],
        "max_evidence": 3,
        "passes": 0,
        "budget": {"calls": 4, "seconds": 120},
    }
    with use_context(context):
        output = asyncio.run(report.graph.ainvoke(asked))
    quality = output["quality"]
    assert quality["model_wrote"] >= 1
    assert quality["model_kept"] + quality["model_replaced"] + quality["model_dropped"] == quality["model_wrote"]
    listed = json.loads((tmp_path / "citations.json").read_bytes())
    quotes = {item["id"]: item for item in listed["citations"]}
    for item in quotes.values():
        assert DOCUMENTS[item["document"]["name"]][item["start"] : item["end"]] == item["quote"]
    for entry in listed["sentences"]:
        cited = {number for name in entry["citations"] for number in NUMBER.findall(quotes[name]["quote"])}
        assert {*NUMBER.findall(entry["text"])} <= cited


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_the_server_holds_to_limit_and_schema_and_streams(model_url: str) -> None:
    chat = ChatModels(settings(model_url)).chat(max_tokens=60)
    answer, sent = await ask_json(
        chat, PlannedQueries, "You plan searches.", "Topic: bees\n\nWrite 3 queries.", tries=1
    )
    assert sent[0].text.lstrip().startswith("{")
    assert answer is None or answer.queries
    assert sent[0].usage_metadata is not None
    assert sent[0].usage_metadata["output_tokens"] <= 60
    parts = [chunk async for chunk in chat.astream("Write one sentence about bees.")]
    assert len(parts) > 3
    assert any(chunk.usage_metadata for chunk in parts if hasattr(chunk, "usage_metadata"))


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_a_call_that_takes_too_long_is_given_up_and_the_next_one_works(model_url: str) -> None:
    hasty = ChatModels(settings(model_url).model_copy(update={"model_timeout_seconds": 0.01}))
    with pytest.raises(ModelUnavailable, match=r"did not answer|failed"):
        await ask_text(hasty.chat(max_tokens=200), "", "Write a long story about bees.")
    answer = await ask_text(ChatModels(settings(model_url)).chat(max_tokens=8), "", "Say yes.")
    assert answer.text
