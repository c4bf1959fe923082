"""OpenAI's own client against the door: chat, stream, errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import openai
import pytest

from tests.servers import Servers

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "bees live in hives"}]


@contextmanager
def speaking(servers: Servers, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{servers.url}/v1", api_key=key, max_retries=0, http_client=httpx.Client(trust_env=False, timeout=30)
    ) as client:
        yield client


@pytest.fixture
def client(servers: Servers) -> Iterator[openai.OpenAI]:
    with speaking(servers, servers.key) as found:
        yield found


def test_conversational_workflows_are_models(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"echo_chat", "asking_chat"} <= names
    assert "noop" not in names
    assert client.models.retrieve("echo_chat").owned_by == "mutirao"


def test_a_completion_is_a_job_and_its_answer_the_last_message(client: openai.OpenAI, servers: Servers) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="echo_chat", messages=ASK, user="ana", metadata={"a": "b"}
    )
    completion = raw.parse()
    assert completion.choices[0].message.content.split() == "You said: bees live in hives".split()
    job = servers.http.get(f"/jobs/{raw.headers['x-mutirao-job-id']}").json()
    assert job["state"] == "succeeded"
    assert job["metadata"] == {"door": "openai", "user": "ana", "a": "b"}


def test_sampling_options_reach_the_graph(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model="echo_chat", messages=ASK, temperature=0.5)
    assert completion.choices[0].message.content.endswith("at 0.5")


def test_a_stream_comes_in_pieces_and_ends_with_the_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="echo_chat", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 1
    assert "".join(pieces).split() == "You said: bees live in hives".split()
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None


def test_a_question_to_a_person_is_the_answer(client: openai.OpenAI, servers: Servers) -> None:
    raw = client.chat.completions.with_raw_response.create(model="asking_chat", messages=ASK)
    assert "Shall I?" in raw.parse().choices[0].message.content
    assert servers.http.get(f"/jobs/{raw.headers['x-mutirao-job-id']}").json()["state"] == "paused"


def test_failures_say_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="cannot answer 'bees live in hives'"):
        client.chat.completions.create(model="failing_chat", messages=ASK)
    with pytest.raises(openai.APIError, match="cannot answer"):
        list(client.chat.completions.create(model="failing_chat", messages=ASK, stream=True))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "nobody"),
        ({"model": "noop"}, openai.UnprocessableEntityError, "messages"),
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"tools": []}, openai.BadRequestError, "tools"),
        ({"temperature": 7}, openai.BadRequestError, "temperature"),
        ({"messages": []}, openai.BadRequestError, "messages"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    client: openai.OpenAI, change: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        client.chat.completions.create(**({"model": "echo_chat", "messages": ASK} | change))


def test_another_key_is_refused_in_the_same_shape(servers: Servers) -> None:
    with speaking(servers, "mk_none.none") as wrong, pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def test_who_hangs_up_cancels_the_job(client: openai.OpenAI, servers: Servers) -> None:
    stream = client.chat.completions.create(model="slow_chat", messages=ASK, stream=True)
    next(iter(stream))
    job = next(iter(servers.http.get("/jobs", params={"workflow": "slow_chat"}).json()["jobs"]))
    stream.close()
    assert servers.ended(job["id"])["state"] == "cancelled"
