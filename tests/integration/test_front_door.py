"""How one gets from a terminal into the dashboard: the link that `mutirao up` says, and the browser it opens."""

import io
import sys
import webbrowser
from pathlib import Path

import httpx
import pytest
from mutirao.settings import ApiSettings, Settings, StackSettings
from mutirao.stack import front_door
from mutirao.stack.home import Home
from mutirao.stack.status import RunRecord
from pydantic import SecretStr

from tests.servers import Servers

pytestmark = pytest.mark.integration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(servers: Servers, tmp_path: Path) -> Settings:
    """Those of a stack whose API is the servers'; the page is built."""
    home = Home(tmp_path / "home")
    home.create()
    RunRecord(home, servers.url).state("ready")
    (tmp_path / "index.html").write_text("<html></html>", encoding="utf-8")
    return Settings(
        stack=StackSettings(home=home.path), api=ApiSettings(api_key=SecretStr(servers.key), dashboard_dir=tmp_path)
    )


def somebody_sits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on somebody sits at this machine; what the browser is asked to show."""
    found: list[str] = []
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    monkeypatch.setattr(webbrowser, "open", found.append)
    return found


def test_the_link_is_said_and_opened_and_signs_in(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    opened = somebody_sits(monkeypatch)
    said: list[str] = []
    front_door.welcome(settings, said.append, opens=True)
    link = said[0].removeprefix("page ")
    assert link.startswith(f"{servers.url}/ui/sign-in#")
    servers.until(lambda: opened == [link], "the browser is asked")
    body = {"link": link.partition("#")[2]}
    assert httpx.post(f"{servers.url}/api/v1/session", json=body, trust_env=False).status_code == 201


def test_nothing_is_opened_where_nobody_would_see_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = somebody_sits(monkeypatch)
    assert front_door.has_browser()
    said: list[str] = []
    front_door.welcome(settings, said.append, opens=False)
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.7 1 203.0.113.8 22")
    assert not front_door.has_browser()
    front_door.welcome(settings, said.append, opens=True)
    monkeypatch.delenv("SSH_CONNECTION")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not front_door.has_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not front_door.has_browser()
    assert (opened, len([line for line in said if line.startswith("page http")])) == ([], 2)


def test_an_api_that_gives_no_link_is_no_reason_not_to_run(settings: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    refused = Settings(stack=settings.stack, api=ApiSettings(api_key=SecretStr("mk_wrong.key"), dashboard_dir=tmp_path))
    front_door.welcome(refused, said.append, opens=True)
    RunRecord(Home(settings.stack.home), "http://127.0.0.1:9").state("ready")
    front_door.welcome(settings, said.append, opens=True)
    assert said == []


def test_a_page_that_was_not_built_is_said(settings: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    front_door.welcome(
        Settings(stack=settings.stack, api=ApiSettings(dashboard_dir=tmp_path / "none")), said.append, opens=True
    )
    assert "make dashboard" in said[0]
