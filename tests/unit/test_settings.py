"""Settings: what is unknown or wrong is refused by its name; secrets come from files and are never shown."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutirao.errors import SettingsInvalid
from mutirao.settings import AREAS, ApiSettings, Settings, StackSettings, known_variables, load_settings
from pydantic import SecretStr


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """None of this machine's settings, and no `.env` file."""
    for name in [*os.environ]:
        if name.startswith("MUTIRAO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = set(os.environ)
    yield
    for name in set(os.environ) - before:  # what `load_settings` has read from files
        del os.environ[name]


def test_without_any_variable_there_are_defaults() -> None:
    settings = load_settings()
    assert settings.stack.database_url is None
    assert settings.stack.artifacts_path == Path(".mutirao/artifacts")
    assert settings.api.api_host == "127.0.0.1"
    assert settings.worker.attempts == 3


def test_variables_are_read_and_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTIRAO_WORKER_SLOTS", "7")
    monkeypatch.setenv("MUTIRAO_HOME", "/somewhere")
    monkeypatch.setenv("MUTIRAO_DATABASE_URL", "postgresql://u:secret@h/d")
    settings = load_settings()
    assert settings.worker.worker_slots == 7
    assert settings.stack.models_path == Path("/somewhere/models")
    assert settings.stack.database_url == SecretStr("postgresql://u:secret@h/d")
    assert "secret" not in repr(settings.stack)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("MUTIRAO_DATABSE_URL", "did you mean MUTIRAO_DATABASE_URL?"),
        ("MUTIRAO_WORKERS_SLOT", "did you mean MUTIRAO_WORKER_SLOTS?"),
        ("MUTIRAO_QQQQQQQQQ", "see deploy/SETTINGS.md"),
        ("MUTIRAO_QQQQQQQQQ_FILE", "see deploy/SETTINGS.md"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch, name: str, suggested: str
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert repr(name) in refused.value.message
    assert suggested in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUTIRAO_WORKER_SLOTS", "many"),
        ("MUTIRAO_WORKER_SLOTS", "0"),
        ("MUTIRAO_LEASE_SECONDS", "0.1"),
        ("MUTIRAO_API_PORT", "70000"),
        ("MUTIRAO_API_PORT", ""),
        ("MUTIRAO_POLL_SECONDS", "-1"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert refused.value.message.startswith(f"{name}={value!r}: ")
    assert refused.value.details == {"setting": name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUTIRAO_MCP_SERVERS", '{"x": {"url": "https://a", "command": "b", "headers": {"Authorization": "SECRET"}}}'),
        ("MUTIRAO_MCP_SERVERS", '{"x": "SECRET"}'),
        ("MUTIRAO_MODEL_PRICES", '{"x": {"SECRET": 1}}'),
    ],
)
def test_a_wrong_value_with_a_secret_in_it_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert refused.value.message.startswith(f"{name}: ")
    assert "SECRET" not in refused.value.message


def test_a_secret_is_read_from_the_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mk_a.b\n")
    monkeypatch.setenv("MUTIRAO_API_KEY_FILE", str(tmp_path / "key"))
    key = load_settings().api.api_key
    assert key is not None
    assert key.get_secret_value() == "mk_a.b"


def test_a_value_is_preferred_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUTIRAO_API_KEY", "mk_a.value")
    monkeypatch.setenv("MUTIRAO_API_KEY_FILE", str(tmp_path / "nothing"))
    key = load_settings().api.api_key
    assert key is not None
    assert key.get_secret_value() == "mk_a.value"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("MUTIRAO_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SettingsInvalid, match=r"MUTIRAO_API_KEY_FILE='.*key' cannot be read"):
        load_settings()


def test_an_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MUTIRAO_ATTEMPTS=5\nMUTIRAO_WORKER_SLOTS=6\nOTHER=1\n")
    monkeypatch.setenv("MUTIRAO_WORKER_SLOTS", "7")
    settings = load_settings()
    assert (settings.worker.attempts, settings.worker.worker_slots) == (5, 7)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().api.api_host = "0.0.0.0"  # type: ignore[misc]


def test_areas_given_by_hand_are_kept() -> None:
    settings = Settings(api=ApiSettings(api_port=1), stack=StackSettings(home=Path("/x")))
    assert (settings.api.api_port, settings.stack.home) == (1, Path("/x"))
    assert settings.worker.attempts == 3


def test_no_two_areas_share_a_variable() -> None:
    assert len(known_variables()) == sum(len(area.model_fields) for area in AREAS)
    assert not [name for name in known_variables() if name.endswith("_FILE")]
