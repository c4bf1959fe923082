"""Models: what the settings give, how they are asked, and what happens when they do not answer."""

import asyncio
import threading
import time

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from mutirao.errors import ModelUnavailable
from mutirao.settings import ModelSettings
from mutirao_agents.budget import Asking, ModelBudget
from mutirao_agents.chat import SharedChat
from mutirao_agents.models import ChatModels, ask_json, ask_text, parsed
from mutirao_agents.slots import Slots
from mutirao_agents.testing import Hang, Script, ScriptedModel
from mutirao_agents.testing import test_context as job_for
from pydantic import BaseModel, SecretStr


class Colour(BaseModel):
    name: str
    red: int = 0


def shared(script: Script, *, seconds: float = 5, slots: Slots | None = None) -> SharedChat:
    return SharedChat(
        build=lambda: ScriptedModel(script), slots=slots or Slots(2), name_of_model="some:model", provider="some",
        remedy="do this", limit_seconds=seconds,
    )  # fmt: skip


def test_no_model_is_available_without_one() -> None:
    models = ChatModels(ModelSettings(model="none"))
    assert not models.available
    with pytest.raises(ModelUnavailable, match="MUTIRAO_MODEL=none"):
        models.chat()


def test_the_builtin_model_needs_its_server() -> None:
    assert not ChatModels(ModelSettings(model="builtin", model_url=None)).available
    assert ChatModels(ModelSettings(model="builtin", model_url="http://127.0.0.1:1/v1")).available
    with pytest.raises(ModelUnavailable, match="models pull"):
        ChatModels(ModelSettings(model="builtin", model_url=None)).chat()


@pytest.mark.parametrize("name", ["gpt", ":x", "buildin"])
def test_a_model_that_is_no_model_is_named(name: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"{name}.*provider:model"):
        ChatModels(ModelSettings(model=name)).chat()


def test_models_are_made_once_for_each_limit_and_temperature() -> None:
    models = ChatModels(ModelSettings(model="builtin", model_url="http://127.0.0.1:1/v1", model_max_tokens=99))
    assert models.chat() is models.chat(max_tokens=99)
    assert models.chat() is not models.chat(max_tokens=7)
    assert models.chat() is not models.chat(temperature=0.5)


@pytest.mark.anyio
async def test_the_scripted_model_of_the_settings_says_the_last_paragraph_again() -> None:
    answer = await ask_text(ChatModels(ModelSettings(model="scripted")).chat(), "System.", "Say it again.\n\nBees fly.")
    assert answer.text == "Bees fly."


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_named_with_the_remedy() -> None:
    settings = ModelSettings(model="builtin", model_url="http://127.0.0.1:1/v1", model_timeout_seconds=20)
    with pytest.raises(ModelUnavailable, match=r"'builtin' failed: .*http://127\.0\.0\.1:1/v1.*mutirao status"):
        await ask_text(ChatModels(settings).chat(), "", "Hello?")


@pytest.mark.anyio
async def test_a_provider_whose_package_is_missing_is_named() -> None:
    chat = ChatModels(ModelSettings(model="anthropic:claude", model_api_key=SecretStr("sk-canary"))).chat()
    with pytest.raises(ModelUnavailable, match="anthropic") as caught:
        await ask_text(chat, "", "Hello?")
    assert "sk-canary" not in str(caught.value)


@pytest.mark.anyio
async def test_errors_of_a_provider_get_one_kind() -> None:
    with pytest.raises(ModelUnavailable, match="'some:model' failed: KeyError: 'x'; do this"):
        await shared([KeyError("x")]).ainvoke("Hello?")
    with pytest.raises(ModelUnavailable, match=r"did not answer within 0\.05 s"):
        await shared([Hang()], seconds=0.05).ainvoke("Hello?")


@pytest.mark.anyio
async def test_streams_come_in_parts_and_their_errors_get_the_same_kind() -> None:
    parts = [chunk.text async for chunk in shared(["one two three"]).astream("Count.")]
    assert "".join(parts) == "one two three"
    assert len(parts) >= 3
    with pytest.raises(ModelUnavailable):
        async for _ in shared([OSError("gone")]).astream("Count."):
            pass


def test_the_model_works_without_a_loop() -> None:
    chat = shared(["one two"])
    assert chat.invoke("Count.").text == "one two"
    assert "".join(chunk.text for chunk in chat.stream("Count.")) == "one two"


@pytest.mark.anyio
async def test_so_many_calls_at_once_and_no_more() -> None:
    running = most = 0
    slots = Slots(2)

    async def call() -> None:
        nonlocal running, most
        async with slots.held():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

    await asyncio.gather(*(call() for _ in range(9)))
    assert (most, running) == (2, 0)


@pytest.mark.anyio
async def test_a_cancelled_wait_gives_its_place_on() -> None:
    slots = Slots(1)
    async with slots.held():
        waiting = [asyncio.create_task(_hold(slots)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waiting[2].exception() is None
    async with asyncio.timeout(1), slots.held():
        pass


@pytest.mark.anyio
async def test_a_place_granted_while_its_waiter_is_cancelled_is_not_lost() -> None:
    slots = Slots(1)
    for _ in range(50):
        async with slots.held():
            waiter = asyncio.create_task(_hold(slots))
            await asyncio.sleep(0)
        waiter.cancel()  # after it was given the place, before it ran
        await asyncio.gather(waiter, return_exceptions=True)
    async with asyncio.timeout(1), slots.held():
        pass


async def _hold(slots: Slots) -> None:
    async with slots.held():
        await asyncio.sleep(0)


def test_threads_and_loops_share_the_places() -> None:
    slots = Slots(1)
    order: list[str] = []

    def thread() -> None:
        with slots.held_by_thread():
            order.append("thread")

    async def main() -> None:
        async with slots.held():
            other = threading.Thread(target=thread)
            other.start()
            await asyncio.sleep(0.05)
            order.append("loop")
        await asyncio.to_thread(other.join)

    asyncio.run(main())
    assert order == ["loop", "thread"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "a"}', Colour(name="a")),
        ('Sure! ```json\n{"name": "a", "red": 3}\n``` Enjoy.', Colour(name="a", red=3)),
        ('{"name": "a", "red": 3', Colour(name="a", red=3)),
        ('{"name": "a\nb"}', Colour(name="a\nb")),
        ('{"name": "cut of', Colour(name="cut of")),
        ("{", None),
        ("", None),
        ("no json", None),
        ('{"red": "many"}', None),
        ('{"a":' * 5_000, None),
        ("[1, 2]", None),
    ],
)
def test_json_is_found_in_what_models_send(text: str, expected: Colour | None) -> None:
    assert parsed(text, Colour) == expected


@pytest.mark.anyio
async def test_unusable_answers_are_asked_again_and_then_given_up() -> None:
    model = ScriptedModel(["no idea", {"name": "red"}])
    answer, sent = await ask_json(model, Colour, "You name colours.", "Name one.")
    assert answer == Colour(name="red")
    assert len(sent) == model.calls == 2
    assert "JSON Schema" in model.prompts[0]
    stubborn = ScriptedModel(["no", "never"])
    assert (await ask_json(stubborn, Colour, "", "Name one."))[0] is None
    assert stubborn.calls == 2


@pytest.mark.anyio
async def test_a_model_with_a_schema_switch_gets_the_schema_there() -> None:
    chat = shared([{"name": "red"}])
    chat.json_schema = True
    assert chat.schema_arguments("Colour", {"type": "object"}) == {
        "extra_body": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "Colour", "schema": {"type": "object"}}}
        }
    }
    assert shared([]).schema_arguments("Colour", {}) == {}


@pytest.mark.anyio
async def test_a_budget_is_never_passed() -> None:
    model = ScriptedModel(["one two three"])
    asking = Asking(job_for(model=model), ModelBudget(calls=2, tokens=50, seconds=5))
    answers = await asyncio.gather(*(asking.text("", "Count.") for _ in range(5)))
    assert answers.count("one two three") == 2
    assert answers.count(None) == 3
    assert model.calls == asking.spent()["calls"] == 2
    assert asking.spent()["tokens"] == 6


@pytest.mark.anyio
async def test_a_model_that_hangs_costs_its_share_of_time_and_is_then_left_alone() -> None:
    events: list[tuple[str, dict[str, object]]] = []
    model = ScriptedModel([Hang()])
    asking = Asking(job_for(model=model, events=events), ModelBudget(calls=9, seconds=60), share=0.005)
    began = time.monotonic()
    answers = await asyncio.gather(asking.text("", "a"), asking.text("", "b"))
    assert [*answers] == [None, None]
    assert await asking.text("", "c") is None
    assert 0.3 <= time.monotonic() - began < 30
    assert model.calls == 2
    assert [kind for kind, _ in events] == ["warning"]
    rest = Asking(job_for(model=ScriptedModel(["here"])), ModelBudget(seconds=30), asking.spent())
    assert await rest.text("", "d") == "here"


@pytest.mark.anyio
async def test_a_model_that_fails_is_left_alone_after_three_times() -> None:
    model = ScriptedModel([ModelUnavailable("down")])
    asking = Asking(job_for(model=model), ModelBudget())
    assert [await asking.text("", "a") for _ in range(6)] == [None] * 6
    assert model.calls == 3
    assert asking.spent()["failed"] == 3


@pytest.mark.anyio
async def test_a_job_without_a_model_asks_nobody() -> None:
    asking = Asking(job_for(), ModelBudget())
    assert asking.calls_left == 0
    assert await asking.text("", "a") is None


@pytest.mark.anyio
async def test_the_scripted_model_follows_its_script() -> None:
    by_words = ScriptedModel({"colour": {"name": "red"}, r"\bcount\b": "one"})
    assert (await by_words.ainvoke("which colour?")).text == '{"name": "red"}'
    assert (await by_words.ainvoke("please count")).text == "one"
    assert (await by_words.ainvoke("else")).text == ""
    by_function = ScriptedModel(lambda prompt: prompt.upper())
    assert by_function.invoke([HumanMessage("a"), HumanMessage("b")]).text == "A\nB"
    in_turn = ScriptedModel(["x", ValueError("no"), "y"])
    assert in_turn.invoke("1").text == "x"
    with pytest.raises(ValueError, match="no"):
        in_turn.invoke("2")
    assert [in_turn.invoke("3").text, in_turn.invoke("4").text] == ["y", "y"]
    assert in_turn.prompts == ["1", "2", "3", "4"]
    message = await ScriptedModel(["one two"]).ainvoke("a b c")
    assert isinstance(message, AIMessage)
    assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def test_a_model_works_in_one_loop_after_another() -> None:
    made: list[ScriptedModel] = []

    def build() -> ScriptedModel:
        made.append(ScriptedModel(["here"]))
        return made[-1]

    chat = shared([])
    chat._build = build
    for _ in range(3):
        assert asyncio.run(ask_text(chat, "", "Hello?")).text == "here"
    assert [model.calls for model in made] == [1, 1, 1]


@pytest.mark.anyio
async def test_the_openai_request_holds_limit_and_schema() -> None:
    """The request as it goes out, seen by a server of this test that answers like a real one."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if b"content-length" in line))
        seen.append(await reader.readexactly(length))
        body = (
            b'{"id":"1","object":"chat.completion","created":1,"model":"builtin","choices":[{"index":0,"finish_reason":'
            b'"length","message":{"role":"assistant","content":"{\\"name\\": \\"re"}}],'
            b'"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}'
        )
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        chat = ChatModels(ModelSettings(model="builtin", model_url=f"http://127.0.0.1:{port}/v1")).chat(max_tokens=33)
        answer, sent = await ask_json(chat, Colour, "Name colours.", "One, please.", tries=1)
    assert answer == Colour(name="re"), "an answer cut at its limit is used as far as it goes"
    assert sent[0].usage_metadata is not None
    assert sent[0].usage_metadata["output_tokens"] == 7
    request = httpx.Response(200, content=seen[0]).json()
    assert request["response_format"]["json_schema"]["schema"]["properties"]["name"] == {
        "title": "Name",
        "type": "string",
    }
    assert 33 in (request.get("max_tokens"), request.get("max_completion_tokens"))
    assert request["temperature"] == 0
