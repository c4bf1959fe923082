"""The dashboard of a running stack: the link that signs a browser in, and the browser."""

import contextlib
import http.client
import json
import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from urllib.parse import urlsplit

from mutirao import dashboard
from mutirao.settings import Settings
from mutirao.stack.plan import home_of
from mutirao.stack.status import read_run

_SECONDS = 10.0
_LINKS = "/api/v1/session/links"
_NOT_BUILT = "page not built; in the repository `make dashboard` builds it"


def welcome(settings: Settings, say: Callable[[str], None], *, opens: bool) -> None:
    """Say how to get into the dashboard of the stack that has just become ready, and open it where somebody can see it.

    Without a link of its own when the API does not give one: that is no reason not to run.
    """
    if dashboard.folder(settings.api.dashboard_dir) is None:
        say(_NOT_BUILT)
        return
    home = home_of(settings)
    run = read_run(home)
    if run is None or run.url is None:
        return
    with contextlib.suppress(OSError, ValueError, KeyError):
        own = settings.api.api_key
        key = own.get_secret_value() if own else home.api_key_file.read_text(encoding="utf-8").strip()
        link = sign_in_link(run.url, key)
        say(f"page {link}")
        say("     signs one browser in, soon; `mutirao open` makes another link")
        if opens and has_browser():
            open_page(link)


def sign_in_link(url: str, key: str) -> str:
    """A link that signs one browser in, from the API at `url`.

    Raises:
        OSError: it does not answer.
        KeyError: it refuses.
        ValueError: it is no API.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("POST", f"{parts.path}{_LINKS}", headers={"Authorization": f"Bearer {key}"})
        return str(json.loads(connection.getresponse().read())["url"])
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()


def has_browser() -> bool:
    """Whether somebody sits here who would see a page: at a terminal of this machine, which shows windows."""
    remote = "SSH_CONNECTION" in os.environ
    windows = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if remote or not windows or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def open_page(link: str) -> threading.Thread:
    """Show a page in the browser. It need not be waited for: some browsers end when their window is closed."""
    opening = threading.Thread(target=webbrowser.open, args=(link,), name="browser", daemon=True)
    opening.start()
    return opening
