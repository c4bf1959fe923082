"""The embedded parts serve, and are the programs they claim to be."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import redis
from mutirao.errors import PartFailed
from mutirao.stack.embedded import EmbeddedParts
from mutirao.stack.ports import is_free

pytestmark = pytest.mark.integration


def test_a_new_database_has_the_whole_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert ("jobs",) in tables


def test_the_database_sorts_the_same_everywhere(embedded: EmbeddedParts) -> None:
    with psycopg.connect(embedded.database_url) as connection:
        row = connection.execute(
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'mutirao'"
        ).fetchone()
    assert row == ("b", "C.UTF-8", "UTF8")


def test_a_wrong_password_is_refused(embedded: EmbeddedParts) -> None:
    wrong = embedded.database_url.replace("//mutirao:", "//mutirao:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_broker_answers_with_its_password_only(embedded: EmbeddedParts) -> None:
    address = urlsplit(embedded.redis_url)
    with redis.Redis.from_url(embedded.redis_url) as known, redis.Redis("127.0.0.1", address.port or 0) as unknown:
        assert known.set("key", "value")
        assert known.config_get("appendonly", "maxmemory-policy") == {
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        with pytest.raises(redis.AuthenticationError):
            unknown.get("key")


def test_chroma_is_the_rust_server(embedded: EmbeddedParts) -> None:
    assert httpx.get(f"{embedded.chroma_url}/api/v2/healthcheck").is_success


def test_the_model_answers_within_a_schema(model_url: str) -> None:
    schema = {"type": "object", "properties": {"bees": {"type": "boolean"}}, "required": ["bees"]}
    answer = httpx.post(
        f"{model_url}/chat/completions",
        json={
            "messages": [{"role": "user", "content": "Are bees insects?"}],
            "max_tokens": 40,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        },
        timeout=60,
    ).raise_for_status()
    assert json.loads(answer.json()["choices"][0]["message"]["content"])["bees"] in (True, False)


def test_parts_of_a_block_end_with_it(tmp_path: Path) -> None:
    with EmbeddedParts(tmp_path / "home", ["valkey"]) as parts:
        port = urlsplit(parts.redis_url).port
        assert port is not None
        assert not is_free(port)
    assert is_free(port)


def test_a_missing_model_fails_a_block_that_wants_it(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    parts = EmbeddedParts(tmp_path / "home", ["model"], models=tmp_path / "models")
    with pytest.raises(PartFailed, match=r"model: .*cannot be written"):
        parts.__enter__()
