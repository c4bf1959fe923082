"""Which API a program of this machine talks to, and with which key."""

from dataclasses import dataclass, field
from pathlib import Path

from mutirao.client.connection import NoConnection
from mutirao.errors import Unauthorized
from mutirao.settings import Settings
from mutirao.stack.home import Home
from mutirao.stack.status import Run, read_run


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where an API is and what opens it."""

    url: str
    key: str = field(repr=False)


def find_address(settings: Settings) -> Address:
    """The API the settings name, else that of the stack running on their data folder.

    The local stack's key is sent to the local stack only: another URL needs a key of its own in the settings.

    Raises:
        NoConnection: no URL is set and no stack is running.
        Unauthorized: there is no key for that URL.
    """
    home = Home(Path(settings.stack.home).expanduser())
    run = _running(home)
    url = (settings.api.api_url or (run.url if run else None) or "").rstrip("/")
    if not url:
        raise NoConnection(
            f"no stack is running on {str(home.path)!r}; start one with `mutirao up`, "
            "or name an API with --url or MUTIRAO_API_URL",
            home=str(home.path),
        )
    if settings.api.api_key is not None:
        return Address(url=url, key=settings.api.api_key.get_secret_value())
    if run is not None and run.url == url and home.api_key_file.exists():
        return Address(url=url, key=home.api_key_file.read_text(encoding="utf-8").strip())
    raise Unauthorized(f"no key for {url}; set MUTIRAO_API_KEY or MUTIRAO_API_KEY_FILE, or give --key", url=url)


def _running(home: Home) -> Run | None:
    run = read_run(home)
    return run if run is not None and run.alive else None
