"""The API a command talks to."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mutirao.client import Client


def connect(timeout_seconds: float = 30.0) -> "Client":
    """A client of the API that the settings of this call name. Raises Unavailable, Unauthorized, SettingsInvalid."""
    from mutirao.client import Client, find_address
    from mutirao.settings import load_settings

    address = find_address(load_settings())
    return Client(address.url, address.key, timeout_seconds=timeout_seconds)
